"""``python -m okuru send``: what it says, and how it ends."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from okuru.testing import Sink

LETTER = b"From: ann@example.com\nTo: bob@example.org, eve@example.org\nBcc: zoe@example.org\nSubject: hello\n\nHello\n"


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "okuru", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env={**os.environ, **environment}, timeout=60)


def test_a_message_from_standard_input() -> None:
    with Sink() as sink:
        done = run("send", "--server", sink.url, "--tls", "none", stdin=LETTER)
        (received,) = sink.wait_for(1)
    assert (done.returncode, done.stdout) == (0, b"accepted for 3 recipients, queued as SINK1\n"), done.stderr
    assert received.recipients == ("bob@example.org", "eve@example.org", "zoe@example.org")
    assert b"Bcc" not in received.content and received.content.endswith(b"\r\nHello\r\n")


def test_json(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(LETTER)
    with Sink(faults=["some-recipients"]) as sink:
        done = run("send", "--json", str(file), "--to", "a@example.org", "--to", "b@example.org", "--tls", "none", OKURU_SERVER=sink.url)
    line = json.loads(done.stdout)
    assert (done.returncode, line["message"], line["file"], line["outcome"]) == (69, 0, str(file), "partial")
    assert [(it["address"], it["outcome"], it["code"]) for it in line["recipients"]] == [
        ("a@example.org", "accepted", 250),
        ("b@example.org", "rejected", 550),
    ]
    assert line["recipients"][1]["error"]["code"] == "reply.rejected"
    assert line["queue_id"] == "SINK1"


@pytest.mark.parametrize(
    ("fault", "status"), [("refuse", 69), ("defer@mail", 75), ("lose-reply", 75), ("drop-starttls", 76), ("wrong-certificate", 76)]
)
def test_exit_status(fault: str, status: int) -> None:
    with Sink(tls="starttls", faults=[fault]) as sink:
        done = run("send", "--server", sink.url, "--ca", str(sink.ca), stdin=LETTER)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(b"okuru: ")


def test_who_we_are(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "password"
    with Sink(tls="starttls", users={"ann": "secret"}) as sink:
        url = sink.url.replace("//", "//ann@")
        file.write_text("secret\n")
        assert run("send", "--server", url, "--ca", str(sink.ca), "--password-file", str(file), stdin=LETTER).returncode == 0
        file.write_text("wrong\n")
        done = run("send", "--server", url, "--ca", str(sink.ca), "--password-file", str(file), "--trace", stdin=LETTER)
        assert done.returncode == 77
        assert b"C: EHLO" in done.stderr and b"wrong" not in done.stderr
        assert run("send", "--server", url, "--ca", str(sink.ca), stdin=LETTER, OKURU_PASSWORD="secret").returncode == 0


def test_what_makes_no_sense() -> None:
    assert run("send", "--server", "smtp://localhost", "-", "-").returncode == 64
    assert run("send", "--nonsense").returncode == 64
    assert run("send").returncode == 64
    assert run("send", "--server", "smtp://localhost", "/nonexistent").returncode == 65
    assert run("send", "--server", "smtp://nonexistent.invalid", stdin=LETTER).returncode == 68


def test_each_code_has_a_status() -> None:
    from okuru._command import exit
    from okuru._errors import ADVICE

    assert set(exit._CODES) <= set(ADVICE)
    assert {code.partition(".")[0] for code in ADVICE} >= set(exit._FAMILIES)
    assert all(exit.after(code) in exit.ORDER for code in ADVICE)
