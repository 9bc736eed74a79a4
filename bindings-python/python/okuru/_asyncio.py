"""The host on asyncio: sockets are watched by the event loop itself, and there is no task of ours."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import Any, Callable, Optional

from okuru._driver import Driver, awaited

Callback = Optional[Callable[[], None]]


class Asyncio:
    """Waits in the event loop that is running."""

    driver: Driver

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._wake_at = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def on_readable(self, sock: Any, callback: Callback) -> None:
        if callback is not None:
            self._loop.add_reader(sock, callback)
        elif sock.fileno() >= 0:
            self._loop.remove_reader(sock)

    def on_writable(self, sock: Any, callback: Callback) -> None:
        if callback is not None:
            self._loop.add_writer(sock, callback)
        elif sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], *, blocks: bool) -> Callable[[], Any]:
        task = self._loop.create_task(self._work(work, done, blocks))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    def wake_at(self, deadline: int) -> None:
        if self._timer is not None:
            if self._wake_at <= deadline:
                return
            self._timer.cancel()
        self._wake_at = deadline
        self._timer = self._loop.call_later(max(deadline - monotonic_ns(), 0) / 1e9, self._time_passed)

    def event(self) -> Event:
        """Something to wait for."""
        return Event(self._loop)

    async def wait_for(self, event: Event, driver: Driver, seconds: float) -> None:
        """Waits until all is over, and when nobody waits for an outcome any more, no longer than this."""
        while not driver.is_done:
            try:
                await asyncio.wait_for(event.wait(), seconds)
            except asyncio.TimeoutError:
                if not driver.is_busy:
                    return

    async def close(self) -> None:
        """Ends what is still being done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, work: Callable[[], Any], done: Callable[[Any], None], blocks: bool) -> None:
        try:
            result = await (self._loop.run_in_executor(None, work) if blocks else awaited(work))
        except Exception as failed:
            result = failed
        done(result)

    def _time_passed(self) -> None:
        self._timer = None
        self.driver.time_passed()


class Event:
    """Wakes one who waits, also if that was before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: Optional[asyncio.Future[None]] = None
        self._is_set = False

    def set(self) -> None:
        """Wakes."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Waits until it is set, and clears it."""
        if not self._is_set:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._is_set = False
