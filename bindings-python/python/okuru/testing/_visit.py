"""One client of a sink: its socket, and the machine that answers it."""

from __future__ import annotations

import socket
import ssl
from time import monotonic_ns
from typing import Any, Callable, Optional

from okuru._okuru import SinkSession
from okuru.testing._tls import ServerTls

#: How long a client has to read our last words.
LINGER = 2_000_000_000


class Visit:
    """Never waits: it is told when its socket can be read or written, and when its deadline has passed."""

    def __init__(
        self,
        sock: socket.socket,
        session: SinkSession,
        context: Optional[ssl.SSLContext],
        take: Callable[[dict[str, Any], Optional[str]], None],
        tell: Callable[[str], None],
    ) -> None:
        self.socket = sock
        self._session = session
        self._context = context
        self._take, self._tell = take, tell
        self._tls: Optional[ServerTls] = None
        self._unsent = bytearray()
        self._reads = True
        self._is_ending = False
        #: Between two octets, if that takes long.
        self._pause = session.dribble
        self._next_octet = 0
        self._due: Optional[int] = None
        self.is_over = False

    @property
    def wants(self) -> tuple[bool, bool]:
        """Whether it is to be told of what can be read, and of room to write."""
        can_write = bool(self._unsent) and (self._pause is None or monotonic_ns() >= self._next_octet)
        return self._reads, can_write

    @property
    def deadline(self) -> Optional[int]:
        """When `time_passed` is to be called."""
        waits = [self._due] if self._due is not None else []
        if self._unsent and self._pause is not None:
            waits.append(self._next_octet)
        return min(waits, default=None)

    def begin(self) -> None:
        """The connection is there."""
        self._step()

    def stop(self) -> None:
        """The sink stops."""
        self._session.stop()
        if not self._is_ending:
            self._step()

    def readable(self) -> None:
        """Something can be read."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._is_ending:
            # What comes now is read for politeness' sake: the client is to get our last words.
            self.is_over = self.is_over or not data
        elif self._tls is None:
            self._step(data, eof=not data)
        else:
            self._readable_tls(self._tls, data)

    def writable(self) -> None:
        """There is room to write."""
        most = len(self._unsent) if self._pause is None else 1
        try:
            written = self.socket.send(self._unsent[:most])
        except BlockingIOError:
            return
        except OSError:
            self.is_over = True
            return
        del self._unsent[:written]
        if self._pause is not None:
            self._next_octet = monotonic_ns() + self._pause
        if self._is_ending and not self._unsent:
            self._shut()

    def time_passed(self) -> None:
        """A deadline may have passed."""
        if self._due is not None and monotonic_ns() >= self._due:
            if self._is_ending:
                self.is_over = True
            else:
                self._step()

    def close(self) -> None:
        """It is over, whatever was to be said."""
        self.is_over = True
        self.socket.close()

    def _readable_tls(self, tls: ServerTls, data: bytes) -> None:
        tls.feed(data) if data else tls.end()
        if not tls.is_established and not self._shake(tls):
            return
        plaintext, eof = tls.read()
        if plaintext or eof:
            self._step(plaintext, eof=eof)

    def _shake(self, tls: ServerTls) -> bool:
        try:
            is_done = tls.handshake()
        except OSError as failed:
            self._unsent += tls.take()
            self._session.failed("tls.handshake", f"TLS failed: {failed}")
            self._step()
            return False
        self._unsent += tls.take()
        if is_done:
            self._session.tls_started(monotonic_ns(), tls.channel_bindings)
            self._step()
        self.writable()
        return is_done and not self._is_ending

    def _step(self, data: Optional[bytes] = None, eof: bool = False) -> None:
        write, messages, dialogue, starts_tls, self._due, self._reads, closed = self._session.step(
            monotonic_ns(), data, eof
        )
        for line in dialogue:
            self._tell(line)
        for message in messages:
            self._take(message, None if self._tls is None else self._tls.version)
        self._say(write)
        if starts_tls:
            self._start_tls()
        if closed is not None:
            self._end()
        if self._unsent and (self._pause is None or monotonic_ns() >= self._next_octet):
            self.writable()

    def _say(self, plaintext: bytes) -> None:
        if self._tls is not None and self._tls.is_established:
            self._tls.write(plaintext)
            plaintext = self._tls.take()
        self._unsent += plaintext

    def _start_tls(self) -> None:
        if self._context is None:
            self._session.failed("tls.configuration", "there is no certificate")
            self._step()
        else:
            self._tls = ServerTls(self._context)
            self._reads = True

    def _end(self) -> None:
        if self._tls is not None and self._tls.is_established:
            self._tls.close()
            self._unsent += self._tls.take()
        self._is_ending, self._reads = True, True
        self._due = monotonic_ns() + LINGER
        if not self._unsent:
            self._shut()

    def _shut(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_over = True
