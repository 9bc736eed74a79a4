"""The machines without any I/O: a client and a server that are joined in memory."""

from __future__ import annotations

import os
from typing import Any

import okuru
import pytest
from okuru.machines import Connection, Message, Outcome, Session

NOW = 1000


class Server:
    """Takes every message for ``example.org``."""

    def __init__(self, **options: Any) -> None:
        self.machine = Session("mx.example.org", random=os.urandom(32), local=["example.org"], **options)
        self.contents: dict[int, bytes] = {}
        self.taken: list[tuple[Any, ...]] = []
        self._left = b""

    def hear(self, data: bytes) -> bytes:
        """What it says to this."""
        said, self._left = b"", self._left + data
        while True:
            kind, *about = self.machine.poll(NOW)
            if kind == "write":
                said += about[0]
            elif kind == "content":
                message, piece = about
                self.contents[message] = self.contents.get(message, b"") + piece
            elif kind == "ask":
                self.answer(*about)
            elif kind == "closed":
                return said
            elif kind == "wait":
                if not self._left:
                    return said
                taken = self.machine.receive(NOW, self._left)
                self._left = self._left[taken:]

    def answer(self, question: int, kind: str, *about: Any) -> None:
        if kind == "credentials":
            self.machine.answer_credentials(NOW, question, "secret" if about[0] == "ann" else None, os.urandom(16))
        elif kind == "forward_path" and about[0] == "<eve@example.org>":
            self.machine.answer(NOW, question, "550 5.1.1 No Eve here")
        else:
            if kind == "message":
                self.taken.append(tuple(about))
            self.machine.answer(NOW, question, True)


def talk(server: Server, message: Message, content: bytes, **options: Any) -> Outcome:
    """Sends a message to it."""
    url = "smtp://mx.example.org"
    options = {"tls": "none", "ehlo": "client.example", **options}
    client = Connection(url, nonce=os.urandom(24), **options)
    client.submit(NOW, message)
    client.quit()
    outcome, said, has_greeted = None, b"", False
    while True:
        kind, *about = client.poll(NOW)
        if kind == "write":
            said += about[0]
        elif kind == "write_body":
            said += content[about[1] : about[2]]
        elif kind == "read_body":
            client.content(NOW, about[0], content[about[1] :])
        elif kind == "finished":
            outcome = about[0]
        elif kind == "closed":
            assert outcome is not None
            return outcome
        elif kind == "wait":
            assert said or not has_greeted, "both wait"
            client.written(NOW, len(said))
            heard, said, has_greeted = server.hear(said), b"", True
            client.receive(NOW, heard)


CONTENT = b"Subject: x\r\n\r\n.hidden\r\n"


@pytest.mark.parametrize("pipelining", ["none", "message", "session", "streaming"])
def test_a_message_arrives(pipelining: str) -> None:
    server = Server()
    recipients = ["bob@example.org", "eve@example.org", "bob@elsewhere.example"]
    message = Message(CONTENT, sender="ann@example.com", recipients=recipients)
    outcome = talk(server, message, CONTENT, pipelining=pipelining)
    assert [each.state for each in outcome.recipients] == ["accepted", "rejected", "rejected"]
    assert outcome.recipients[1].reply.text == "No Eve here"
    assert server.contents == {0: CONTENT}
    assert server.taken == [(0, "<ann@example.com>", ["<bob@example.org>"], len(CONTENT), "ESMTP")]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"])
@pytest.mark.parametrize(("user", "password", "state"), [("ann", "secret", "accepted"), ("ann", "x", "rejected"), ("eve", "secret", "rejected")])
def test_a_login(mechanism: str, user: str, password: str, state: str) -> None:
    server = Server(mechanisms=[mechanism], allow_plaintext_auth=True, submission=True)
    message = Message(CONTENT, sender="ann@example.com", recipients="bob@elsewhere.example")
    outcome = talk(server, message, CONTENT, user=user, password=password, allow_plaintext_auth=True)
    assert outcome.state == state, outcome
    assert server.machine.user == (user if state == "accepted" else None)


def test_what_makes_no_sense_is_refused() -> None:
    for options in ({"protocol": "imap"}, {"tls": "perhaps"}, {"offer": ["XYZ"]}):
        with pytest.raises(okuru.UsageError):
            Session("mx.example.org", random=bytes(32), **options)
