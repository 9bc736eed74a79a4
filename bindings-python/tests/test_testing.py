"""`okuru.testing`: what arrives, what goes wrong, and that it stops cleanly."""

import asyncio
import smtplib
import ssl
import threading

import okuru
import pytest
from okuru.testing import AsyncSink, Sink

LETTER = b"From: ann@example.com\r\nTo: bob@example.org\r\nSubject: hello\r\n\r\n.one\r\nHello\r\n"


def test_what_arrives() -> None:
    with Sink() as sink:
        outcome = okuru.send(LETTER, server=sink.url, **sink.options)
        (received,) = sink.wait_for(1, timeout=5)
    assert (outcome.state, outcome.queue_id) == ("accepted", "SINK1")
    assert (received.sender, received.recipients) == ("ann@example.com", ("bob@example.org",))
    assert received.content == LETTER
    assert received.email["Subject"] == "hello"
    assert (received.protocol, received.tls, received.user) == ("ESMTP", None, None)
    assert received.client == "127.0.0.1"
    assert any(line == "0 C: QUIT" for line in sink.dialogue)
    assert threading.active_count() == 1


@pytest.mark.parametrize("tls", ["starttls", "required", "implicit"])
def test_users_inside_tls(tls: str) -> None:
    with Sink(tls=tls, users={"ann": "secret"}) as sink:
        outcome = okuru.send(LETTER, server=sink.url, auth=("ann", "secret"), **sink.options)
        (received,) = sink.wait_for(1)
        wrong = okuru.send(LETTER, server=sink.url, auth=("ann", "wrong"), **sink.options)
        assert "secret" not in "".join(sink.dialogue)
    assert outcome.state == "accepted"
    assert (received.protocol, received.user, received.tls) == ("ESMTPSA", "ann", "TLSv1.3")
    assert (received.mechanism or "").startswith("SCRAM-SHA-")
    assert (wrong.state, getattr(wrong.error, "code", None)) == ("rejected", "auth.refused")


def test_smtplib_is_a_client_too() -> None:
    with Sink(tls="starttls") as sink:
        with smtplib.SMTP(sink.host, sink.port) as client:
            client.starttls(context=ssl.create_default_context(cadata=sink.ca_pem))
            client.sendmail("ann@example.com", ["bob@example.org", "eve@example.org"], LETTER)
        (received,) = sink.wait_for(1)
    assert received.recipients == ("bob@example.org", "eve@example.org")
    assert received.content == LETTER


def test_lmtp_by_a_unix_socket(tmp_path: "pytest.TempPathFactory") -> None:
    path = str(tmp_path) + "/lmtp"
    with Sink(path=path, lmtp=True, faults=["some-recipients@content"]) as sink:
        to = ["a@example.org", "b@example.org"]
        outcome = okuru.send(LETTER, server=sink.url, recipients=to, **sink.options)
    assert [recipient.state for recipient in outcome.recipients] == ["accepted", "rejected"]


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ("refuse", "rejected", "reply.rejected"),
        ("refuse@mail", "rejected", "reply.rejected"),
        ("defer@content", "deferred", "reply.deferred"),
        ("421@data", "deferred", None),
        ("close@mail", "deferred", None),
        ("greylist=60", "deferred", "reply.deferred"),
        ("over-quota", "deferred", "reply.deferred"),
        ("refuse@connect", "rejected", None),
        ("lose-reply", "unknown", None),
    ],
)
def test_faults(fault: str, state: str, code: object) -> None:
    with Sink(faults=[fault]) as sink:
        outcome = okuru.send(LETTER, server=sink.url, **sink.options)
        assert outcome.state == state
        assert len(sink.messages) == (1 if fault == "lose-reply" else 0)
    if code is not None:
        assert getattr(outcome.error, "code", None) == code


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("drop-starttls", "security."),
        ("inject-before-tls", "security.starttls_injection"),
        ("wrong-certificate", "tls.certificate"),
    ],
)
def test_faults_of_tls(fault: str, code: str) -> None:
    with Sink(tls="starttls", faults=[fault]) as sink:
        outcome = okuru.send(LETTER, server=sink.url, **sink.options)
    assert getattr(outcome.error, "code", "").startswith(code)
    assert outcome.state != "accepted"


def test_what_comes_late_comes() -> None:
    with Sink(faults=["delay=0.2@rcpt", "dribble=0.001"]) as sink:
        outcome = okuru.send(LETTER, server=sink.url, **sink.options)
        assert outcome.state == "accepted"
        late = okuru.send(LETTER, server=sink.url, timeout=0.1, **sink.options)
    assert late.state == "deferred"


def test_size() -> None:
    with Sink(size=100) as sink:
        assert okuru.send(LETTER + b"x" * 200, server=sink.url, **sink.options).state == "rejected"


def test_nonsense_is_told_at_once() -> None:
    for options in ({"faults": ["nonsense"]}, {"tls": "maybe"}, {"offer": ["XCLIENT"]}, {"faults": ["some-recipients@content"]}):
        with pytest.raises(okuru.UsageError):
            Sink(**options)  # type: ignore[arg-type]


def test_who_waits_for_too_much() -> None:
    with Sink() as sink, pytest.raises(TimeoutError, match="0 of 1 messages"):
        sink.wait_for(1, timeout=0.01)


def test_many_at_once() -> None:
    with Sink() as sink:
        with okuru.Client(sink.url, connections=4, **sink.options) as client:
            states = {outcome.state for outcome in client.send_many([LETTER] * 500)}
        assert states == {"accepted"}
        assert len(sink.wait_for(500)) == 500
        assert {received.session for received in sink.messages} == {0, 1, 2, 3}


def test_asyncio() -> None:
    async def main() -> None:
        async with AsyncSink() as sink:
            async with okuru.AsyncClient(sink.url, **sink.options) as client:
                sending = asyncio.ensure_future(client.send(LETTER))
                (received,) = await sink.wait_for(1)
                assert (await sending).state == "accepted"
                assert received.email["Subject"] == "hello"
            with pytest.raises(TimeoutError):
                await sink.wait_for(2, timeout=0.01)

    asyncio.run(main())


def test_trio() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with AsyncSink() as sink:
            async with okuru.AsyncClient(sink.url, **sink.options) as client:
                assert (await client.send(LETTER)).state == "accepted"
            (received,) = await sink.wait_for(1)
            assert received.sender == "ann@example.com"

    trio.run(main)
