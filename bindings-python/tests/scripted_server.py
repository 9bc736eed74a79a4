"""A server on loopback that says what a test wants, and keeps what it was told."""

from __future__ import annotations

import socket
import threading
from typing import Callable, Optional

#: What is answered to a line; None: the usual.
Rule = Callable[[str], Optional[str]]


def nothing_special(_: str) -> Optional[str]:
    return None


class ScriptedServer:
    """Takes one connection. ``turns`` counts how often it had answered everything and then heard more."""

    def __init__(
        self, offers: str = "PIPELINING\n8BITMIME\nSIZE 1000000", rule: Rule = nothing_special, finals: int = 1
    ) -> None:
        self._offers, self._rule, self._finals = offers.split("\n"), rule, finals
        self._listener = socket.create_server(("127.0.0.1", 0))
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._listener.setsockopt(socket.SOL_SOCKET, buffer, 1 << 14)
        self.port: int = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self.contents: list[bytes] = []
        self.turns = 0
        self._unread = bytearray()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive(), "the client has not gone"

    def _serve(self) -> None:
        self._sock, _ = self._listener.accept()
        with self._sock:
            try:
                self._say("220 scripted")
                while self._answer(self._line(b"\r\n").decode()):
                    pass
            except (ConnectionError, EOFError):
                pass

    def _answer(self, line: str) -> bool:
        self.lines.append(line)
        verb = line.partition(" ")[0].upper()
        told = self._rule(line)
        if told is None:
            told = "354 go on" if verb == "DATA" else "250 ok"
            if verb in ("EHLO", "LHLO"):
                lines = ["scripted", *self._offers]
                told = "\n".join(["250-" + each for each in lines[:-1]] + ["250 " + lines[-1]])
            if verb == "QUIT":
                told = "221 bye"
        self._say(told)
        if verb == "DATA" and told.startswith("354"):
            # With nobody to take it, the content is a lone dot.
            self._unread[:0] = b"\r\n"
            self.contents.append(self._line(b"\r\n.\r\n")[2:])
            for number in range(self._finals):
                self._say(self._rule(f"<content {number}>") or "250 taken")
        return verb != "QUIT" and not told.startswith("421")

    def _line(self, end: bytes) -> bytes:
        asked, seen = True, 0
        while self._unread.find(end, seen) < 0:
            seen = max(len(self._unread) - len(end), 0)
            data = self._sock.recv(1 << 20)
            if not data:
                raise EOFError
            self.turns += asked
            asked = False
            self._unread += data
        line, _, self._unread = self._unread.partition(end)
        return bytes(line)

    def _say(self, reply: str) -> None:
        self._sock.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")
