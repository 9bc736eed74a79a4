"""Ten short examples, run as they stand. They show what there is; the other tests show that it works."""

from __future__ import annotations

import asyncio
import email.message
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator

import okuru
import pytest
import trio
from conftest import Sink

LETTER = email.message.EmailMessage()
LETTER["From"], LETTER["To"], LETTER["Subject"] = "ann@example.com", "bob@example.org", "hello"
LETTER.set_content("Hello")


@pytest.fixture
def server(sink: Callable[..., Sink]) -> str:
    return sink().url


def test_send_one(server: str) -> None:
    outcome = okuru.send(LETTER, server=server, tls="none")
    outcome.raise_for_state()


def test_say_from_whom_and_to_whom(server: str) -> None:
    with okuru.Client(server, tls="none") as client:
        outcome = client.send(b"Subject: hello\r\n\r\nHello\r\n", sender="ann@example.com", recipients=["bob@example.org"])
    assert outcome.state == "accepted"


def test_send_many(server: str) -> None:
    letters = (okuru.message(LETTER, recipients=f"user{number}@example.org") for number in range(100))
    with okuru.Client(server, tls="none", connections=4) as client:
        accepted = sum(outcome.state == "accepted" for outcome in client.send_many(letters))
    assert accepted == 100


def test_look_at_each_recipient(server: str) -> None:
    with okuru.Client(server, tls="none") as client:
        outcome = client.send(LETTER, recipients=["bob@example.org", "eve@example.org"])
    for recipient in outcome.recipients:
        assert (recipient.state, recipient.reply.code) == ("accepted", 250)


def test_ask_for_a_notice_of_delivery() -> None:
    recipient = okuru.Recipient("bob@example.org", notify="success,failure", orcpt="robert@example.org")
    message = okuru.message(LETTER, recipients=[recipient], ret="hdrs", envid="order-7")
    assert message.recipients == ["bob@example.org"]


def test_catch_errors() -> None:
    try:
        okuru.send(LETTER, server="smtp://127.0.0.1:1").raise_for_state()
    except ConnectionError as error:
        assert isinstance(error, okuru.Error) and error.code == "connect.refused"


def test_stream_a_file(server: str, tmp_path: Path) -> None:
    path = tmp_path / "large.eml"
    path.write_bytes(LETTER.as_bytes() + b"line\r\n" * 100_000)
    assert okuru.send(path, server=server, tls="none").state == "accepted"


def test_generate_a_content(server: str) -> None:
    def report() -> Iterator[bytes]:
        yield b"Subject: report\r\n\r\n"
        for row in range(1000):
            yield b"%d\r\n" % row

    outcome = okuru.send(report(), server=server, tls="none", sender="ann@example.com", recipients="bob@example.org")
    assert outcome.state == "accepted"


def test_asyncio(server: str) -> None:
    async def letters() -> AsyncIterator[Any]:
        for number in range(10):
            yield okuru.message(LETTER, recipients=f"user{number}@example.org")

    async def main() -> int:
        async with okuru.AsyncClient(server, tls="none") as client:
            return len([outcome async for outcome in client.send_many(letters())])

    assert asyncio.run(main()) == 10


def test_trio(server: str) -> None:
    async def main() -> str:
        async with okuru.AsyncClient(server, tls="none") as client:
            return str(await client.send(LETTER, timeout=30))

    assert "accepted" in trio.run(main)
