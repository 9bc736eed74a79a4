"""The host that blocks: sockets are waited for by ``poll``, and what takes long is done at once."""

from __future__ import annotations

import select
from time import monotonic_ns
from typing import Any, Callable, Optional

from okuru._driver import Driver

Callback = Optional[Callable[[], None]]


class Blocking:
    """Waits for all sockets of a driver."""

    driver: Driver

    def __init__(self) -> None:
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._poll = select.poll() if hasattr(select, "poll") else _Select()
        self._wake_at: Optional[int] = None
        self._done: list[tuple[Callable[[Any], None], Any]] = []

    def on_readable(self, sock: Any, callback: Callback) -> None:
        self._watch(sock.fileno(), self._readers, callback)

    def on_writable(self, sock: Any, callback: Callback) -> None:
        self._watch(sock.fileno(), self._writers, callback)

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], *, blocks: bool) -> Callable[[], Any]:
        try:
            result = work()
        except Exception as failed:
            result = failed
        self._done.append((done, result))
        return _nothing

    def wake_at(self, deadline: int) -> None:
        if self._wake_at is None or deadline < self._wake_at:
            self._wake_at = deadline

    def wait(self, at_most: Optional[float] = None) -> None:
        """Waits until something comes, or a deadline does; for so many seconds at most."""
        if self._done:
            finished, self._done = self._done, []
            for done, result in finished:
                done(result)
            return
        wake_at = self._wake_at
        timeout = None if wake_at is None else (wake_at - monotonic_ns()) / 1e6
        if timeout is not None and timeout < 0:
            timeout = 0
        if at_most is not None and (timeout is None or at_most * 1e3 < timeout):
            timeout = at_most * 1e3
        ready = self._poll.poll(timeout)
        for number, event in ready:
            if event != _OUT:
                reader = self._readers.get(number)
                if reader is not None:
                    reader()
            if event != _IN:
                writer = self._writers.get(number)
                if writer is not None:
                    writer()
        if (timeout == 0 or not ready) and self._is_late():
            self._wake_at = None
            self.driver.time_passed()

    def _is_late(self) -> bool:
        return self._wake_at is not None and monotonic_ns() >= self._wake_at

    def _watch(self, number: int, watched: dict[int, Callable[[], None]], callback: Callback) -> None:
        if number < 0:
            return
        if callback is not None:
            watched[number] = callback
        elif watched.pop(number, None) is None:
            return
        wanted = (_IN if number in self._readers else 0) | (_OUT if number in self._writers else 0)
        if wanted:
            self._poll.register(number, wanted)
        else:
            self._poll.unregister(number)


def _nothing() -> None:
    """What has been done at once can't be cancelled."""


class _Select:
    """``select`` as if it were ``poll``, where there is no ``poll``."""

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}

    def register(self, number: int, wanted: int) -> None:
        self._wanted[number] = wanted

    def unregister(self, number: int) -> None:
        del self._wanted[number]

    def poll(self, timeout: Optional[float]) -> list[tuple[int, int]]:
        reading = [number for number, wanted in self._wanted.items() if wanted & _IN]
        writing = [number for number, wanted in self._wanted.items() if wanted & _OUT]
        seconds = None if timeout is None else timeout / 1e3
        readable, writable, failed = select.select(reading, writing, writing, seconds)
        return [(number, _IN) for number in readable] + [(number, _OUT) for number in {*writable, *failed}]


_IN = getattr(select, "POLLIN", 1)
_OUT = getattr(select, "POLLOUT", 4)
