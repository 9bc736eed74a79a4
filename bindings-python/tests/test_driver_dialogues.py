"""The dialogues of `tests/vectors` that a mailer with one connection can have, through the driver over a fake socket."""

from __future__ import annotations

import base64
from collections import deque
from typing import Any, Callable

import pytest
from dialogues import START, load, message, options

from okuru._driver import Driver
from okuru._settings import Settings

#: What a mailer has nothing to do with: it decides itself when it quits, and asks nothing of its own.
FOREIGN = {"abort", "command", "eof", "failed", "wait", "deadline", "write_rest", "token", "get_token", "start_tls"}

#: A connection has ended, and a mailer goes on with a fresh one.
ELSEWHERE = {"outcomes/session-421-to-the-next-mail", "pipelining/session-503-to-a-part"}


def is_for_mailers(dialogue: dict[str, Any]) -> bool:
    """Whether nothing happens in it that the driver would do in another way."""
    kinds = [next(kind for kind in step if kind != "line") for step in dialogue["steps"]]
    streams = [each["stream"] for each in dialogue["messages"]]
    return (
        dialogue["name"] not in ELSEWHERE
        and not FOREIGN & set(kinds)
        and kinds.count("submit") == 1
        and "quit" not in kinds
        and dialogue["config"]["tls"] == "none"
        and dialogue["config"]["authentication"] is None
        and all(step["write"]["written"] is None for step in dialogue["steps"] if "write" in step)
        and not any(streams)
        and all(each["recipients"] and each["deadline"] is None for each in dialogue["messages"])
        and all(step["message"]["progress"] != "queued" for step in dialogue["steps"] if "message" in step)
    )


ALL = [dialogue for dialogue in load() if is_for_mailers(dialogue)]


class FakeSocket:
    """Takes all that is written, and gives what it is told to."""

    family = None

    def __init__(self) -> None:
        self.said = bytearray()
        self.incoming: deque[bytes] = deque()
        self.is_closed = False

    def setblocking(self, _: bool) -> None: ...

    def fileno(self) -> int:
        return 3

    def send(self, octets: bytes) -> int:
        self.said += octets
        return len(octets)

    def sendmsg(self, buffers: list[bytes]) -> int:
        return sum(self.send(buffer) for buffer in buffers)

    def recv(self, _: int) -> bytes:
        if not self.incoming:
            raise BlockingIOError
        return self.incoming.popleft()

    def close(self) -> None:
        self.is_closed = True


class FakeHost:
    """Never waits."""

    def __init__(self) -> None:
        self.reader: Callable[[], None] | None = None

    def on_readable(self, _: Any, callback: Callable[[], None] | None) -> None:
        self.reader = callback

    def on_writable(self, _: Any, callback: Callable[[], None] | None) -> None: ...

    def run(self, work: Any, done: Any, *, blocks: bool) -> Any:
        raise AssertionError("nothing takes long here")

    def wake_at(self, deadline: int) -> None: ...


def test_there_are_some() -> None:
    assert len(ALL) > 100


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "bytes"])
@pytest.mark.parametrize("dialogue", ALL, ids=[dialogue["name"] for dialogue in ALL])
def test_dialogue(dialogue: dict[str, Any], cut: bool) -> None:
    sock, host = FakeSocket(), FakeHost()
    url, named = options(dialogue)
    named.pop("nonce")
    driver = Driver(Settings({"server": url, "sock": sock, **named}), host)
    messages = dialogue["messages"]
    contents = [b"".join(base64.b64decode(chunk) for chunk in each["content"]) for each in messages]
    call = driver.begin(message(each, content, START) for each, content in zip(messages, contents))
    driver.feed(call)
    for step in dialogue["steps"]:
        kind, about = next((kind, about) for kind, about in step.items() if kind != "line")
        if kind == "receive":
            data = base64.b64decode(about["bytes"])
            parts = [data[at : at + 1] for at in range(len(data))] if cut and not about["at_once"] else [data]
            for part in parts:
                sock.incoming.append(part)
                if host.reader is not None:
                    host.reader()
            driver._settle()
            driver.advance()
        elif kind == "write":
            expected = base64.b64decode(about["bytes"])
            assert bytes(sock.said[: len(expected)]) == expected, f"line {step['line']}: {bytes(sock.said)!r}"
            del sock.said[: len(expected)]
        elif kind == "recipient":
            outcome = next(each for each in call.outcomes if each.message == about["message"])
            recipient = outcome.recipients[about["recipient"]]
            assert recipient.state == about["outcome"]
            assert (recipient.reply.code if recipient.reply else None) == (about["reply"] or {}).get("code")
    assert not sock.said
    assert call.ended == len(messages)
