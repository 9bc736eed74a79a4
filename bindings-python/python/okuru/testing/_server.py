"""The thread of a sink: it accepts clients and serves them, all by one selector."""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import threading
import time
from time import monotonic_ns
from typing import Any, Callable, Optional

from okuru._okuru import Receiver
from okuru.testing._visit import Visit

#: How long clients have to come to an end when the sink stops.
PATIENCE = 2_000_000_000

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Server:
    """Serves clients on one listening socket, in a thread of its own."""

    def __init__(
        self,
        listener: socket.socket,
        receiver: Receiver,
        contexts: tuple[Optional[ssl.SSLContext], Optional[ssl.SSLContext]],
        take: Callable[[dict[str, Any]], None],
        tell: Callable[[str], None],
    ) -> None:
        self._listener, self._receiver, self._contexts = listener, receiver, contexts
        self._take, self._tell = take, tell
        self._selector = selectors.DefaultSelector()
        self._visits: dict[Visit, int] = {}
        self._waker, self._woken = socket.socketpair()
        self._stop_at: Optional[int] = None
        self._sessions = 0
        self._thread = threading.Thread(target=self._run, name="okuru.testing.Sink", daemon=True)

    def start(self) -> None:
        """Clients can come from now on."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, _READ)
        self._selector.register(self._woken, _READ)
        self._thread.start()

    def stop(self) -> None:
        """Lets clients finish what is under way, and waits for the end."""
        self._waker.send(b"!")
        self._thread.join()
        self._waker.close()

    def _run(self) -> None:
        try:
            while self._stop_at is None or (self._visits and monotonic_ns() < self._stop_at):
                self._turn()
        finally:
            for visit in list(self._visits):
                visit.close()
            self._selector.close()
            self._woken.close()
            self._listener.close()

    def _turn(self) -> None:
        for key, events in self._selector.select(self._timeout()):
            visit = key.data
            if visit is None:
                self._accept() if key.fileobj is self._listener else self._begin_to_stop()
                continue
            if events & _READ:
                visit.readable()
            if events & _WRITE and not visit.is_over:
                visit.writable()
        for visit in list(self._visits):
            deadline = visit.deadline
            if deadline is not None and monotonic_ns() >= deadline:
                visit.time_passed()
            self._watch(visit)

    def _timeout(self) -> Optional[float]:
        deadlines = [visit.deadline for visit in self._visits]
        soonest = min((each for each in (*deadlines, self._stop_at) if each is not None), default=None)
        return None if soonest is None else max(soonest - monotonic_ns(), 0) / 1e9

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except OSError:
            return  # The client has gone.
        sock.setblocking(False)
        client = address[0] if isinstance(address, tuple) else None
        if client is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = self._receiver.session(client, os.urandom(32), int(time.time()))
        number, self._sessions = self._sessions, self._sessions + 1
        usual, wrong = self._contexts

        def take(message: dict[str, Any], tls: Optional[str]) -> None:
            self._take({**message, "tls": tls, "client": client, "session": number})

        context = wrong if session.wrong_certificate else usual
        visit = Visit(sock, session, context, take, lambda line: self._tell(f"{number} {line}"))
        self._visits[visit] = 0
        visit.begin()

    def _begin_to_stop(self) -> None:
        self._stop_at = monotonic_ns() + PATIENCE
        self._selector.unregister(self._listener)
        self._selector.unregister(self._woken)
        for visit in self._visits:
            visit.stop()

    def _watch(self, visit: Visit) -> None:
        """Asks for what the visit waits for now."""
        reads, writes = visit.wants
        wanted = (_READ if reads else 0) | (_WRITE if writes else 0)
        before = self._visits[visit]
        if visit.is_over:
            wanted = 0
        if wanted and not before:
            self._selector.register(visit.socket, wanted, visit)
        elif wanted and wanted != before:
            self._selector.modify(visit.socket, wanted, visit)
        elif before and not wanted:
            self._selector.unregister(visit.socket)
        self._visits[visit] = wanted
        if visit.is_over:
            del self._visits[visit]
            visit.close()
