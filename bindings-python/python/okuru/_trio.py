"""The host on trio, through anyio: ``pip install okuru[trio]``. Its tasks live as long as the client."""

from __future__ import annotations

from time import monotonic_ns
from typing import Any, Callable, Optional

from okuru._driver import Driver, awaited
from okuru._errors import error

try:
    import anyio
    import anyio.abc
    import anyio.to_thread
except ImportError as missing:
    raise error("usage", "trio needs anyio: pip install okuru[trio]") from missing

Callback = Optional[Callable[[], None]]


class Trio:
    """Waits by tasks of a group: one for each socket that is watched, and one for the time."""

    driver: Driver

    def __init__(self) -> None:
        self._group: anyio.abc.TaskGroup
        self._watches: dict[tuple[bool, int], anyio.CancelScope] = {}
        self._wake_at: Optional[int] = None
        self._sooner = anyio.Event()

    async def open(self) -> None:
        """Begins."""
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._keep_time)

    def on_readable(self, sock: Any, callback: Callback) -> None:
        self._watch(False, sock, callback)

    def on_writable(self, sock: Any, callback: Callback) -> None:
        self._watch(True, sock, callback)

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], *, blocks: bool) -> Callable[[], Any]:
        scope = anyio.CancelScope()
        self._group.start_soon(self._work, scope, work, done, blocks)
        return scope.cancel

    def wake_at(self, deadline: int) -> None:
        if self._wake_at is None or deadline < self._wake_at:
            self._wake_at = deadline
            self._sooner.set()

    def event(self) -> Event:
        """Something to wait for."""
        return Event()

    async def wait_for(self, event: Event, driver: Driver, seconds: float) -> None:
        """Waits until all is over, and when nobody waits for an outcome any more, no longer than this."""
        while not driver.is_done:
            with anyio.move_on_after(seconds) as scope:
                await event.wait()
            if scope.cancelled_caught and not driver.is_busy:
                return

    async def close(self) -> None:
        """Ends all tasks."""
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)

    def _watch(self, is_writing: bool, sock: Any, callback: Callback) -> None:
        key = (is_writing, id(sock))
        before = self._watches.pop(key, None)
        if before is not None:
            before.cancel()
        if callback is not None:
            scope = self._watches[key] = anyio.CancelScope()
            wait = anyio.wait_writable if is_writing else anyio.wait_readable
            self._group.start_soon(self._call_back, scope, wait, sock, callback)

    @staticmethod
    async def _call_back(scope: anyio.CancelScope, wait: Any, sock: Any, callback: Callable[[], None]) -> None:
        with scope:
            while not scope.cancel_called:
                try:
                    await wait(sock)
                except (anyio.ClosedResourceError, ValueError, OSError):
                    return
                if not scope.cancel_called:
                    callback()

    @staticmethod
    async def _work(
        scope: anyio.CancelScope, work: Callable[[], Any], done: Callable[[Any], None], blocks: bool
    ) -> None:
        with scope:
            try:
                result = await (anyio.to_thread.run_sync(work) if blocks else awaited(work))
            except Exception as failed:
                result = failed
            done(result)

    async def _keep_time(self) -> None:
        while True:
            self._sooner = anyio.Event()
            delay = None if self._wake_at is None else max(self._wake_at - monotonic_ns(), 0) / 1e9
            with anyio.move_on_after(delay):
                await self._sooner.wait()
            if self._wake_at is not None and monotonic_ns() >= self._wake_at:
                self._wake_at = None
                self.driver.time_passed()


class Event:
    """Wakes one who waits, also if that was before."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """Wakes."""
        self._event.set()

    async def wait(self) -> None:
        """Waits until it is set, and clears it."""
        await self._event.wait()
        self._event = anyio.Event()
