"""``python -m okuru send``"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from typing import Any, Iterator, Optional, Sequence
from urllib.parse import unquote

from okuru._auth import External, OAuth, Password
from okuru._client import Mailer
from okuru._command import exit
from okuru._command.arguments import parser
from okuru._command.report import Report
from okuru._content import message
from okuru._errors import Error, error
from okuru._okuru import Message

_AS_THEY_ARE = (
    *("tls", "ca", "tls_name", "client_cert", "client_key", "ehlo", "source_address", "connect_timeout"),
    *("reply_timeout", "max_reply", "round_robin", "direct", "dns", "mx_port", "connections", "rate", "retry_for"),
    *("pop_before", "pipelining", "chunking", "allow_plaintext_auth"),
)
_OF_MESSAGES = ("keep_bcc", "all_or_nothing", "notify", "ret", "envid", "body", "smtputf8", "newlines", "deadline", "param")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Sends the messages, and tells what became of them. Gives the exit status."""
    asked = parser().parse_args(arguments)
    files: list[str] = asked.files or ["-"]
    try:
        if files.count("-") > 1:
            raise error("usage", "standard input was named more than once, and can be read only once")
        report = Report(as_json=asked.json, is_many=len(files) > 1)
        with Mailer(**_mailer_options(asked)) as mailer:
            letters = _Letters(asked, files, report)
            for outcome in mailer.send_many(letters.messages()):
                number = letters.numbers[outcome.message]
                report.finished(number, files[number], outcome)
        return report.end()
    except Error as failed:
        print(f"okuru: {failed}", file=sys.stderr)
        return exit.after(failed.code)


class _Letters:
    """The messages, each read when its turn comes. Those that can't be sent are told of on the way."""

    def __init__(self, asked: argparse.Namespace, files: list[str], report: Report) -> None:
        self._files, self._report = files, report
        self._envelope = {"sender": asked.sender, "recipients": asked.to or None}
        self._options = {name: getattr(asked, name) for name in _OF_MESSAGES if getattr(asked, name)}
        #: The number of each message that was taken.
        self.numbers: list[int] = []

    def messages(self) -> Iterator[Message]:
        """Those that can be sent."""
        for number, file in enumerate(self._files):
            try:
                content = sys.stdin.buffer.read() if file == "-" else pathlib.Path(file)
                if file == "-" and not content:
                    raise error("message.empty", "the message is empty")
                letter = message(content, **self._envelope, **self._options)
            except Error as wrong:
                self._report.unusable(number, file, wrong)
                continue
            self.numbers.append(number)
            yield letter


def _mailer_options(asked: argparse.Namespace) -> dict[str, Any]:
    options = {name: getattr(asked, name) for name in _AS_THEY_ARE if getattr(asked, name)}
    servers = asked.server or ([asked.usual_server] if asked.usual_server else [])
    if asked.direct_then_relay:
        options.update(direct=True, fallback=asked.direct_then_relay)
    elif not asked.direct:
        if not servers:
            raise error("usage", "no server was named: use --server or OKURU_SERVER, or --direct")
        options["server"] = servers
    if asked.trace:
        options["trace"] = lambda line: print(line, file=sys.stderr)
    auth = _auth(asked, servers)
    if auth is not None:
        options["auth"] = auth
        options["server"] = [_without_user(url) for url in servers]
    elif asked.auth:
        options["auth"] = _mechanisms(asked)
    return options


def _auth(asked: argparse.Namespace, servers: list[str]) -> Any:
    named = asked.user or next((user for user in map(_user, servers) if user), None)
    if asked.token_file:
        return OAuth(lambda: _first_line(asked.token_file, "--token-file"), user=named)
    if _mechanisms(asked) == ["EXTERNAL"]:
        return External()
    if asked.password_file:
        if not named:
            raise error("usage", "--password-file was given, and no user; name one by --user or in the URL")
        return Password(named, _first_line(asked.password_file, "--password-file"))
    if asked.user or (named and not any(_has_password(url) for url in servers)):
        password = os.environ.get("OKURU_PASSWORD")
        if password is None:
            what = "a user was given, and no password: set OKURU_PASSWORD, or use --password-file or --token-file"
            raise error("usage", what)
        return Password(str(named), password)
    return None


def _mechanisms(asked: argparse.Namespace) -> list[str]:
    return [name.strip().upper() for names in asked.auth for name in names.split(",")]


def _login_part(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[0]


def _user(url: str) -> str:
    return unquote(_login_part(url).partition(":")[0])


def _has_password(url: str) -> bool:
    return ":" in _login_part(url)


def _without_user(url: str) -> str:
    login = _login_part(url)
    return url.replace(f"{login}@", "", 1) if login else url


def _first_line(path: str, option: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else "it is not UTF-8"
        raise error("usage", f"{option}: {path} can't be read: {why}") from None
