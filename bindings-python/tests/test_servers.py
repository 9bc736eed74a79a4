"""Postfix and Dovecot, by each client. `tests/servers/README.md` says what each port and address does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Callable

import okuru
import pytest
import trio
from test_clients import WAYS

Servers = dict[str, Any]


@pytest.fixture(params=WAYS)
def send(request: pytest.FixtureRequest) -> Callable[..., list[okuru.Outcome]]:
    """Sends messages by one of the clients."""

    def send(url: str, contents: list[Any], **options: Any) -> list[okuru.Outcome]:
        return WAYS[request.param](url, contents, options)

    return send


def make(subject: str, recipients: Any = "alice@example.test", **options: Any) -> okuru.Message:
    content = f"Subject: {subject}\r\n\r\n.hidden\r\nHello\r\n".encode()
    return okuru.message(content, sender="ann@example.com", recipients=recipients, **options)


def delivered(servers: Servers, server: str, address: str, subject: str) -> list[bytes]:
    """The messages with this subject in a mailbox."""
    mailboxes = servers[server]["mailboxes"]
    folder = Path(mailboxes.get(address) or mailboxes["*"])
    paths = (path for kind in ("new", "cur") for path in folder.glob(f"{kind}/*"))
    contents = [path.read_bytes() for path in paths]
    return [content for content in contents if f"Subject: {subject}".encode() in content]


def user(servers: Servers, name: str = "alice") -> dict[str, str]:
    return next(each for each in servers["users"] if each["name"] == name)


@pytest.mark.parametrize("pipelining", ["none", "message", "session", "streaming"])
def test_many(servers: Servers, send: Any, pipelining: str) -> None:
    url = f"smtp://127.0.0.1:{servers['postfix']['ports']['mx']}"
    letters = (make("many", "discard@example.test") for _ in range(200))
    outcomes = send(url, letters, tls="none", pipelining=pipelining, connections=2)
    assert [outcome.state for outcome in outcomes] == ["accepted"] * 200
    assert len({outcome.queue_id for outcome in outcomes}) == 200


@pytest.mark.parametrize(("role", "tls"), [("submission", "starttls"), ("submissions", "implicit")])
def test_submission(servers: Servers, send: Any, role: str, tls: str, request: pytest.FixtureRequest) -> None:
    url = f"smtp://localhost:{servers['postfix']['ports'][role]}"
    subject = f"submission {abs(hash(request.node.name))}"
    for name in ("alice", "a=b,c", "josé"):
        auth = okuru.Password(name, user(servers, name)["password"])
        (outcome,) = send(url, [make(subject)], tls=tls, ca=servers["tls"]["ca"], auth=auth)
        assert outcome.state == "accepted", outcome.error
    (refused,) = send(url, [make(subject)], tls=tls, ca=servers["tls"]["ca"], auth=("alice", "wrong"))
    assert (refused.state, refused.error.code) == ("rejected", "auth.refused")
    (refused,) = send(url, [make(subject)], tls=tls, ca=servers["tls"]["untrusted_ca"], auth=auth)
    assert refused.error.code == "tls.certificate"


def test_tokens(servers: Servers) -> None:
    url = f"smtp://localhost:{servers['postfix']['ports']['submission']}"
    known = user(servers)

    async def token() -> str:
        return known["token"]

    options = {"ca": servers["tls"]["ca"]}
    with okuru.Client(url, auth=okuru.OAuth(lambda: known["token"], "alice"), **options) as client:
        assert client.send(make("token")).state == "accepted"
        expired = okuru.OAuth(known["expired_token"], "alice")
    with okuru.Client(url, auth=expired, **options) as client:
        assert client.send(make("token")).error.code == "auth.refused"

    async def main() -> str:
        async with okuru.AsyncClient(url, auth=okuru.OAuth(token, "alice"), **options) as client:
            return str((await client.send(make("token"))).state)

    assert asyncio.run(main()) == trio.run(main) == "accepted"


def test_a_client_certificate(servers: Servers, send: Any) -> None:
    url = f"smtps://localhost:{servers['postfix']['ports']['client_certificate']}"
    tls = servers["tls"]
    shown = {"client_cert": tls["client"], "client_key": tls["client_key"]}
    (outcome,) = send(url, [make("certificate")], ca=tls["ca"], **shown)
    assert outcome.state == "accepted", outcome.error
    (refused,) = send(url, [make("certificate")], ca=tls["ca"])
    assert refused.state != "accepted"


def test_credentials_do_not_go_in_clear(servers: Servers, send: Any) -> None:
    url = f"smtp://127.0.0.1:{servers['postfix']['ports']['plaintext_auth']}"
    auth = okuru.Password("alice", user(servers)["password"])
    (refused,) = send(url, [make("clear")], tls="none", auth=auth)
    assert refused.error.code == "security.plaintext_credentials"
    (outcome,) = send(url, [make("clear")], tls="none", auth=auth, allow_plaintext_auth=True)
    assert outcome.state == "accepted"


def test_refusals(servers: Servers, send: Any) -> None:
    url = f"smtp://127.0.0.1:{servers['postfix']['ports']['mx']}"
    recipients = ["discard@example.test", "reject@example.test", "defer@example.test"]
    (outcome,) = send(url, [make("refusals", recipients)], tls="none")
    assert [recipient.state for recipient in outcome.recipients] == ["accepted", "rejected", "deferred"]
    (nobody,) = send(url, [make("refusals", recipients, all_or_nothing=True)], tls="none")
    assert "accepted" not in [recipient.state for recipient in nobody.recipients]


def test_lmtp(servers: Servers, send: Any, request: pytest.FixtureRequest) -> None:
    socket = servers["dovecot"]["sockets"]["lmtp"]
    address = next(iter(servers["dovecot"]["mailboxes"]))
    subject = f"lmtp {abs(hash(request.node.name))}"
    (outcome,) = send(f"lmtp://{socket}", [make(subject, [address, "nobody@nowhere.test"])])
    assert [recipient.state for recipient in outcome.recipients] == ["accepted", "rejected"]
    (content,) = delivered(servers, "dovecot", address, subject)
    assert content.replace(b"\r\n", b"\n").endswith(b"\n\n.hidden\nHello\n")


def test_pop_before_smtp(servers: Servers, send: Any) -> None:
    ports, known = servers["dovecot"]["ports"], user(servers)
    options = {
        "tls": "none",
        "allow_plaintext_auth": True,
        "pop_before": f"pop3s://alice:{known['password']}@localhost:{ports['pop3s']}",
        "ca": servers["tls"]["ca"],
    }
    url = f"smtp://127.0.0.1:{servers['postfix']['ports']['mx']}"
    (outcome,) = send(url, [make("pop", "discard@example.test")], **options)
    assert outcome.state == "accepted", outcome.error
