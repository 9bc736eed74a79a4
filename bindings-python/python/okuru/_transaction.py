"""One message by the engine, over a socket that blocks and in a session that is open already, in the words of ``smtplib``."""

from __future__ import annotations

import selectors
import socket
import ssl
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused, SMTPServerDisconnected, quoteaddr
from time import monotonic_ns
from typing import Any, Callable, Optional, Sequence, Union

from okuru._errors import Error
from okuru._okuru import Connection, Message, Outcome, Recipient, Reply

#: What is told of the dialogue: ``send`` or ``reply``, and the bytes.
Debug = Optional[Callable[[str, bytes], None]]

#: A reply: its code, and the text of its lines joined by LF.
Answer = tuple[int, bytes]

#: Who was refused, and why.
Refused = dict[str, Answer]

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

#: How much is read, joined for one write, or handed to the machine at once.
_MUCH = 256 << 10


class Transaction:
    """Sends one message by a machine that is ready.

    Writing does not wait for reading: where the server takes no more since nobody reads its replies, they are read
    (RFC 2920 §3.1).
    """

    def __init__(self, sock: Any, machine: Connection, debug: Debug = None) -> None:
        self._sock = sock
        self._machine = machine
        self._debug = debug
        self._timeout: Optional[float] = sock.gettimeout()
        self._deadline: Optional[int] = None
        self._outcome: Optional[Outcome] = None

    def send(self, letter: Message, content: bytes) -> Outcome:
        """Sends it, and gives what became of it. Then ``machine.is_closed`` says whether the session is over."""
        self._machine.submit(monotonic_ns(), letter)
        try:
            while True:
                pieces = self._said(content)
                if self._outcome is not None and (not pieces or self._machine.is_closed):
                    return self._outcome
                try:
                    if pieces:
                        self._write(pieces)
                    else:
                        self._read()
                except socket.timeout:
                    self._machine.failed("timeout.reply", "the server said nothing in time")
                except OSError as error:
                    self._machine.failed("connect.lost", f"the connection broke: {error}")
        finally:
            self._sock.settimeout(self._timeout)

    def _said(self, content: bytes) -> list[Union[bytes, memoryview]]:
        """All that may go out now."""
        machine, now, view = self._machine, monotonic_ns(), memoryview(content)
        pieces: list[Union[bytes, memoryview]] = []
        while True:
            said = machine.poll(now)
            if said[0] == "write":
                pieces.append(said[1])
            elif said[0] == "write_body":
                pieces.append(view[said[2] : said[3]])
            elif said[0] == "read_body":
                chunk = content[said[2] : said[2] + _MUCH]
                if chunk:
                    machine.content(now, said[1], chunk)
                else:
                    machine.content_end(now, said[1])
            elif said[0] == "finished":
                self._outcome = said[1]
            elif said[0] == "wait":
                self._deadline = said[1]
                return pieces
            elif said[0] == "closed":
                return pieces

    def _write(self, pieces: list[Union[bytes, memoryview]]) -> None:
        if sum(map(len, pieces)) <= _MUCH:
            pieces = [b"".join(pieces)]
        self._sock.settimeout(0)
        for piece in pieces:
            if self._debug:
                self._debug("send", bytes(piece))
            rest = memoryview(piece)
            while rest:
                try:
                    sent = self._sock.send(rest)
                except _WOULD_BLOCK:
                    self._wait_for_room()
                    if self._machine.is_closed:
                        return
                else:
                    self._machine.written(monotonic_ns(), sent)
                    rest = rest[sent:]

    def _wait_for_room(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            ready = selector.select(self._timeout)
        if not ready:
            raise socket.timeout
        if any(events & selectors.EVENT_READ for _, events in ready):
            try:
                self._receive(self._sock.recv(_MUCH))
            except _WOULD_BLOCK:
                pass

    def _read(self) -> None:
        left = None if self._deadline is None else max((self._deadline - monotonic_ns()) / 1e9, 0.001)
        patience = [time for time in (left, self._timeout) if time is not None]
        self._sock.settimeout(min(patience, default=None))
        self._receive(self._sock.recv(_MUCH))

    def _receive(self, data: bytes) -> None:
        if self._debug:
            self._debug("reply", data)
        if data:
            self._machine.receive(monotonic_ns(), data)
        else:
            self._machine.receive_eof(monotonic_ns())


def letter(
    sender: str, to: Sequence[str], content: bytes, mail_options: Sequence[str], rcpt_options: Sequence[str]
) -> Optional[Message]:
    """The message for the engine; None if its addresses or options are in no RFC."""
    options: dict[str, Any] = {"keep_bcc": True, "smtputf8": "require" if asks_for_utf8(mail_options) else "never"}
    parameters = []
    for option in mail_options:
        keyword, _, value = option.partition("=")
        if keyword.upper() == "BODY":
            options["body"] = value.lower()
        elif keyword.upper() != "SMTPUTF8":
            parameters.append(option)
    try:
        recipients = [Recipient(quoteaddr(each), param=list(rcpt_options)) for each in to]
        return Message(content, sender=quoteaddr(sender), recipients=recipients, param=parameters, **options)
    except Error:
        return None


def asks_for_utf8(options: Sequence[str]) -> bool:
    """Whether the options of MAIL say SMTPUTF8."""
    return any(option.upper() == "SMTPUTF8" for option in options)


def answer(reply: Reply) -> Answer:
    """A reply as ``smtplib`` tells it."""
    return reply.code, b"\n".join(line[4:].strip(b" \t\r\n") for line in reply.raw.split(b"\n")[:-1])


def verdict(outcome: Outcome, sender: str, to: list[str]) -> Refused:
    """Who was refused, or the exception if nobody was taken."""
    error = outcome.error
    if error is None:
        return {}
    refused: Refused = {}
    for address, each in zip(to, outcome.recipients):
        if each.state != "accepted":
            # RFC 5321 §3.8: a connection that is lost counts as a 451.
            refused[address] = answer(each.reply) if each.reply else (451, str(error.what).encode())
    if outcome.state == "partial":
        return refused
    if error.reply is None or error.code.startswith(("connect.", "protocol.", "timeout.")):
        raise SMTPServerDisconnected(str(error)) from error
    code, text = answer(error.reply)
    if error.step == "at MAIL":
        raise SMTPSenderRefused(code, text, sender)
    if error.step in (None, "at RCPT"):
        raise SMTPRecipientsRefused(refused)
    raise SMTPDataError(code, text)
