"""The clients for asyncio and trio."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, Callable, Iterable, Optional, TypeVar, Union

from okuru._client import GOOD_BYE, _as_message
from okuru._content import Content, Recipients, message
from okuru._driver import Call, Driver
from okuru._errors import error
from okuru._okuru import Message, Outcome
from okuru._settings import Settings

Self = TypeVar("Self", bound="AsyncMailer")


class AsyncMailer:
    """As `okuru.Mailer`, on asyncio or trio; to be used with ``async with``.

    Any number of tasks may send at once. Cancelling one cancels its messages, and no other's; what has not been begun or is between
    commands leaves the session as it is.
    """

    def __init__(self, **options: Any) -> None:
        self._settings = Settings(options)
        self._host: Any = None
        self._driver: Optional[Driver] = None
        self._is_over: Any = None
        self._settings.check()

    @classmethod
    def direct(cls: type[Self], *, fallback: Optional[str] = None, **options: Any) -> Self:
        """As `okuru.Mailer.direct`."""
        return cls(direct=True, fallback=fallback, **options)

    async def send(
        self,
        content: Content,
        *,
        sender: Optional[str] = None,
        recipients: Optional[Recipients] = None,
        **options: Any,
    ) -> Outcome:
        """Sends a message, and gives what became of it: as `okuru.Mailer.send`."""
        letter = message(content, sender=sender, recipients=recipients, **options)
        driver = self._ready()
        call = driver.begin(iter((letter,)))
        event = self._host.event()
        call.wake = event.set
        try:
            while not call.outcomes:
                driver.feed(call)
                if not call.outcomes:
                    await event.wait()
            return call.outcomes[0]
        finally:
            driver.leave(call)

    async def send_many(self, messages: Union[Iterable[Content], AsyncIterable[Content]]) -> AsyncIterator[Outcome]:
        """Sends many messages, and gives outcomes as they come: as `okuru.Mailer.send_many`. Messages may be an asynchronous iterable."""
        driver, event = self._ready(), self._host.event()
        ahead: Optional[_Ahead] = None
        if isinstance(messages, AsyncIterable):
            ahead = _Ahead(messages, self._host, event.set)
            call = driver.begin(ahead)
        else:
            call = driver.begin(map(_as_message, messages))
        call.wake = event.set
        try:
            while True:
                if ahead is None:
                    driver.feed(call)
                elif not call.is_all:
                    ahead.feed(driver, call)
                outcomes = call.outcomes
                if outcomes:
                    call.outcomes = []
                    for outcome in outcomes:
                        yield outcome
                elif call.is_over:
                    return
                else:
                    await event.wait()
        finally:
            if ahead is not None:
                ahead.close()
            driver.leave(call)

    async def close(self) -> None:
        """Says good-bye to all servers."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            driver.finish()
            await self._host.wait_for(self._is_over, driver, GOOD_BYE / 1e9)
        finally:
            driver.abandon()
            await self._host.close()

    def _ready(self) -> Driver:
        if self._driver is None:
            raise error("usage", "an asynchronous client is used with 'async with'")
        return self._driver

    async def __aenter__(self: Self) -> Self:
        if self._driver is not None:
            raise error("usage", "this client is open already")
        if _is_trio():
            from okuru._trio import Trio

            host = self._host = Trio()
            await host.open()
        else:
            from okuru._asyncio import Asyncio

            self._host = Asyncio()
        self._driver = self._host.driver = Driver(self._settings, self._host)
        self._is_over = self._host.event()
        self._driver.on_done = self._is_over.set
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], _: Optional[BaseException], __: Optional[TracebackType]
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            await self.close()
        elif self._driver is not None:
            driver, self._driver = self._driver, None
            driver.abandon()
            await self._host.close()

    def __repr__(self) -> str:
        return f"<okuru.{type(self).__name__}>"


class AsyncClient(AsyncMailer):
    """Sends messages to one server, on asyncio or trio: as `okuru.Client`.

    ::

        async with okuru.AsyncClient("smtp://mail.example.com", auth=("me", "secret")) as client:
            outcome = await client.send(message)
    """

    def __init__(self, server: str, **options: Any) -> None:
        super().__init__(server=server, **options)


class _Ahead:
    """An asynchronous iterable as an iterator over what has been fetched: one message, while the ones before it are sent."""

    def __init__(self, messages: AsyncIterable[Content], host: Any, wake: Callable[[], None]) -> None:
        self._messages = messages.__aiter__()
        self._host, self._wake = host, wake
        self._held: Optional[Message] = None
        self._failed: Optional[Exception] = None
        self._is_over = False
        self._cancel: Optional[Callable[[], Any]] = None

    def feed(self, driver: Driver, call: Call) -> None:
        """Hands over what has been fetched, and fetches more where it is wanted."""
        if self._failed is not None:
            raise self._failed
        if self._held is not None:
            driver.feed(call, 1)
        call.is_all = self._is_over and self._held is None
        if self._held is None and not self._is_over and self._cancel is None and driver.machine.wants_message:
            self._cancel = self._host.run(self._fetch, self._fetched, blocks=False)

    def close(self) -> None:
        """Nobody wants more."""
        if self._cancel is not None:
            self._cancel()

    async def _fetch(self) -> Optional[Message]:
        try:
            return _as_message(await self._messages.__anext__())
        except StopAsyncIteration:
            return None

    def _fetched(self, message: Union[Message, Exception, None]) -> None:
        self._cancel = None
        if isinstance(message, Exception):
            self._failed = message
        else:
            self._held, self._is_over = message, message is None
        self._wake()

    def __iter__(self) -> _Ahead:
        return self

    def __next__(self) -> Message:
        held, self._held = self._held, None
        if held is None:
            raise StopIteration
        return held


def _is_trio() -> bool:
    """Whether this runs on trio. Where nobody has loaded it, it does not."""
    if "trio" not in sys.modules:
        return False
    import trio

    return trio.lowlevel.in_trio_run()
