"""Each client, against `okuru sink`: the blocking one, asyncio, and trio."""

from __future__ import annotations

import asyncio
import email.message
import io
import logging
import pickle
import socket
import ssl
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterable, Iterator

import okuru
import pytest
import trio
from conftest import Sink

Start = Callable[..., Sink]

ADDRESSES: dict[str, Any] = {"sender": "ann@example.com", "recipients": "bob@example.org"}
TEXT = b"Subject: hello\r\n\r\nHello\r\n.hidden\r\n"


def blocking(url: str, contents: Iterable[Any], options: dict[str, Any]) -> list[okuru.Outcome]:
    with okuru.Client(url, **options) as client:
        return list(client.send_many(contents))


async def asynchronous(url: str, contents: Iterable[Any], options: dict[str, Any]) -> list[okuru.Outcome]:
    async with okuru.AsyncClient(url, **options) as client:
        return [outcome async for outcome in client.send_many(contents)]


WAYS: dict[str, Callable[[str, Iterable[Any], dict[str, Any]], list[okuru.Outcome]]] = {
    "blocking": blocking,
    "asyncio": lambda *about: asyncio.run(asynchronous(*about), debug=True),
    "trio": lambda *about: trio.run(asynchronous, *about),
}


@pytest.fixture(params=WAYS)
def send_all(request: pytest.FixtureRequest) -> Any:
    """Sends messages by one of the clients."""

    def send(sink: Sink, contents: Iterable[Any], **options: Any) -> list[okuru.Outcome]:
        return WAYS[request.param](sink.url, contents, {"tls": "none", **options})

    return send


def make(content: Any = TEXT, **options: Any) -> okuru.Message:
    return okuru.message(content, **{**ADDRESSES, **options})


@pytest.mark.parametrize("pipelining", ["none", "message", "session", "streaming"])
@pytest.mark.parametrize("connections", [1, 3])
def test_many_messages(sink: Start, send_all: Any, pipelining: str, connections: int) -> None:
    started = sink()
    outcomes = send_all(started, (make() for _ in range(300)), pipelining=pipelining, connections=connections)
    assert [outcome.state for outcome in outcomes] == ["accepted"] * 300
    assert sorted(outcome.message for outcome in outcomes) == list(range(300))
    taken = started.stop()
    assert len(taken) == 300 and len({each["sha256"] for each in taken}) == 1
    assert len({each["session"] for each in taken}) <= connections


def test_tls_and_a_login(sink: Start, send_all: Any) -> None:
    started = sink("--tls", "required", "--user", "ann:secret")
    options = {"tls": "starttls", "ca": started.ca, "tls_name": "localhost"}
    (outcome,) = send_all(started, [make()], auth=okuru.Password("ann", "secret"), **options)
    assert outcome.raise_for_state() is outcome
    assert "ann" in str(started.message()["user"])
    (refused,) = send_all(started, [make()], auth=("ann", "wrong"), **options)
    assert (refused.state, refused.error.code) == ("rejected", "auth.refused")


def test_a_certificate_that_nobody_trusts_ends_it(sink: Start, send_all: Any) -> None:
    started = sink("--tls", "starttls")
    (outcome,) = send_all(started, [make()], tls="starttls", tls_name="localhost")
    assert (outcome.state, outcome.error.code) == ("deferred", "tls.certificate")
    assert isinstance(outcome.error, okuru.TlsError)
    context = ssl.create_default_context(cafile=started.ca)
    (outcome,) = send_all(started, [make()], tls="starttls", tls_name="localhost", ssl_context=context)
    assert outcome.state == "accepted"


def test_large_contents_over_tls(sink: Start, send_all: Any) -> None:
    started = sink("--tls", "starttls")
    content = b"Subject: large\r\n\r\n" + b".x" * 30 + b"\r\n" + b"." * 70 + b"\r\n" * 200_000
    options = {"tls": "starttls", "ca": started.ca, "tls_name": "localhost"}
    outcomes = send_all(started, [make(content), make(content[:-2])], **options)
    assert [outcome.state for outcome in outcomes] == ["accepted", "accepted"]
    assert started.message()["size"] == len(content)


def chunks() -> Iterator[bytes]:
    yield b"Subject: chunks\r\n\r\n"
    for number in range(2000):
        yield b".%d\n" % number * 100


CHUNKS = b"".join(chunks()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_contents_come_from_anywhere(sink: Start, send_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(CHUNKS)
    letter = email.message.EmailMessage()
    letter["From"], letter["To"], letter["Bcc"] = "ann@example.com", "Bob <bob@example.org>", "eve@example.org"
    letter.set_content("Hello")
    started = sink()
    contents = [
        make(CHUNKS),
        make(bytearray(CHUNKS)),
        make(CHUNKS.decode()),
        make(path),
        make(open(path, "rb")),
        make(io.BytesIO(CHUNKS)),
        make(chunks()),
        make(chunks(), size=sum(map(len, chunks()))),
        letter,
    ]
    outcomes = send_all(started, contents)
    assert [outcome.state for outcome in outcomes] == ["accepted"] * len(contents)
    taken = [started.message() for _ in contents]
    assert {each["size"] for each in taken[:-1]} == {len(CHUNKS)}
    assert len({each["sha256"] for each in taken[:-1]}) == 1
    assert [recipient["address"] for recipient in taken[-1]["recipients"]] == ["bob@example.org", "eve@example.org"]


def test_bcc_of_a_file_is_not_sent(sink: Start, send_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(b"From: ann@example.com\r\nBcc: eve@example.org\r\nTo: bob@example.org\r\n\r\nHello\r\n")
    started = sink()
    outcomes = send_all(started, [path, path.read_bytes()])
    assert [outcome.state for outcome in outcomes] == ["accepted"] * 2
    taken = [started.message() for _ in outcomes]
    assert len({each["sha256"] for each in taken}) == 1 and taken[0]["size"] == path.stat().st_size - 22
    assert len(taken[0]["recipients"]) == 2


def test_a_content_that_breaks_is_not_accepted(sink: Start, send_all: Any) -> None:
    def broken() -> Iterator[bytes]:
        yield b"Subject: x\r\n\r\n"
        raise OSError("the disc is gone")

    first, second = send_all(sink(), [make(broken()), make()])
    assert (first.state, first.error.code) == ("deferred", "message.unreadable")
    assert second.state == "accepted"


def test_each_recipient_has_an_outcome(sink: Start, send_all: Any) -> None:
    started = sink("--fault", "some-recipients")
    recipients = ["a@example.org", okuru.Recipient("b@example.org"), "c@example.org"]
    (outcome,) = send_all(started, [make(recipients=recipients)])
    assert outcome.state == "partial"
    states = [recipient.state for recipient in outcome.recipients]
    assert sorted(set(states)) == ["accepted", "rejected"]
    with pytest.raises(okuru.ReplyError) as refused:
        outcome.raise_for_state()
    assert refused.value.code == "reply.rejected" and refused.value.reply.code // 100 == 5
    assert refused.value.outcome == outcome
    assert "rejected" in repr(outcome)
    again = pickle.loads(pickle.dumps(outcome))
    assert again == outcome and again.recipients == outcome.recipients and repr(again) == repr(outcome)


def test_a_lost_reply_is_unknown(sink: Start, send_all: Any) -> None:
    (outcome,) = send_all(sink("--fault", "lose-reply"), [make()])
    assert outcome.state == "unknown"


def test_what_was_deferred_is_tried_again(sink: Start, send_all: Any) -> None:
    (outcome,) = send_all(sink("--fault", "defer@mail:2"), [make()], retry_for="20s", tries=3)
    assert outcome.state == "accepted"


def test_nobody_listens(send_all: Any) -> None:
    class Nowhere:
        url = "smtp://127.0.0.1:1"

    first, second = send_all(Nowhere(), [make(), make()])
    assert {first.error.code, second.error.code} == {"connect.refused"}
    assert isinstance(first.error, ConnectionError)


def test_a_name_that_is_none(send_all: Any) -> None:
    class Nowhere:
        url = "smtp://no-such-host.invalid"

    (outcome,) = send_all(Nowhere(), [make()])
    assert outcome.error.code in ("dns.no_such_host", "dns.temporary")


def test_time_runs_out(sink: Start, send_all: Any) -> None:
    (outcome,) = send_all(sink("--fault", "delay=20@content"), [make(timeout=0.3)])
    assert outcome.error.code == "timeout.deadline" and isinstance(outcome.error, TimeoutError)


def test_the_dialogue_is_told_without_secrets(sink: Start, send_all: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "okuru")
    told: list[str] = []
    started = sink("--user", "ann:secret", "--tls", "none")
    options = {"auth": ("ann", "hunter2"), "allow_plaintext_auth": True, "trace": told.append}
    send_all(started, [make()], **options)
    assert any(line.startswith("C: EHLO") for line in told)
    assert any("EHLO" in record.message for record in caplog.records)
    assert "hunter2" not in "".join(told) + caplog.text


def test_over_a_socket_that_is_there(sink: Start, send_all: Any) -> None:
    started = sink()
    (outcome,) = send_all(started, [make()], sock=socket.create_connection(("127.0.0.1", started.port)))
    assert outcome.state == "accepted"


def test_from_an_address(sink: Start, send_all: Any) -> None:
    started = sink()
    (outcome,) = send_all(started, [make()], source_address="127.0.0.7")
    assert outcome.state == "accepted" and "127.0.0.7" in str(started.message()["client"])


def test_messages_without_sense_are_refused(send_all: Any) -> None:
    for about, code in [
        ({"recipients": "bob"}, "address.syntax"),
        ({"recipients": []}, "message.no_recipients"),
        ({"sender": "ann\r\nDATA"}, "address.syntax"),
        ({"body": "9bit"}, "usage"),
    ]:
        with pytest.raises(okuru.Error) as refused:
            make(b"Subject: x\r\n\r\n", **about)
        assert refused.value.code == code


def test_tokens_are_asked_for(sink: Start) -> None:
    async def token() -> str:
        return "ya29.token"

    async def run(source: Any) -> okuru.Outcome:
        options: dict[str, Any] = {"tls": "none", "allow_plaintext_auth": True, "auth": okuru.OAuth(source, "ann")}
        async with okuru.AsyncClient(sink("--user", "ann:secret").url, **options) as client:
            return await client.send(make())

    for outcome in (asyncio.run(run(token)), trio.run(run, token), asyncio.run(run(lambda: "ya29.token"))):
        assert outcome.error.code in ("auth.no_mechanism", "auth.refused")


async def slowly() -> AsyncIterator[okuru.Message]:
    for number in range(5):
        yield make(held(number))


async def held(number: int) -> AsyncIterator[bytes]:
    yield b"Subject: %d\r\n\r\n" % number
    await asyncio.sleep(0) if asyncio._get_running_loop() else await trio.sleep(0)
    yield b"Hello\r\n"


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)], ids=["asyncio", "trio"])
def test_messages_and_contents_that_are_awaited(sink: Start, run: Any) -> None:
    async def main() -> list[str]:
        async with okuru.AsyncClient(sink().url, tls="none") as client:
            return [outcome.state async for outcome in client.send_many(slowly())]

    assert run(main()) == ["accepted"] * 5
