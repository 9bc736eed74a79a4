"""The clients that block."""

from __future__ import annotations

import threading
from time import monotonic_ns
from types import TracebackType
from typing import Any, Iterable, Iterator, Optional, TypeVar

from okuru._blocking import Blocking
from okuru._content import Content, Recipients, message
from okuru._driver import Call, Driver
from okuru._okuru import Message, Outcome
from okuru._settings import Settings

Self = TypeVar("Self", bound="Mailer")

#: So long the answers to good-byes are waited for, when every outcome is known.
GOOD_BYE = 2 * 10**9


class Mailer:
    """Sends messages to relays, or directly, over as many connections as it may have.

    Options are keyword arguments with the names of the command line's; `help(okuru)` lists them. A mailer is for one thread at a
    time: `send` waits for its turn, `send_many` must not be used by two at once.
    """

    def __init__(self, **options: Any) -> None:
        self._settings = Settings(options)
        self._host = Blocking()
        self._driver: Optional[Driver] = None
        self._lock = threading.Lock()
        self._settings.check()

    @classmethod
    def direct(cls: type[Self], *, fallback: Optional[str] = None, **options: Any) -> Self:
        """Delivers to the servers of each recipient's domain, and hands to ``fallback`` what none of those takes from us.

        Needs dnspython: ``pip install okuru[dns]``.
        """
        return cls(direct=True, fallback=fallback, **options)

    def send(
        self,
        content: Content,
        *,
        sender: Optional[str] = None,
        recipients: Optional[Recipients] = None,
        **options: Any,
    ) -> Outcome:
        """Sends a message, and gives what became of it. See `okuru.message` for what can be sent.

        Refusals are no exceptions: ``outcome.raise_for_state()`` makes them some.
        """
        letter = message(content, sender=sender, recipients=recipients, **options)
        with self._lock:
            for outcome in self._run(iter((letter,))):
                return outcome
        raise AssertionError("each message ends")

    def send_many(self, messages: Iterable[Content]) -> Iterator[Outcome]:
        """Sends many messages, and gives outcomes as they come: with several connections in any order; ``outcome.message`` is the place of
        the message.

        Messages are taken only as fast as they can be sent, and may be made on the way. When nobody takes outcomes any more, the rest is cancelled.
        """
        return self._run(map(_as_message, messages))

    def close(self) -> None:
        """Says good-bye to all servers. The next message opens connections anew."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            driver.finish()
            end = monotonic_ns() + GOOD_BYE
            while not driver.is_done and monotonic_ns() < end:
                self._host.wait(GOOD_BYE / 1e9)
        finally:
            driver.abandon()

    def _run(self, messages: Iterator[Message]) -> Iterator[Outcome]:
        driver = self._ready()
        call = driver.begin(messages)
        wait = self._host.wait
        try:
            while True:
                if call.ended >= call.until:
                    driver.feed(call)
                outcomes = call.outcomes
                if outcomes:
                    call.outcomes = []
                    yield from outcomes
                elif call.is_over:
                    return
                else:
                    wait()
        finally:
            driver.leave(call)

    def _ready(self) -> Driver:
        """The driver, once it has heard what has happened since it was used last."""
        if self._driver is None or self._driver.is_done:
            self._driver = self._host.driver = Driver(self._settings, self._host)
        else:
            self._host.wait(0)
            if self._driver.deadline is not None and monotonic_ns() >= self._driver.deadline:
                self._driver.time_passed()
        return self._driver

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], _: Optional[BaseException], __: Optional[TracebackType]
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        elif self._driver is not None:
            self._driver.abandon()
            self._driver = None

    def __del__(self) -> None:
        driver = getattr(self, "_driver", None)
        if driver is not None:
            driver.abandon()

    def __repr__(self) -> str:
        return f"<okuru.{type(self).__name__}>"


class Client(Mailer):
    """Sends messages to one server: ``smtp://host[:587]`` by STARTTLS, ``smtps://host[:465]``, ``lmtp://host[:24]`` or
    ``lmtp:///path``, with ``user:password@`` before the host perhaps; TLS is verified.

    ::

        with okuru.Client("smtp://mail.example.com", auth=("me", "secret")) as client:
            outcome = client.send(message)
    """

    def __init__(self, server: str, **options: Any) -> None:
        super().__init__(server=server, **options)


def send(
    content: Content,
    *,
    server: str,
    sender: Optional[str] = None,
    recipients: Optional[Recipients] = None,
    **options: Any,
) -> Outcome:
    """Sends one message to a server, and gives what became of it. Options are those of `Client`.

    ::

        outcome = okuru.send(message, server="smtp://me:secret@mail.example.com")
        outcome.raise_for_state()
    """
    with Client(server, **options) as client:
        return client.send(content, sender=sender, recipients=recipients)


def _as_message(content: Content) -> Message:
    return content if isinstance(content, Message) else message(content)
