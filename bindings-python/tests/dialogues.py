"""Carries out the dialogues of `tests/vectors` on the machine of the extension module.

`tests/vectors/README.md` says what each step means; `vectors-json` compiles them.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections import deque
from pathlib import Path
from typing import Any, Iterator

import pytest

from okuru import MessageError
from okuru.machines import Connection, Message, Outcome, Recipient, Reply

ROOT = Path(__file__).resolve().parents[2]

START = 1000 * 10**9
MILLISECOND = 10**6

#: What is to be seen, rather than done.
SEEN = ("write", "start_tls", "get_token", "event", "recipient", "message", "closed")

#: Told wherever it comes; other events only where the dialogue tells any of their kind.
ALWAYS_TOLD = ("authenticated", "pipelining_reduced", "reply")

#: The error that a reply stands for.
STANDS_FOR = {421: "reply.closing", 530: "auth.required"}


def load() -> list[dict[str, Any]]:
    """Every dialogue."""
    program = os.environ.get("OKURU_VECTORS_JSON", ROOT / "target" / "debug" / "vectors-json")
    printed = subprocess.run([program], stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
    return list(json.loads(printed))


def options(dialogue: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The URL and the options that make the connection of a dialogue."""
    config = dialogue["config"]
    named: dict[str, Any] = {
        "tls": config["tls"],
        "tls_name": config["server_name"],
        "ehlo": config["ehlo"],
        "pipelining": config["pipelining"],
        "chunking": config["chunking"],
        "trace": config["trace"],
        "nonce": bytes(24),
    }
    for name, milliseconds in config["timeouts"].items():
        named["reply_timeout" if name == "all" else f"{name}_timeout"] = milliseconds / 1000
    for name, limit in config["reply_limits"].items():
        named["max_reply" if name == "bytes" else f"max_reply_{name.rstrip('s') if name == 'line' else name}"] = limit
    for name, limit in config["in_flight"].items():
        named["in_flight_" + name.replace("-", "_")] = limit
    port = 587
    login = config["authentication"]
    if login is not None:
        port = login["port"]
        named["nonce"] = base64.b64decode(login["nonce"])
        named.update({name: login[name] for name in ("user", "password", "authzid")})
        if login["token"] is not None:
            named["token"] = True if "later" in login["token"] else login["token"]["known"]
        named["auth"] = login["mechanisms"] or (["EXTERNAL"] if login["external"] else None)
        named["allow_plaintext_auth"] = login["dangerously_allow_plaintext"]
        named["try_all_mechanisms"] = login["try_all"]
    return f"{config['protocol']}://mx.example:{port}", named


def message(described: dict[str, Any], content: bytes, now: int) -> Message:
    """A message of a dialogue."""
    deadline = described["deadline"]
    stream = described["stream"]
    named = {
        "sender": f"<{described['from']}>",
        "recipients": [
            Recipient(f"<{each['address']}>", param=each["parameters"].split()) for each in described["recipients"]
        ],
        "param": described["parameters"].split() or None,
        "body": described["declaration"],
        "smtputf8": described["smtputf8"],
        "newlines": described["newlines"],
        "all_or_nothing": described["all_or_nothing"],
        "timeout": None if deadline is None else (START + deadline * MILLISECOND - now) / 1e9,
        "keep_bcc": True,
    }
    if stream is None:
        return Message(content, **named)
    return Message(object(), size=stream["size"], rewindable=stream["rewindable"], **named)


class Player:
    """A host without a network: it does what the machine asks, and keeps what there is to see."""

    def __init__(self, dialogue: dict[str, Any], cut: bool) -> None:
        url, named = options(dialogue)
        self.dialogue, self.cut = dialogue, cut
        self.machine = Connection(url, **named)
        self.contents = [b"".join(self.chunks(each)) for each in dialogue["messages"]]
        self.now = START
        self.said = bytearray()
        self.unwritten = 0
        self.room: int | None = None
        self.told: deque[Any] = deque()
        self.outcomes: dict[int, Outcome] = {}
        self.closed: Any = None
        self.asked: dict[int, int] = {}
        self.deadline: int | None = None
        self.too_late: set[int] = set()

    @staticmethod
    def chunks(described: dict[str, Any]) -> list[bytes]:
        return [base64.b64decode(chunk) for chunk in described["content"]]

    def play(self) -> None:
        """Carries out every step."""
        steps = self.dialogue["steps"]
        for place, step in enumerate(steps):
            kind, about = next((kind, about) for kind, about in step.items() if kind != "line")
            try:
                if kind not in SEEN:
                    self.nothing_is_left()
                    self.limit_writing(steps[place + 1 :])
                    self.act(kind, about)
                    self.drive()
                else:
                    self.see(kind, about)
            except AssertionError as wrong:
                raise AssertionError(f"tests/vectors/{self.dialogue['name']}.smtp:{step['line']}: {wrong}") from None
        self.nothing_is_left()
        unmade = {place for place, each in enumerate(self.dialogue["messages"]) if not each["recipients"]}
        assert set(self.outcomes) | unmade == set(range(len(self.contents))), "a message has not ended"

    def limit_writing(self, steps: list[dict[str, Any]]) -> None:
        written: Any = None
        for step in steps:
            if not any(kind in SEEN for kind in step):
                break
            if "write" in step and step["write"]["written"] is not None:
                written = step["write"]["written"]
                break
        if written is not None or not self.unwritten:
            self.room = written

    def act(self, kind: str, about: Any) -> None:
        now, machine = self.now, self.machine
        if kind == "submit":
            for place in about:
                described = self.dialogue["messages"][place]
                if self.closed is not None:
                    self.too_late.add(place)
                if not described["recipients"]:
                    self.refuse(place, described)
                    continue
                assert machine.submit(now, message(described, self.contents[place], now)) == place
        elif kind == "receive":
            data = base64.b64decode(about["bytes"])
            for part in [data[at : at + 1] for at in range(len(data))] if self.cut and not about["at_once"] else [data]:
                machine.receive(now, part)
                self.drive()
        elif kind in ("wait", "deadline"):
            self.now += about * MILLISECOND
            if kind == "deadline":
                assert self.deadline == self.now, f"the deadline is at {self.deadline}, not {self.now}"
                machine.deadline_passed(self.now)
            else:
                assert self.deadline is None or self.deadline > self.now, "a deadline has passed"
        elif kind == "tls_started":
            binding = about["channel_binding"]
            known = None if binding is None else (binding["kind"], base64.b64decode(binding["data"]))
            machine.tls_started(now, about["verified"], known)
        elif kind == "chunk":
            self.hand_in(about, self.asked.pop(about))
        elif kind == "content_end":
            del self.asked[about]
            machine.content_end(now, about)
        elif kind == "content_failed":
            del self.asked[about["message"]]
            machine.content_failed(about["message"], about["code"], "the host says so")
        elif kind == "write_rest":
            self.room = None
        else:
            act: Any = {
                "abort": lambda: machine.abort(about),
                "command": lambda: machine.command(about["verb"], about["argument"]),
                "quit": machine.quit,
                "eof": lambda: machine.receive_eof(now),
                "failed": lambda: machine.failed(about, "the host says so"),
                "token": lambda: machine.token(now, about),
            }[kind]
            act()

    def refuse(self, place: int, described: dict[str, Any]) -> None:
        """A message that the module does not even make: its outcome in the dialogue is the error that is raised."""
        results = (step["message"] for step in self.dialogue["steps"] if "message" in step)
        expected = next(result["error"] for result in results if result["message"] == place)
        with pytest.raises(MessageError) as refused:
            message(described, self.contents[place], self.now)
        assert refused.value.code == expected
        self.too_late.add(place)

    def hand_in(self, place: int, offset: int) -> None:
        begin = 0
        for chunk in self.chunks(self.dialogue["messages"][place]):
            if offset < begin + len(chunk):
                self.machine.content(self.now, place, chunk[offset - begin :])
                return
            begin += len(chunk)
        self.machine.content_end(self.now, place)

    def drive(self) -> None:
        """Polls until there is nothing more to do without the other side."""
        stuck = self.unwritten
        for _ in range(100_000):
            kind, *about = self.machine.poll(self.now)
            if kind == "write":
                self.say(about[0])
            elif kind == "write_body":
                place, begin, end = about
                self.say(self.contents[place][begin:end])
            elif kind == "read_body":
                self.read(*about)
            elif kind == "wait":
                (self.deadline,) = about
                if not self.write():
                    return
            elif kind == "closed":
                if not stuck:
                    self.write()
                (self.closed,), self.deadline = about or (None,), None
                self.closed = self.closed or "quit"
                return
            elif kind == "finished":
                assert about[0].message not in self.outcomes, "a message has ended twice"
                self.outcomes[about[0].message] = about[0]
            elif kind in ("start_tls", "get_token"):
                self.told.append((kind, *about))
            else:
                self.learn(kind, *about)
        raise AssertionError("the machine never waits")

    def say(self, octets: bytes) -> None:
        self.said += octets
        self.unwritten += len(octets)

    def write(self) -> bool:
        octets = self.unwritten if self.room is None else min(self.unwritten, self.room)
        if not octets:
            return False
        if self.room is not None:
            self.room -= octets
        self.unwritten -= octets
        self.machine.written(self.now, octets)
        return True

    def read(self, place: int, offset: int) -> None:
        stream = self.dialogue["messages"][place]["stream"]
        if stream is None:
            self.machine.content(self.now, place, self.contents[place][offset:])
        elif stream["held"]:
            self.asked[place] = offset
        else:
            self.hand_in(place, offset)

    def learn(self, kind: str, *about: Any) -> None:
        shown = {
            "greeting": lambda: {"greeting": about[0].code},
            "reply": lambda: {"reply": {"command": about[0], "code": about[1].code}},
            "authenticated": lambda: {"authenticated": about[0]},
            "trace": lambda: {"trace": about[0]},
        }.get(kind, lambda: {kind: {}})()
        told = (step["event"] for step in self.dialogue["steps"] if "event" in step)
        if kind in ALWAYS_TOLD or any(kind in event for event in told):
            self.told.append(("event", shown))

    def nothing_is_left(self) -> None:
        assert not self.said, f"more is written than was expected: {bytes(self.said)!r}"
        assert not self.told, f"more is told than was expected: {self.told}"

    def see(self, kind: str, about: Any) -> None:
        if kind == "write":
            said, self.said = bytes(self.said), bytearray()
            assert said == base64.b64decode(about["bytes"]), f"{said!r} is written"
        elif kind == "start_tls":
            self.next_told(("start_tls", about["server_name"], about["verify"]))
        elif kind == "get_token":
            self.next_told(("get_token",))
        elif kind == "event":
            self.next_told(("event", about))
        elif kind == "recipient":
            self.see_recipient(about)
        elif kind == "message":
            self.see_message(about)
        else:
            self.see_closed(about)

    def next_told(self, expected: tuple[Any, ...]) -> None:
        told = self.told.popleft() if self.told else None
        assert told == expected, f"{told} is told, not {expected}"

    def see_recipient(self, about: dict[str, Any]) -> None:
        if about["message"] in self.too_late:
            return
        outcome = self.outcomes.get(about["message"])
        assert outcome is not None, f"message {about['message']} has not ended"
        recipient = outcome.recipients[about["recipient"]]
        stands_for = None
        if recipient.reply is not None:
            code = recipient.reply.code
            stands_for = STANDS_FOR.get(code, "reply.deferred" if code < 500 else "reply.rejected")
        error = recipient.error.code if recipient.error is not None else None
        if error == stands_for and about["error"] is None:
            error = None
        actual = (recipient.state, shown_reply(recipient.reply), error)
        expected = (about["outcome"], about["reply"], about["error"])
        assert actual == expected, f"{actual}, not {expected}"

    def see_message(self, about: dict[str, Any]) -> None:
        if about["message"] in self.too_late:
            return
        outcome = self.outcomes.get(about["message"])
        assert outcome is not None, f"message {about['message']} has not ended"
        actual = {
            "outcome": outcome.state,
            "reply": shown_reply(outcome.reply),
            "queue_id": outcome.queue_id,
            "progress": outcome.progress,
            "round_trips": outcome.round_trips,
        }
        for name, value in actual.items():
            assert about[name] is None or value == about[name], f"{name} is {value}, not {about[name]}"

    def see_closed(self, about: dict[str, Any]) -> None:
        if "quit" in about:
            assert self.closed == "quit", f"closed by {self.closed}"
            return
        failed = about["failed"]
        assert self.closed not in (None, "quit"), f"closed by {self.closed}"
        actual = (self.closed.code, shown_reply(self.closed.reply))
        assert actual == (failed["error"], failed["reply"]), f"closed by {actual}"


def shown_reply(reply: Reply | None) -> dict[str, Any] | None:
    return None if reply is None else {"code": reply.code, "enhanced": reply.enhanced}


def in_both_ways(dialogue: dict[str, Any]) -> Iterator[Player]:
    """With each block of the server's in one piece, and byte by byte."""
    for cut in (False, True):
        yield Player(dialogue, cut)
