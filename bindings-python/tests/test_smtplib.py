"""What `okuru.smtplib` does beyond the tests of the standard library."""

from __future__ import annotations

import email.message
import logging
import logging.handlers
import smtplib as stdlib
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest
from scripted_server import Rule, ScriptedServer

from okuru import smtplib

CONTENT = b"Subject: hello\r\n\r\n.a dot\r\n"
TO = ["r1@example.org", "r2@example.org", "r3@example.org"]


def refusing(verb: str, reply: str, after: int = 0) -> Rule:
    """Answers the command so, once it has been taken so often."""
    seen = 0

    def rule(line: str) -> Optional[str]:
        nonlocal seen
        if not line.upper().startswith(verb):
            return None
        seen += 1
        return reply if seen > after else None

    return rule


def client(server: ScriptedServer, kind: Any = smtplib.SMTP) -> Any:
    return kind("127.0.0.1", server.port, local_hostname="client.example", timeout=20)


@pytest.mark.parametrize("recipients", [1, 100])
def test_two_round_trips_a_message_however_many_recipients(recipients: int) -> None:
    to = [f"r{number}@example.org" for number in range(recipients)]
    turns = {}
    for module in (stdlib, smtplib):
        with ScriptedServer() as server, client(server, module.SMTP) as session:
            session.ehlo()
            before = server.turns
            for _ in range(5):
                assert session.sendmail("s@example.com", to, CONTENT) == {}
            turns[module.__name__] = server.turns - before
            assert server.contents == [b"Subject: hello\r\n\r\n..a dot"] * 5
    assert turns == {"smtplib": 5 * (recipients + 3), "okuru.smtplib": 5 * 2}


def test_without_pipelining_one_command_at_a_time() -> None:
    with ScriptedServer(offers="8BITMIME") as server, client(server) as session:
        session.ehlo()
        before = server.turns
        session.sendmail("s@example.com", TO, CONTENT)
        assert server.turns - before == len(TO) + 3


def test_who_was_refused() -> None:
    with ScriptedServer(rule=refusing("RCPT TO:<R2", "550-5.1.1 nobody\n550 5.1.1 of that name")) as server:
        with client(server) as session:
            refused = session.sendmail("s@example.com", ["One <r1@example.org>", "r2@example.org"], CONTENT)
    assert refused == {"r2@example.org": (550, b"5.1.1 nobody\n5.1.1 of that name")}
    assert server.lines[1:-1] == [
        "MAIL FROM:<s@example.com> SIZE=26",
        "RCPT TO:<r1@example.org>",
        "RCPT TO:<r2@example.org>",
        "DATA",
    ]


@pytest.mark.parametrize(
    ("rule", "kind", "attributes"),
    [
        (refusing("MAIL", "550 no"), smtplib.SMTPSenderRefused, {"smtp_code": 550, "smtp_error": b"no", "sender": "s@example.com"}),
        (refusing("RCPT", "450 wait"), smtplib.SMTPRecipientsRefused, {"recipients": {to: (450, b"wait") for to in TO}}),
        (refusing("DATA", "554 never"), smtplib.SMTPDataError, {"smtp_code": 554, "smtp_error": b"never"}),
        (refusing("<CONTENT", "552 too long"), smtplib.SMTPDataError, {"smtp_code": 552, "smtp_error": b"too long"}),
    ],
    ids=["sender", "recipients", "data", "content"],
)  # fmt: skip
def test_exceptions_are_those_of_the_standard_library(rule: Rule, kind: type, attributes: dict[str, Any]) -> None:
    with ScriptedServer(rule=rule) as server, client(server) as session:
        with pytest.raises(kind) as raised:
            session.sendmail("s@example.com", TO, CONTENT)
        assert {name: getattr(raised.value, name) for name in attributes} == attributes
        assert isinstance(raised.value, stdlib.SMTPException)
        assert session.noop() == (250, b"ok"), "the session goes on"
        assert server.lines[-2] == "rset"


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "<CONTENT"])
def test_421_closes(verb: str) -> None:
    with ScriptedServer(rule=refusing(verb, "421 going")) as server:
        session = client(server)
        with pytest.raises(smtplib.SMTPException) as raised:
            session.sendmail("s@example.com", TO, CONTENT)
        assert "421" in str(raised.value)
        assert session.sock is None
        assert "rset" not in server.lines


def test_a_connection_that_breaks() -> None:
    def hang_up(line: str) -> Optional[str]:
        if line == "DATA":
            raise EOFError
        return None

    with ScriptedServer(rule=hang_up) as server:
        session = client(server)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail("s@example.com", TO, CONTENT)
        assert session.sock is None
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail("s@example.com", TO, CONTENT)


def test_a_server_that_says_nothing() -> None:
    silent = threading.Event()

    def wait(line: str) -> Optional[str]:
        if line == "DATA":
            silent.wait(5)
        return None

    with ScriptedServer(rule=wait) as server:
        session = smtplib.SMTP("127.0.0.1", server.port, timeout=0.2)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.sendmail("s@example.com", TO, CONTENT)
        silent.set()


def test_lmtp_answers_for_each_recipient() -> None:
    rule = refusing("<CONTENT 1", "552 full")
    with ScriptedServer(rule=rule, finals=3) as server, client(server, smtplib.LMTP) as session:
        assert session.sendmail("s@example.com", TO, CONTENT) == {"r2@example.org": (552, b"full")}
        assert session.noop() == (250, b"ok"), "each reply was read"
    assert server.lines[0] == "lhlo client.example"


def test_lmtp_to_addresses_that_are_in_no_rfc() -> None:
    rule = refusing("<CONTENT 1", "552 full")
    with ScriptedServer(rule=rule, finals=3) as server, client(server, smtplib.LMTP) as session:
        assert session.sendmail("s@example.com", ["r1", "r2", "r3"], CONTENT) == {"r2": (552, b"full")}
        assert session.noop() == (250, b"ok")


def test_lmtp_by_single_commands() -> None:
    rule = refusing("<CONTENT 1", "552 full")
    with ScriptedServer(rule=rule, finals=3) as server, client(server, smtplib.LMTP) as session:
        session.ehlo()
        session.mail("s@example.com")
        for to in TO:
            session.rcpt(to)
        assert session.data(CONTENT) == (250, b"taken")
        assert [session.getreply() for _ in TO[1:]] == [(552, b"full"), (250, b"taken")]
        assert session.noop() == (250, b"ok")


def test_writing_does_not_wait_for_reading() -> None:
    # 20 MB of replies, to a client that has 2 MB to say first.
    rule = refusing("RCPT", "250 " + "x" * 500)
    with ScriptedServer(rule=rule) as server, client(server) as session:
        to = [f"r{number}@{'d' * 60}.example.org" for number in range(20_000)]
        assert session.sendmail("s@example.com", to, CONTENT) == {}
        assert len(server.contents) == 1


@pytest.mark.parametrize("content", ["a\nb\rc\r\n", b"a\nb\rc\r\n"], ids=["str", "bytes"])
@pytest.mark.parametrize("recipient", ["r@example.org", "local"], ids=["engine", "steps"])
def test_no_bare_newline_leaves(content: Any, recipient: str) -> None:
    with ScriptedServer() as server, client(server) as session:
        session.sendmail("s@example.com", recipient, content)
        assert server.contents == [b"a\r\nb\r\nc"]


def test_a_large_content() -> None:
    content = b"Subject: large\r\n\r\n" + (b"x" * 5000 + b"\r\n.dot\r\n") * 2000
    with ScriptedServer(offers="PIPELINING") as server, client(server) as session:
        session.sendmail("s@example.com", TO, content)
        assert server.contents == [content.replace(b"\r\n.", b"\r\n..")[:-2]]


def test_options_of_mail_and_rcpt() -> None:
    with ScriptedServer(offers="PIPELINING\n8BITMIME\nDSN\nSMTPUTF8") as server, client(server) as session:
        session.sendmail(
            "s@example.com", "jös@example.org", "x\n", ["BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"], ["NOTIFY=NEVER"]
        )
    assert server.lines[2] == "RCPT TO:<jös@example.org> NOTIFY=NEVER"
    assert set(server.lines[1].split()[2:]) == {"BODY=8BITMIME", "SMTPUTF8", "RET=HDRS"}


def test_what_a_server_does_not_offer_is_said_as_it_was_asked_for() -> None:
    with ScriptedServer() as server, client(server) as session:
        session.sendmail("s@example.com", "r@example.org", CONTENT, ["RET=HDRS"], ["NOTIFY=NEVER"])
    assert server.lines[1:3] == ["mail from:<s@example.com> size=26 RET=HDRS", "rcpt to:<r@example.org> NOTIFY=NEVER"]


def test_a_message_too_large_is_the_servers_to_refuse() -> None:
    rule = refusing("MAIL", "552 too large")
    with ScriptedServer(offers="PIPELINING\nSIZE 10", rule=rule) as server, client(server) as session:
        with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
            session.sendmail("s@example.com", TO, CONTENT)


def test_nobody_to_send_to() -> None:
    with ScriptedServer() as server, client(server) as session:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            session.sendmail("s@example.com", [], b"To: r@example.org\r\n\r\n")
        assert not any(line.upper().startswith("RCPT") for line in server.lines)


def test_methods_of_a_subclass_are_called() -> None:
    class Counting(smtplib.SMTP):
        counted = 0

        def rcpt(self, recip: str, options: Any = ()) -> Any:
            self.counted += 1
            return super().rcpt(recip, options)

    with ScriptedServer() as server, client(server, Counting) as session:
        session.sendmail("s@example.com", TO, CONTENT)
        assert session.counted == len(TO)


def test_features_that_the_user_has_changed_count() -> None:
    with ScriptedServer() as server, client(server) as session:
        session.ehlo()
        del session.esmtp_features["pipelining"], session.esmtp_features["size"]
        before = server.turns
        session.sendmail("s@example.com", TO, CONTENT)
        assert server.turns - before == len(TO) + 3
        assert server.lines[1] == "MAIL FROM:<s@example.com>"


def test_debug_output(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer() as server, client(server) as session:
        session.set_debuglevel(1)
        session.sendmail("s@example.com", TO, CONTENT)
    printed = capsys.readouterr().err
    assert "send: b'MAIL FROM:<s@example.com>" in printed
    assert "354 go on" in printed


def test_bytes_behind_starttls_are_not_taken_for_those_inside() -> None:
    rule = refusing("STARTTLS", "220 go on\n250 injected")
    with ScriptedServer(offers="STARTTLS", rule=rule) as server:
        session = client(server)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="behind the reply to STARTTLS"):
            session.starttls()
        assert session.sock is None


class AnotherMachine:
    """A socket that is connected to another machine."""

    family = socket.AF_INET

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.1", 25

    def close(self) -> None:
        pass


def test_credentials_do_not_go_to_another_machine_without_tls() -> None:
    session = smtplib.SMTP(local_hostname="client.example")
    session.sock, session.ehlo_resp = AnotherMachine(), b"hello"
    session.esmtp_features = {"auth": "PLAIN"}
    with pytest.raises(smtplib.SMTPNotSupportedError, match="unprotected"):
        session.login("user", "password")
    said: list[str] = []
    session.allow_plaintext_auth = True
    session.docmd = lambda cmd, args="": said.append(f"{cmd} {args}") or (235, b"ok")  # type: ignore[assignment,func-returns-value]
    assert session.login("user", "password") == (235, b"ok")
    assert said == ["AUTH PLAIN AHVzZXIAcGFzc3dvcmQ="]


def test_a_server_that_can_not_prove_itself_is_not_believed() -> None:
    def rule(line: str) -> Optional[str]:
        return "235 come in" if line.startswith("AUTH") else None

    with ScriptedServer(offers="AUTH SCRAM-SHA-256 PLAIN", rule=rule) as server:
        session = client(server)
        with pytest.raises(smtplib.SMTPException):
            session.login("user", "password")
        assert session.sock is None
        assert [line.split()[1] for line in server.lines if line.startswith("AUTH")] == ["SCRAM-SHA-256"]


def test_the_next_mechanism_if_one_is_refused() -> None:
    def rule(line: str) -> Optional[str]:
        if line.startswith("AUTH"):
            return "235 come in" if "PLAIN" in line else "535 no"
        return None

    with ScriptedServer(offers="AUTH PLAIN SCRAM-SHA-256 X", rule=rule) as server, client(server) as session:
        assert session.login("user", "pässword") == (235, b"come in")
    assert [line.split()[1] for line in server.lines if line.startswith("AUTH")] == ["SCRAM-SHA-256", "PLAIN"]


def test_a_first_response_too_long_for_a_command_waits() -> None:
    def rule(line: str) -> Optional[str]:
        if line.startswith("AUTH"):
            return "334 "
        return "235 come in" if len(line) > 1000 else None

    with ScriptedServer(offers="AUTH XOAUTH2", rule=rule) as server, client(server) as session:
        session.ehlo()
        token = "user=me\1auth=Bearer " + "x" * 1000 + "\1\1"
        assert session.auth("xoauth2", lambda challenge=None: token) == (235, b"come in")
    assert server.lines[1] == "AUTH XOAUTH2"


def test_the_handler_of_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smtplib", smtplib)
    with ScriptedServer() as server:
        handler = logging.handlers.SMTPHandler(("127.0.0.1", server.port), "log@example.com", TO, "It broke")
        handler.emit(logging.LogRecord("test", logging.ERROR, "file", 1, "what %s", ("happened",), None))
    assert b"Subject: It broke" in server.contents[0]
    assert server.contents[0].endswith(b"what happened")


def test_a_message_with_everything() -> None:
    message = email.message.EmailMessage()
    message["From"] = "Ann <ann@example.com>"
    message["To"] = "Bob <bob@example.org>, Cid <cid@example.org>"
    message["Bcc"] = "dan@example.org"
    message["Subject"] = "Grüße"
    message.set_content("Schöne Grüße\n")
    with ScriptedServer() as server, client(server) as session:
        assert session.send_message(message) == {}
    assert [line for line in server.lines if line.startswith("RCPT")] == [
        "RCPT TO:<bob@example.org>",
        "RCPT TO:<cid@example.org>",
        "RCPT TO:<dan@example.org>",
    ]
    assert b"dan@" not in server.contents[0]
    assert message["Bcc"] == "dan@example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    pair = folder / "cert.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-out", str(pair[0]), "-keyout", str(pair[1])]
    subprocess.run(request + names, check=True, capture_output=True)
    yield pair


def tls_server(pair: tuple[Path, Path]) -> int:
    """Takes one TLS connection, and says a greeting."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as plain:
            try:
                with context.wrap_socket(plain, server_side=True) as sock:
                    sock.sendall(b"220 tls\r\n")
                    sock.recv(100)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_tls_is_verified_unless_a_context_says_otherwise(certificate: tuple[Path, Path]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL("localhost", tls_server(certificate), timeout=5)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    smtplib.SMTP_SSL("localhost", tls_server(certificate), context=trusting, timeout=5).close()
    careless = ssl._create_unverified_context()
    smtplib.SMTP_SSL("localhost", tls_server(certificate), context=careless, timeout=5).close()


