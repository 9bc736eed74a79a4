"""The sinks."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import tempfile
import threading
from types import TracebackType
from typing import Any, Callable, Iterable, Mapping, Optional, TypeVar

from okuru._errors import error
from okuru._okuru import Receiver
from okuru.testing._message import Received
from okuru.testing._server import Server

SyncSelf = TypeVar("SyncSelf", bound="Sink")
AsyncSelf = TypeVar("AsyncSelf", bound="AsyncSink")


class _Sink:
    """What both kinds have in common."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: Optional[str] = None,
        lmtp: bool = False,
        tls: str = "none",
        ssl_context: Optional[ssl.SSLContext] = None,
        users: Optional[Mapping[str, str]] = None,
        allow_plaintext_auth: bool = False,
        domains: Iterable[str] = (),
        size: int = 50 << 20,
        recipients: int = 1000,
        offer: Optional[Iterable[str]] = None,
        faults: Iterable[str] = (),
    ) -> None:
        users = dict(users or {})
        faults = [faults] if isinstance(faults, str) else list(faults)
        self._receiver = Receiver(
            os.urandom(32 * (len(users) + 1)),
            lmtp=lmtp,
            tls=tls,
            users=list(users.items()),
            allow_plaintext_auth=allow_plaintext_auth,
            domains=list(domains),
            size=size,
            recipients=recipients,
            offer=None if offer is None else list(offer),
            faults=faults,
            trace=True,
        )
        if ssl_context is not None and tls == "none":
            raise error("usage", "an ssl_context is of no use without tls")
        self._tls, self._given, self._faults = tls, ssl_context, faults
        self._place = (host, port)
        self._path, self._lmtp = path, lmtp
        self._lock = threading.Lock()
        self._messages: list[Received] = []
        self._lines: list[str] = []
        self._waiting: list[Callable[[], None]] = []
        self._server: Optional[Server] = None
        #: Where it listens, once it has begun: a host and a port. With ``path`` the port is 0.
        self.host, self.port = self._place
        #: The certificate of the authority that clients trust, in PEM, if one was made; and a file that holds it.
        self.ca_pem: Optional[str] = None
        self.ca: Optional[str] = None

    @property
    def url(self) -> str:
        """For ``server=`` of okuru's clients; ``tls`` and ``ca`` have to be said besides: see `options`."""
        if self._path is not None:
            return f"lmtp://{self._path}"
        scheme = "lmtp" if self._lmtp else "smtps" if self._tls == "implicit" else "smtp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """Options of okuru's clients for this sink: ``okuru.Client(sink.url, **sink.options)``."""
        if self._tls == "none":
            return {"tls": "none"}
        options = {"tls": "implicit" if self._tls == "implicit" else "starttls"}
        return options if self.ca is None else {**options, "ca": self.ca}

    @property
    def messages(self) -> list[Received]:
        """All messages that have arrived, in this order."""
        with self._lock:
            return list(self._messages)

    @property
    def dialogue(self) -> list[str]:
        """What has been said, such as ``0 C: QUIT``: the number of the connection, and who speaks. Secrets are hidden."""
        with self._lock:
            return list(self._lines)

    def clear(self) -> None:
        """Forgets what has arrived."""
        with self._lock:
            self._messages.clear()
            self._lines.clear()

    def _start(self) -> None:
        if self._server is not None:
            raise error("usage", "this sink has begun already")
        contexts = self._certificates()
        listener = self._listen()
        self._server = Server(listener, self._receiver, contexts, self._take, self._tell)
        self._server.start()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        for path in (self.ca, self._path):
            if path is not None and os.path.exists(path):
                os.unlink(path)
        self.ca = None

    def _listen(self) -> socket.socket:
        if self._path is not None:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self._path)
            listener.listen(128)
            return listener
        host, port = self._place
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
        self.host, self.port = listener.getsockname()[:2]
        return listener

    def _certificates(self) -> tuple[Optional[ssl.SSLContext], Optional[ssl.SSLContext]]:
        is_wrong = any(fault.startswith("wrong-certificate") for fault in self._faults)
        if self._tls == "none" or (self._given is not None and not is_wrong):
            return self._given, None
        from okuru.testing._certificate import Authority

        authority = Authority()
        self.ca_pem = authority.pem
        with tempfile.NamedTemporaryFile("w", prefix="okuru-sink-", suffix=".pem", delete=False) as file:
            file.write(authority.pem)
        self.ca = file.name
        usual = self._given or authority.context("localhost", "127.0.0.1", "::1")
        return usual, authority.context("wrong.invalid")

    def _take(self, message: dict[str, Any]) -> None:
        received = Received(**message)
        with self._lock:
            self._messages.append(received)
            waiting = list(self._waiting)
        for wake in waiting:
            wake()

    def _tell(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)

    def _on_message(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(wake)

    def _forget(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.remove(wake)

    def _missing(self, count: int, timeout: float) -> Exception:
        what = f"{len(self.messages)} of {count} messages arrived within {timeout:g} seconds"
        return error("timeout.deadline", what)

    def __repr__(self) -> str:
        state = "" if self._server is not None else " stopped"
        return f"<okuru.testing.{type(self).__name__} {self.url}{state}>"


class Sink(_Sink):
    """A server that takes messages into memory, in a thread; to be used with ``with``.

    ========================  ==========================================================================
    ``host``, ``port``        where it listens; port 0 is any that is free
    ``path``                  a Unix socket in place of these; needs ``lmtp``
    ``lmtp``                  speak LMTP
    ``tls``                   ``none``, ``starttls``, ``required`` (nothing is taken before) or ``implicit``
    ``ssl_context``           how; otherwise a certificate is made, whose authority is in the file ``ca``
    ``users``                 names and passwords of those who can log in; then only they may send
    ``allow_plaintext_auth``  dangerous: passwords may come without TLS
    ``domains``               mail for these is taken from anyone
    ``size``, ``recipients``  how large a message may be, and how many recipients it may have
    ``offer``                 the only extensions to offer
    ``faults``                what goes wrong, as ``okuru sink --fault`` has it: ``NAME[=VALUE][@STAGE][:EVERY]``
    ========================  ==========================================================================

    ::

        with Sink(users={"ann": "secret"}, tls="starttls", faults=["defer@mail:3"]) as sink:
            okuru.send(message, server=sink.url, auth=("ann", "secret"), **sink.options)
            (received,) = sink.wait_for(1)
    """

    def wait_for(self, count: int, timeout: float = 10) -> list[Received]:
        """All messages, once there are so many.

        Raises `okuru.TimeoutError` (``timeout.deadline``) if they have not arrived after ``timeout`` seconds.
        """
        arrived = threading.Event()

        def wake() -> None:
            if len(self.messages) >= count:
                arrived.set()

        self._on_message(wake)
        try:
            wake()
            if not arrived.wait(timeout):
                raise self._missing(count, timeout)
            return self.messages
        finally:
            self._forget(wake)

    def start(self) -> None:
        """Begins, where ``with`` does not fit."""
        self._start()

    def stop(self) -> None:
        """Ends, and frees the port."""
        self._stop()

    def __enter__(self: SyncSelf) -> SyncSelf:
        self._start()
        return self

    def __exit__(
        self, _: Optional[type[BaseException]], __: Optional[BaseException], ___: Optional[TracebackType]
    ) -> None:
        self._stop()


class AsyncSink(_Sink):
    """As `Sink`, for asyncio and trio; to be used with ``async with``.

    It serves its clients in a thread of its own too, so that nothing in your event loop can hold it up.
    """

    async def wait_for(self, count: int, timeout: float = 10) -> list[Received]:
        """All messages, once there are so many; as `Sink.wait_for`."""
        if _is_trio():
            import trio

            token, event = trio.lowlevel.current_trio_token(), trio.Event()

            def wake() -> None:
                if len(self.messages) >= count:
                    token.run_sync_soon(event.set)

            self._on_message(wake)
            try:
                wake()
                with trio.move_on_after(timeout):
                    await event.wait()
            finally:
                self._forget(wake)
        else:
            await self._wait_on_asyncio(count, timeout)
        messages = self.messages
        if len(messages) < count:
            raise self._missing(count, timeout)
        return messages

    async def _wait_on_asyncio(self, count: int, timeout: float) -> None:
        import asyncio

        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if len(self.messages) >= count:
                loop.call_soon_threadsafe(event.set)

        self._on_message(wake)
        try:
            wake()
            await asyncio.wait_for(event.wait(), timeout)
        except asyncio.TimeoutError:
            pass  # Whoever asks looks at what is there.
        finally:
            self._forget(wake)

    async def __aenter__(self: AsyncSelf) -> AsyncSelf:
        self._start()
        return self

    async def __aexit__(
        self, _: Optional[type[BaseException]], __: Optional[BaseException], ___: Optional[TracebackType]
    ) -> None:
        # Clients that are left have two seconds; whoever closes them first does not wait.
        self._stop()


def _is_trio() -> bool:
    if "trio" not in sys.modules:
        return False
    import trio

    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True
