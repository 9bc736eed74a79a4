"""What can be said on the command line: the names are those of the ``okuru`` command."""

from __future__ import annotations

import argparse
import os

END = """\
exit status (sysexits), the first that applies:
  77  authentication: refused, not offered, or not safe here
  76  the server broke the protocol, or TLS is missing or does not verify
  68  the host of the URL does not exist
  75  something was deferred, or nobody knows what became of it
  64  usage
  65  a message can't be sent as it is, or can't be read
  69  something was rejected
   0  everything was accepted

environment:
  OKURU_SERVER    the URL of the server
  OKURU_PASSWORD  the password of --user, or of the user in the URL
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(__import__("sys").stderr)
        self.exit(64, f"okuru: {message}\n")


def parser() -> argparse.ArgumentParser:
    """All that can be said."""
    from okuru import __version__

    whole = _Parser(prog="python -m okuru", description="Sends mail by SMTP and LMTP, and tells exactly what became of it.")
    whole.add_argument("--version", action="version", version=f"okuru {__version__}")
    commands = whole.add_subparsers(dest="command", required=True)
    send = commands.add_parser(
        "send",
        help="send messages",
        description="Send messages, each an RFC 5322 file: header, empty line, body; - is standard input, as is no FILE.",
        epilog=END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    send.add_argument("files", metavar="FILE", nargs="*")
    _server(send.add_argument_group("server"))
    _login(send.add_argument_group("login"))
    _mailer(send.add_argument_group("many messages, many servers"))
    _envelope(send.add_argument_group("envelope"))
    _transfer(send.add_argument_group("transfer"))
    output = send.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one line of JSON for each message")
    output.add_argument("--trace", action="store_true", help="show the dialogue on standard error; secrets are hidden")
    return whole


def _server(group: argparse._ArgumentGroup) -> None:
    named = os.environ.get("OKURU_SERVER")
    group.add_argument(
        "--server", metavar="URL", action="append", default=[], help="smtp://HOST:PORT, smtps://, lmtp:// or lmtp:///path"
    )
    group.set_defaults(usual_server=named)
    group.add_argument("--tls", choices=("none", "opportunistic", "starttls", "implicit"), help="when TLS begins")
    group.add_argument("--ca", metavar="FILE", help="trust the authorities in this PEM file")
    group.add_argument("--tls-name", metavar="NAME", help="the name that the certificate is for")
    group.add_argument("--client-cert", metavar="FILE", help="show this certificate to the server")
    group.add_argument("--client-key", metavar="FILE", help="the key of that certificate")
    group.add_argument("--ehlo", metavar="NAME", help="what to call ourselves")
    group.add_argument("--source-address", metavar="ADDRESS", help="connect from this address")
    group.add_argument("--connect-timeout", metavar="SECONDS", type=_seconds, help="how long connecting may take")
    group.add_argument("--reply-timeout", metavar="SECONDS", type=_seconds, help="how long each reply may take")
    group.add_argument("--max-reply", metavar="BYTES", type=int, help="how large a reply may be")


def _login(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--user", help="log in as this user; the URL may name one too")
    group.add_argument("--password-file", metavar="FILE", help="the password is the first line of this file")
    group.add_argument("--token-file", metavar="FILE", help="the OAuth 2.0 token is the first line of this file")
    group.add_argument("--auth", metavar="MECHANISM", action="append", default=[], help="only these mechanisms")
    group.add_argument("--allow-plaintext-auth", action="store_true", help="DANGEROUS: log in although nobody has verified the server")


def _mailer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--round-robin", action="store_true", help="use all servers by turns")
    group.add_argument("--direct", action="store_true", help="deliver to the servers of each recipient's domain")
    group.add_argument("--direct-then-relay", metavar="URL", help="the same, and to this server what none of those takes")
    group.add_argument("--dns", metavar="HOST:PORT", help="the name server to ask")
    group.add_argument("--mx-port", metavar="PORT", type=int, help="where the servers that the DNS names listen")
    group.add_argument("--connections", metavar="N", type=int, help="how many connections at a time")
    group.add_argument("--rate", metavar="N/UNIT", help="such as 20/s, 600/m or 5000/h")
    group.add_argument("--retry-for", metavar="DURATION", help="try again what is deferred, for so long")
    group.add_argument("--pop-before", metavar="URL", help="log in by POP3 before sending")


def _envelope(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--from", dest="sender", metavar="ADDRESS", help="who sends it, <> for nobody")
    group.add_argument("--to", metavar="ADDRESS", action="append", default=[], help="who gets it; may be repeated")
    group.add_argument("--keep-bcc", action="store_true", help="send a Bcc field as it is")
    group.add_argument("--all-or-nothing", action="store_true", help="to all of its recipients or to none")
    group.add_argument("--param", metavar="KEY[=VALUE]", action="append", default=[], help="a parameter of MAIL")
    group.add_argument("--notify", metavar="WHEN,...", help="never, or a list of success, failure and delay")
    group.add_argument("--ret", choices=("full", "hdrs"), help="how much comes back with a notice of failure")
    group.add_argument("--envid", metavar="ID", help="a name for the message, which notices of it carry")


def _transfer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pipelining", choices=("none", "message", "session", "streaming"), help="how much goes in one write")
    group.add_argument("--chunking", choices=("auto", "prefer", "never"), help="whether content goes by BDAT")
    group.add_argument("--body", choices=("7bit", "8bitmime", "binarymime", "auto"), help="how the content is declared")
    group.add_argument("--smtputf8", choices=("auto", "require", "never"), help="whether messages are internationalised")
    group.add_argument("--newlines", choices=("fix", "refuse"), help="what to do about a CR or LF that stands alone")
    group.add_argument("--deadline", metavar="SECONDS", type=_seconds, help="when to give up on each message")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError("a number of seconds above zero is wanted, such as 10 or 0.5")
    return seconds
