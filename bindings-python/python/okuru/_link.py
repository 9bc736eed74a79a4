"""One connection of a mailer: a non-blocking socket, TLS perhaps, and what still has to be written."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Optional, Union

if TYPE_CHECKING:
    from okuru._tls import TlsLayer

Buffer = Union[bytes, memoryview]

#: How much is read at once.
READ = 64 << 10

#: So many buffers are written at once: what POSIX promises.
MOST_BUFFERS = 16


class Link:
    """What is known of a connection that is open.

    ``written`` counts octets for the machine: those that have been handed to the network since it was told last. With TLS an
    octet counts as soon as the first byte of its record is on its way, since it may arrive from then on.
    """

    __slots__ = ("number", "socket", "tls", "server", "written", "is_blocked", "is_deaf", "owed", "_pending", "_windows")

    def __init__(self, number: int, socket: Any, server: str) -> None:
        self.number = number
        self.socket = socket
        self.server = server
        self.tls: Optional[TlsLayer] = None
        self.written = 0
        self.is_blocked = False
        #: Nothing more is read.
        self.is_deaf = False
        #: What is to be read of which message, and has to wait: (message, offset).
        self.owed: Deque[tuple[int, int]] = deque()
        #: What was not taken, with how many octets of the machine's it stands for.
        self._pending: Deque[tuple[Buffer, int]] = deque()
        self._windows: dict[int, Deque[tuple[int, memoryview]]] = {}

    def write(self, pieces: list[Any]) -> None:
        """Writes these behind what is pending, as far as the socket takes them. Raises OSError."""
        if self.tls is None and not self._pending:
            if len(pieces) == 1 and type(pieces[0]) is bytes:
                self._send_one(pieces[0])
                return
        for piece in pieces:
            if type(piece) is tuple:
                piece = self._part(*piece)
            if self.tls is None:
                self._pending.append((piece, 0))
                continue
            for begin in range(0, len(piece), READ):
                part = piece[begin : begin + READ]
                self._pending.append((self.tls.write(part), len(part)))
        self.flush()

    def say(self, octets: bytes) -> None:
        """Writes what is not the machine's: of the handshake. Raises OSError."""
        if octets:
            self._pending.append((octets, 0))
            self.flush()

    def flush(self) -> None:
        """Writes what is pending, as far as the socket takes it. Raises OSError."""
        pending = self._pending
        while pending:
            try:
                if self.tls is None:
                    self._send_several()
                else:
                    self._send_record()
            except BlockingIOError:
                self.is_blocked = True
                return
        self.is_blocked = False

    def take(self, message: int, offset: int, chunk: bytes) -> None:
        """Keeps a chunk that the machine has been given, for the ranges that it will name."""
        self._windows.setdefault(message, deque()).append((offset, memoryview(chunk)))

    def forget(self, message: int) -> None:
        """A message has ended."""
        self._windows.pop(message, None)

    def drop(self) -> None:
        """Throws away what is pending."""
        self._pending.clear()
        self.is_blocked = False

    @property
    def is_full(self) -> bool:
        """Whether content has to wait until more has been written."""
        return self.is_blocked

    def _send_one(self, piece: bytes) -> None:
        try:
            taken = self.socket.send(piece)
        except BlockingIOError:
            taken = 0
        self.written += taken
        if taken < len(piece):
            self._pending.append((memoryview(piece)[taken:], 0))
            self.is_blocked = True

    def _send_several(self) -> None:
        pending = self._pending
        buffers = [buffer for buffer, _ in pending] if len(pending) <= MOST_BUFFERS else [
            pending[place][0] for place in range(MOST_BUFFERS)
        ]
        taken = self.socket.sendmsg(buffers) if hasattr(self.socket, "sendmsg") else self.socket.send(buffers[0])
        self.written += taken
        while taken:
            buffer, _ = pending.popleft()
            if taken < len(buffer):
                pending.appendleft((memoryview(buffer)[taken:], 0))
                break
            taken -= len(buffer)

    def _send_record(self) -> None:
        buffer, octets = self._pending[0]
        taken = self.socket.send(buffer)
        self.written += octets
        if taken < len(buffer):
            self._pending[0] = (memoryview(buffer)[taken:], 0)
        else:
            self._pending.popleft()

    def _part(self, message: int, begin: int, end: int) -> Buffer:
        """A range of what the machine was given. It never names what lies before."""
        window = self._windows[message]
        while window and window[0][0] + len(window[0][1]) <= begin:
            window.popleft()
        parts: list[memoryview] = []
        for offset, chunk in window:
            if offset >= end:
                break
            parts.append(chunk[max(begin - offset, 0) : end - offset])
        return parts[0] if len(parts) == 1 else b"".join(parts)


def lost(failed: OSError) -> tuple[str, str]:
    """The code of an error of a socket, and what happened."""
    words = failed.strerror or str(failed) or type(failed).__name__
    return _CODES.get(failed.errno or 0, "connect.failed"), f"the connection failed: {words}"


def broken(failed: OSError) -> tuple[str, str]:
    """As ``lost``, for a connection that was there."""
    return "connect.lost", f"the connection broke: {failed.strerror or failed}"


_CODES = {
    errno.ECONNREFUSED: "connect.refused",
    errno.ENOENT: "connect.refused",
    errno.EHOSTUNREACH: "connect.unreachable",
    errno.ENETUNREACH: "connect.unreachable",
    errno.ETIMEDOUT: "timeout.connect",
    errno.ECONNRESET: "connect.lost",
}
