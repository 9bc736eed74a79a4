"""What every client does with what the machine says, whoever waits for it.

A `Driver` never waits. It hands in what has come, takes one step of the machine, writes, and asks its `Host` for what takes
time: watching sockets, looking up names, getting tokens. The hosts are thin: `_blocking.py`, `_asyncio.py`, `_trio.py`.
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
from functools import partial
from time import monotonic_ns
from typing import Any, Callable, Iterator, Optional, Protocol

from okuru import _dns, _opening
from okuru._content import AsyncSource, Source
from okuru._link import READ, Link, broken
from okuru._okuru import Mailer, Message, Outcome
from okuru._opening import Opening
from okuru._settings import Settings

log = logging.getLogger("okuru")

#: What was written is told to the machine with what comes next; when nothing comes, after this time.
SETTLE = 20_000_000

#: So many messages are taken at once, so that those who wait for outcomes get their turn.
MOST_TAKEN = 1000

#: More are taken when so many have ended, since one by one costs a call each; and while there are fewer under way.
FEW = 250


class Host(Protocol):
    """What waits."""

    def on_readable(self, sock: Any, callback: Optional[Callable[[], None]]) -> None:
        """Calls back whenever there is something to be read; never again if there is nothing to call."""

    def on_writable(self, sock: Any, callback: Optional[Callable[[], None]]) -> None:
        """The same when something can be written."""

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], *, blocks: bool) -> Callable[[], Any]:
        """Does work, and calls back later with what it gave or raised. Either it blocks, or it gives what is to be awaited.

        Gives what cancels it.
        """

    def wake_at(self, deadline: int) -> None:
        """Calls `Driver.time_passed` at this moment at the latest."""


class Call:
    """Messages that are sent together, and what has become of them."""

    def __init__(self, number: int, messages: Iterator[Message]) -> None:
        self.number = number
        self.messages = messages
        self.taken = 0
        self.ended = 0
        #: How many had to end before more are taken.
        self.until = 0
        #: All messages have been taken.
        self.is_all = False
        #: Those that have not been handed on.
        self.outcomes: list[Outcome] = []
        self.wake: Optional[Callable[[], None]] = None

    @property
    def is_over(self) -> bool:
        """Whether every message has ended."""
        return self.is_all and self.ended == self.taken


class Driver:
    """The machine of a mailer, its connections, and those who wait for outcomes."""

    def __init__(self, settings: Settings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self.machine = Mailer(
            seed=int.from_bytes(os.urandom(8), "little"), host_name=socket.gethostname(), **settings.for_core
        )
        self.machine.observe(log.isEnabledFor(logging.INFO) or settings.trace is not None)
        self.is_done = False
        #: Told when all is over.
        self.on_done: Optional[Callable[[], None]] = None
        self.deadline: Optional[int] = None
        self._links: dict[int, Link] = {}
        self._openings: dict[int, Opening] = {}
        #: Names that are being looked up, by connection: when that has to be over.
        self._look_ups: dict[int, tuple[str, int]] = {}
        self._calls: dict[int, Call] = {}
        self._numbers = 0
        #: It has written, and the machine does not know yet.
        self._unsettled: Optional[Link] = None
        #: `time_passed` will come soon enough to settle that.
        self._is_settling = False
        self._given = settings.sock

    # What users want.

    def begin(self, messages: Iterator[Message]) -> Call:
        """Messages are to be sent. They are taken by `feed`."""
        self._numbers += 1
        call = Call(self._numbers, messages)
        self._calls[call.number] = call
        return call

    def feed(self, call: Call, most: int = MOST_TAKEN) -> None:
        """Takes messages of a call while they are wanted, and goes on."""
        if call.is_all or call.ended < call.until or not self.machine.wants_message:
            return
        taken, call.is_all = self.machine.submit(monotonic_ns(), call.number, call.taken, call.messages, most)
        call.taken += taken
        call.until = call.ended + FEW if call.taken - call.ended > FEW else 0
        if taken:
            self.advance()

    def leave(self, call: Call) -> None:
        """Nobody waits for the outcomes of this call any more: what has not ended is cancelled."""
        if self._calls.pop(call.number, None) is not None and not (call.taken == call.ended):
            self.machine.cancel(monotonic_ns(), call.number)
            self.advance()

    def finish(self) -> None:
        """What is there is sent, then everything is closed."""
        self.machine.finish()
        self.advance()

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for outcomes."""
        return bool(self._calls)

    def abandon(self) -> None:
        """Closes all sockets at once."""
        for link in list(self._links.values()):
            self._close(link)
        for opening in self._openings.values():
            if opening.socket is not None:
                self.host.on_writable(opening.socket, None)
            opening.close()
        self._openings.clear()
        self._look_ups.clear()
        self.is_done = True

    # What comes.

    def advance(self, number: int = 0, written: int = 0, data: Optional[bytes] = None) -> None:
        """Hands in what has been written and has come, and does what there is to do, until it has to wait."""
        links = self._links
        while True:
            writes, asks, outcomes, events, deadline, goes_on, is_done = self.machine.step(
                monotonic_ns(), number, written, data
            )
            again = False
            for number_of, _, pieces in writes:
                link = links.get(number_of)
                if link is not None:
                    self._write(link, pieces)
                    if goes_on and not link.is_blocked:
                        again = True
            for ask in asks:
                if self._do(ask):
                    again = True
            if events:
                self._tell(events)
            if outcomes:
                self._deliver(outcomes)
            if not again:
                break
            self._settle()
            number, written, data = 0, 0, None
        if is_done:
            self.is_done = True
            if self.on_done is not None:
                self.on_done()
        before, self.deadline = self.deadline, deadline
        if deadline is not None and (before is None or deadline < before):
            self.host.wake_at(deadline)

    def time_passed(self) -> None:
        """A moment has come that `Host.wake_at` was told, or an earlier one."""
        now = monotonic_ns()
        self._is_settling = False
        self._settle()
        for number, opening in list(self._openings.items()):
            if now >= opening.until:
                self._next_place(opening, number, "timeout.connect", "no connection in time")
        for number, (host, deadline) in list(self._look_ups.items()):
            if now >= deadline:
                del self._look_ups[number]
                self.machine.failed(now, number, "timeout.connect", f"{host} was not found in time")
        if self.deadline is not None and now >= self.deadline:
            self.machine.deadline_passed(now)
        self.deadline = None
        self.advance()
        for opening in self._openings.values():
            self.host.wake_at(opening.until)
        for _, deadline in self._look_ups.values():
            self.host.wake_at(deadline)

    def readable(self, link: Link) -> None:
        """There is something to be read."""
        try:
            data = link.socket.recv(READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as failed:
            self._lose(link, *broken(failed))
            self.advance()
            return
        if link.is_deaf:
            return
        if link.tls is not None:
            self._readable_tls(link, data)
        elif data:
            written, link.written = link.written, 0
            if self._unsettled is link:
                self._unsettled = None
            self.advance(link.number, written, data)
        else:
            self._end(link)

    def writable(self, link: Link) -> None:
        """What was pending can be written."""
        try:
            link.flush()
        except OSError as failed:
            return self._broken_by_writing(link, failed)
        if not link.is_blocked:
            self.host.on_writable(link.socket, None)
            self._read_owed(link)
        self._settle(link)
        return self.advance()

    # Bytes.

    def _write(self, link: Link, pieces: list[Any]) -> None:
        was_blocked = link.is_blocked
        try:
            link.write(pieces)
        except OSError as failed:
            self._broken_by_writing(link, failed)
            return
        if link.is_blocked and not was_blocked:
            self.host.on_writable(link.socket, partial(self.writable, link))
        if self._unsettled is not link:
            self._settle()
            self._unsettled = link
        if not self._is_settling:
            self._is_settling = True
            self.host.wake_at(monotonic_ns() + SETTLE)

    def _settle(self, link: Optional[Link] = None) -> None:
        """Tells the machine what has been written."""
        for unsettled in {id(it): it for it in (self._unsettled, link) if it is not None}.values():
            written, unsettled.written = unsettled.written, 0
            if written:
                self.machine.written(monotonic_ns(), unsettled.number, written)
        self._unsettled = None

    def _broken_by_writing(self, link: Link, failed: OSError) -> None:
        self._settle(link)
        try:  # The server may have said why it takes no more.
            words = link.socket.recv(READ)
        except OSError:
            words = b""
        if words and link.tls is None:
            self.machine.receive(monotonic_ns(), link.number, words)
        self._lose(link, *broken(failed))

    def _end(self, link: Link) -> None:
        """The other side has closed."""
        self._settle(link)
        self._deafen(link)
        if link.tls is not None and not link.tls.is_over:
            self._lose(link, "connect.lost", "the connection was closed without the end of TLS")
        else:
            self.machine.receive_eof(monotonic_ns(), link.number)
        self.advance()

    def _lose(self, link: Link, code: str, what: str) -> None:
        self._settle(link)
        link.drop()
        self.host.on_writable(link.socket, None)
        self._deafen(link)
        self.machine.failed(monotonic_ns(), link.number, code, what)

    def _deafen(self, link: Link) -> None:
        if not link.is_deaf:
            link.is_deaf = True
            self.host.on_readable(link.socket, None)

    def _close(self, link: Link) -> None:
        del self._links[link.number]
        self._deafen(link)
        self.host.on_writable(link.socket, None)
        link.socket.close()
        if self._unsettled is link:
            self._unsettled = None

    # TLS.

    def _start_tls(self, link: Link, server_name: str, verify: bool) -> None:
        from okuru._tls import TlsLayer, failure

        self._settle(link)
        try:
            link.tls = TlsLayer(self.settings.tls.context(verify), server_name)
        except (OSError, ValueError) as failed:
            return self._lose(link, *failure(failed))
        return self._shake(link)

    def _shake(self, link: Link) -> None:
        from okuru._tls import failure

        assert link.tls is not None
        try:
            is_done = link.tls.handshake()
        except OSError as failed:
            try:
                link.say(link.tls.take())
            except OSError:
                pass  # Nobody hears why.
            return self._lose(link, *failure(failed))
        try:
            link.say(link.tls.take())
        except OSError as broken_by:
            return self._broken_by_writing(link, broken_by)
        if link.is_blocked:
            self.host.on_writable(link.socket, partial(self.writable, link))
        if is_done:
            self.machine.tls_started(monotonic_ns(), link.number, link.tls.verified, link.tls.channel_binding)
        return None

    def _readable_tls(self, link: Link, data: bytes) -> None:
        from okuru._tls import failure

        assert link.tls is not None
        if not data:
            return self._end(link)
        link.tls.feed(data)
        if not link.tls.is_established:
            self._shake(link)
            if link.is_deaf or not link.tls.is_established:
                return self.advance()
            self.advance()
        try:
            plaintext = link.tls.read()
            link.say(link.tls.take())
        except OSError as failed:
            self._lose(link, *failure(failed))
            return self.advance()
        written, link.written = link.written, 0
        if plaintext:
            self.advance(link.number, written, plaintext)
        elif written:
            self.machine.written(monotonic_ns(), link.number, written)
        if link.tls.is_over and not link.is_deaf:
            self._end(link)
        return None

    # What the machine asks for. Each says whether the machine may have more to say.

    def _do(self, ask: tuple[Any, ...]) -> bool:
        kind, number, *about = ask
        if kind == "read":
            return self._read(number, *about)
        if kind == "open":
            return self._open(number, *about)
        if kind == "open_path":
            return self._open_path(number, *about)
        if kind == "resolve":
            return self._resolve(number, *about)
        link = self._links.get(number)
        if kind == "close":
            self._look_ups.pop(number, None)
            opening = self._openings.pop(number, None)
            if opening is not None and opening.socket is not None:
                self.host.on_writable(opening.socket, None)
                opening.close()
            if link is not None:
                self._close(link)
        elif kind == "start_tls" and link is not None:
            self._start_tls(link, *about)
            return True
        elif kind == "get_token":
            self._get_token(number)
        return False

    def _open(self, number: int, server: str, host: str, port: int, addresses: list[str]) -> bool:
        now = monotonic_ns()
        if self._given is not None:
            given, self._given = self._given, None
            given.setblocking(False)
            self._opened(number, server, given)
            return True
        deadline = now + int(self.machine.connect_timeout * 1e9)
        known = [place for place in (_opening.literal(each, port) for each in addresses or [host]) if place]
        if known:
            return self._begin(Opening(number, server, known, self.machine.source_address, deadline))
        self._look_ups[number] = (host, deadline)
        self.host.wake_at(deadline)
        self.host.run(
            lambda: _opening.look_up(host, port),
            lambda found: self._looked_up(number, server, host, deadline, found),
            blocks=True,
        )
        return True

    def _looked_up(self, number: int, server: str, host: str, deadline: int, found: Any) -> None:
        if self._look_ups.pop(number, None) is None:
            return
        if isinstance(found, BaseException):
            is_final = getattr(found, "errno", None) in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
            code, why = ("dns.no_such_host", "is not known") if is_final else ("dns.temporary", "could not be looked up")
            self.machine.failed(monotonic_ns(), number, code, f"the host {host} {why}")
        else:
            self._begin(Opening(number, server, found, self.machine.source_address, deadline))
        self.advance()

    def _open_path(self, number: int, server: str, path: str) -> bool:
        deadline = monotonic_ns() + int(self.machine.connect_timeout * 1e9)
        return self._begin(Opening(number, server, [(socket.AF_UNIX, path)], None, deadline))

    def _begin(self, opening: Opening) -> bool:
        """Tries the next place."""
        if opening.begin(monotonic_ns()):
            self._openings[opening.number] = opening
            self.host.on_writable(opening.socket, lambda: self._connected(opening))
            self.host.wake_at(opening.until)
            return False
        self._openings.pop(opening.number, None)
        self.machine.failed(monotonic_ns(), opening.number, *opening.failure)
        return True

    def _next_place(self, opening: Opening, number: int, code: str, what: str) -> None:
        self.host.on_writable(opening.socket, None)
        opening.close()
        opening.failure = (code, what)
        self._begin(opening)

    def _connected(self, opening: Opening) -> None:
        sock = opening.socket
        self.host.on_writable(sock, None)
        if opening.is_connected():
            del self._openings[opening.number]
            self._opened(opening.number, opening.server, sock)
        else:
            self._begin(opening)
        self.advance()

    def _opened(self, number: int, server: str, sock: Any) -> None:
        link = Link(number, sock, server)
        self._links[number] = link
        self.machine.opened(monotonic_ns(), number, os.urandom(24), _opening.local_address(sock))
        self.host.on_readable(sock, partial(self.readable, link))

    def _get_token(self, number: int) -> None:
        source = self.settings.token

        def done(token: Any) -> None:
            if isinstance(token, str):
                self.machine.token(monotonic_ns(), number, token)
            else:
                self.machine.failed(monotonic_ns(), number, "auth.token", f"no token could be had: {type(token).__name__}")
            self.advance()

        if source is None:
            self.machine.failed(monotonic_ns(), number, "auth.token", "nobody gives a token")
        else:
            self.host.run(source, done, blocks=not inspect.iscoroutinefunction(source))

    def _resolve(self, look_up: int, name: str, kind: str) -> bool:
        def done(answer: Any) -> None:
            if isinstance(answer, BaseException):
                log.info("the look-up of %s %s failed: %s", kind, name, answer)
                answer = {"none": "failed"}
            self.machine.dns_answer(look_up, **answer)
            self.advance()

        self.host.run(lambda: _dns.look_up(name, kind, self.settings.dns), done, blocks=True)
        return True

    # Contents that come piece by piece.

    def _read(self, number: int, message: int, offset: int) -> bool:
        link = self._links.get(number)
        if link is None:
            return False
        if link.is_full:
            link.owed.append((message, offset))
            return False
        source = self.machine.source(message)
        if isinstance(source, AsyncSource):
            self.host.run(
                lambda: source.aread(offset),
                lambda chunk: self._read_later(link, message, offset, chunk),
                blocks=False,
            )
            return False
        if isinstance(source, Source):
            self._hand_in(link, message, offset, self._chunk(source, offset))
        return True

    def _read_later(self, link: Link, message: int, offset: int, chunk: Any) -> None:
        self._hand_in(link, message, offset, chunk)
        self.advance()

    @staticmethod
    def _chunk(source: Source, offset: int) -> Any:
        try:
            return source.read(offset)
        except Exception as failed:
            return failed

    def _hand_in(self, link: Link, message: int, offset: int, chunk: Any) -> None:
        if isinstance(chunk, BaseException):
            self.machine.content_failed(link.number, message, f"the content can't be read: {chunk}")
        elif chunk:
            link.take(message, offset, chunk)
            self.machine.content(monotonic_ns(), link.number, message, chunk)
        else:
            self.machine.content_end(monotonic_ns(), link.number, message)
            link.forget(message)

    def _read_owed(self, link: Link) -> None:
        while link.owed and not link.is_full:
            self._read(link.number, *link.owed.popleft())

    # What is told.

    def _deliver(self, outcomes: list[Outcome]) -> None:
        if len(self._calls) == 1:
            (call,) = self._calls.values()
            if outcomes[0]._call == call.number and outcomes[-1]._call == call.number:
                call.outcomes.extend(outcomes)
                call.ended += len(outcomes)
                self._delivered(call)
                return
        for outcome in outcomes:
            found = self._calls.get(outcome._call)
            if found is not None:
                found.outcomes.append(outcome)
                found.ended += 1
                self._delivered(found)

    def _delivered(self, call: Call) -> None:
        if call.wake is not None:
            call.wake()
        if call.is_over:
            self._calls.pop(call.number, None)

    def _tell(self, events: list[tuple[str, str, str]]) -> None:
        for kind, about, text in events:
            if kind == "trace":
                if self.settings.trace is not None:
                    self.settings.trace(text)
                log.debug("%s %s", about, text)
            elif kind in ("failed", "resting", "slowed", "fell_back"):
                log.warning("%s %s: %s", about, kind.replace("_", " "), text)
            else:
                log.info("%s %s: %s", about, kind.replace("_", " "), text)


async def awaited(work: Callable[[], Any]) -> Any:
    """What work gives, awaited where it has to be."""
    result = work()
    return await result if inspect.isawaitable(result) else result


__all__ = ["Call", "Driver", "Host", "awaited"]
