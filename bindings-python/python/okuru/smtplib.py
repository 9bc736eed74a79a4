"""The standard library's ``smtplib`` on okuru's engine: ``from okuru import smtplib`` in place of ``import smtplib``.

Names, arguments, results and exceptions are those of the standard library; the exceptions are the very same classes.

Better without being asked: ``sendmail`` and ``send_message`` pipeline where the server offers it, so that a message takes two
round trips however many recipients it has; ``login`` also knows SCRAM; LMTP's reply for each recipient is read; replies are
bounded.

Different on purpose:

- Without a ``context``, TLS verifies the server's certificate. For a server that can't be verified, pass a context that says so.
- ``login`` does not send credentials to another machine without TLS, unless ``allow_plaintext_auth`` is set to True.
- No bare CR or LF leaves: in bytes too they become CR LF.
- Bytes behind the reply to STARTTLS end the connection, and so does what is no reply.
- Recipients who are too many for one transaction (452) are sent to in another.
- ``SIZE`` is what is sent, and ``BODY=8BITMIME`` is declared where the content needs it.
"""

from __future__ import annotations

import base64
import copy
import datetime
import email.generator
import email.utils
import io
import ipaddress
import os
import socket
import ssl
import sys
import warnings
from email.message import Message as EmailMessage
from smtplib import (
    CRLF,
    LMTP_PORT,
    SMTP_PORT,
    SMTP_SSL_PORT,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    bCRLF,
    quoteaddr,
    quotedata,
)
from types import TracebackType
from typing import Any, Callable, Optional, Sequence, TypeVar, Union

from okuru._errors import Error, LimitError
from okuru._okuru import (
    Connection,
    Message,
    Reply,
    ReplyReader,
    SaslClient,
    dotted,
    offered,
    usable_mechanisms,
)
from okuru._transaction import Answer, Refused, Transaction, answer, asks_for_utf8, letter, verdict

__all__ = [
    "CRLF",
    "LMTP",
    "LMTP_PORT",
    "SMTP",
    "SMTPAuthenticationError",
    "SMTPConnectError",
    "SMTPDataError",
    "SMTPException",
    "SMTPHeloError",
    "SMTPNotSupportedError",
    "SMTPRecipientsRefused",
    "SMTPResponseException",
    "SMTPSenderRefused",
    "SMTPServerDisconnected",
    "SMTP_PORT",
    "SMTP_SSL",
    "SMTP_SSL_PORT",
    "bCRLF",
    "quoteaddr",
    "quotedata",
]

Self = TypeVar("Self", bound="SMTP")

_MAXLINE = 4096  # octets in a line of a reply
_MAXCHALLENGE = 5
_CHUNK = 64 << 10
_COMMAND_LINE = 512  # RFC 5321 §4.5.3.1.4
_DEFAULT_TIMEOUT: Any = getattr(socket, "_GLOBAL_DEFAULT_TIMEOUT")


class SMTP:
    """A session with an SMTP server.

    ``helo_resp`` and ``ehlo_resp`` are the last replies to HELO and EHLO; after EHLO ``does_esmtp`` is true, and
    ``esmtp_features`` has what the server offers, names in lower case. `sendmail` and `send_message` send a message;
    each command of SMTP has a method of its own beside them.
    """

    debuglevel = 0
    sock: Any = None
    file: Any = None
    helo_resp: Optional[bytes] = None
    ehlo_msg = "ehlo"
    ehlo_resp: Optional[bytes] = None
    does_esmtp = False
    default_port = SMTP_PORT
    #: Dangerous: log in to another machine without TLS. Everybody on the way can read or use the credentials.
    allow_plaintext_auth = False

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: Optional[str] = None,
        timeout: Optional[float] = _DEFAULT_TIMEOUT,
        source_address: Optional[tuple[str, int]] = None,
    ) -> None:
        """Connects, if a host is given. ``host`` may end in a port: ``mail.example.com:587``."""
        self._host = host
        self.timeout = timeout
        self.esmtp_features: dict[str, str] = {}
        self.command_encoding = "ascii"
        self.source_address = source_address
        self._auth_challenge_count = 0
        self._reader = ReplyReader()
        if host:
            code, text = self.connect(host, port)
            if code != 220:
                self.close()
                raise SMTPConnectError(code, text)
        self.local_hostname = _own_name() if local_hostname is None else local_hostname

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, _: Optional[type[BaseException]], __: Optional[BaseException], ___: Optional[TracebackType]
    ) -> None:
        try:
            code, text = self.docmd("QUIT")
            if code != 221:
                raise SMTPResponseException(code, text)
        except SMTPServerDisconnected:
            pass
        finally:
            self.close()

    def set_debuglevel(self, debuglevel: int) -> None:
        """1: the dialogue goes to stderr; 2: with the time of day."""
        self.debuglevel = debuglevel

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Optional[tuple[str, int]] = None
    ) -> Answer:
        """Connects to a host, and gives its greeting."""
        if source_address:
            self.source_address = source_address
        if not port and host.count(":") == 1:
            host, _, digits = host.partition(":")
            if not digits.isdigit():
                raise OSError("nonnumeric port")
            port = int(digits)
        port = port or self.default_port
        sys.audit("smtplib.connect", self, host, port)
        self.sock = self._get_socket(host, port, self.timeout)
        return self._greeting()

    def send(self, s: Union[str, bytes]) -> None:
        """Sends text or bytes as they are."""
        self._print_debug("send:", repr(s))
        if self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        data = s.encode(self.command_encoding) if isinstance(s, str) else s
        sys.audit("smtplib.send", self, data)
        try:
            self.sock.sendall(data)
        except OSError:
            self.close()
            raise SMTPServerDisconnected("Server not connected")

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Sends a command. ValueError if it has a CR or LF."""
        line = f"{cmd} {args}" if args else cmd
        if "\r" in line or "\n" in line:
            shown = line.replace("\n", "\\n").replace("\r", "\\r")
            raise ValueError(f"command and arguments contain prohibited newline characters: {shown}")
        self.send(f"{line}{CRLF}")

    def getreply(self) -> Answer:
        """Reads a reply. The code is -1 for what is none; then the connection is closed."""
        if self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        while True:
            try:
                reply = self._reader.next()
            except LimitError:
                self.close()
                raise SMTPResponseException(500, b"Line too long.")
            except Error as error:
                self.close()
                return -1, str(error.what).encode()
            if reply is not None:
                self._print_debug("reply:", reply.raw)
                return answer(reply)
            try:
                data = self.sock.recv(_CHUNK)
            except OSError as error:
                self.close()
                raise SMTPServerDisconnected(f"Connection unexpectedly closed: {error}")
            if not data:
                self.close()
                raise SMTPServerDisconnected("Connection unexpectedly closed")
            self._reader.receive(data)

    def docmd(self, cmd: str, args: str = "") -> Answer:
        """Sends a command, and gives the reply."""
        self.putcmd(cmd, args)
        return self.getreply()

    def helo(self, name: str = "") -> Answer:
        """HELO."""
        answer = self.docmd("helo", name or self.local_hostname)
        self.helo_resp = answer[1]
        return answer

    def ehlo(self, name: str = "") -> Answer:
        """EHLO: sets ``ehlo_resp``, and ``esmtp_features`` if the server knows it."""
        self.esmtp_features = {}
        code, self.ehlo_resp = self.docmd(self.ehlo_msg, name or self.local_hostname)
        if code == 250:
            self.does_esmtp = True
            *lines, last = self.ehlo_resp.split(b"\n")
            reply = Reply(b"".join(b"250-%b\r\n" % line for line in lines) + b"250 %b\r\n" % last)
            self.esmtp_features = {keyword.lower(): words for keyword, words in offered(reply)}
        return code, self.ehlo_resp

    def has_extn(self, opt: str) -> bool:
        """Whether the server offers an extension."""
        return opt.lower() in self.esmtp_features

    def help(self, args: str = "") -> bytes:
        """HELP: gives the text."""
        return self.docmd("help", args)[1]

    def rset(self) -> Answer:
        """RSET."""
        self.command_encoding = "ascii"
        return self.docmd("rset")

    def noop(self) -> Answer:
        """NOOP."""
        return self.docmd("noop")

    def mail(self, sender: str, options: Sequence[str] = ()) -> Answer:
        """MAIL. SMTPNotSupportedError if SMTPUTF8 is asked for and not offered."""
        if self.does_esmtp and asks_for_utf8(options):
            if not self.has_extn("smtputf8"):
                raise SMTPNotSupportedError("SMTPUTF8 not supported by server")
            self.command_encoding = "utf-8"
        return self.docmd("mail", f"from:{quoteaddr(sender)}{self._words(options)}")

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> Answer:
        """RCPT."""
        return self.docmd("rcpt", f"to:{quoteaddr(recip)}{self._words(options)}")

    def data(self, msg: Union[str, bytes]) -> Answer:
        """DATA and the content, whose lines get CR LF and dots; gives the last reply. SMTPDataError if DATA is refused."""
        code, text = self.docmd("data")
        if code != 354:
            raise SMTPDataError(code, text)
        self.send(dotted(_octets(msg)))
        return self.getreply()

    def verify(self, address: str) -> Answer:
        """VRFY."""
        return self.docmd("vrfy", email.utils.parseaddr(address)[1] or address)

    vrfy = verify

    def expn(self, address: str) -> Answer:
        """EXPN."""
        return self.docmd("expn", email.utils.parseaddr(address)[1] or address)

    def ehlo_or_helo_if_needed(self) -> None:
        """EHLO, or HELO if that is refused, unless one was said. SMTPHeloError if both are refused."""
        if self.helo_resp is None and self.ehlo_resp is None and not 200 <= self.ehlo()[0] <= 299:
            code, text = self.helo()
            if not 200 <= code <= 299:
                raise SMTPHeloError(code, text)

    def auth(self, mechanism: str, authobject: Callable[..., Any], *, initial_response_ok: bool = True) -> Answer:
        """AUTH by a mechanism of your own.

        ``authobject(challenge)`` gives the response, str or bytes before base64; called without an argument, the first
        response, or None if the server begins. SMTPAuthenticationError if the server refuses.
        """
        mechanism = mechanism.upper()
        first = _encoded(authobject()) if initial_response_ok else None
        # RFC 4954 §4: what does not fit into a command line waits for the challenge.
        late = first is not None and len(f"AUTH {mechanism} {first}{CRLF}") > _COMMAND_LINE
        self._auth_challenge_count = 0 if first is None or late else 1
        code, text = self.docmd("AUTH", mechanism if first is None or late else f"{mechanism} {first or '='}")
        while code == 334:
            self._auth_challenge_count += 1
            try:
                response = first if late else _encoded(authobject(base64.decodebytes(text)))
            except Error as error:
                self.docmd("*")  # RFC 4954 §4: the client cancels
                raise SMTPException(str(error)) from error
            late = False
            code, text = self.docmd(response or "")
            if self._auth_challenge_count > _MAXCHALLENGE:
                raise SMTPException(f"Server AUTH mechanism infinite loop. Last response: {(code, text)!r}")
        if code in (235, 503):
            return code, text
        raise SMTPAuthenticationError(code, text)

    def auth_cram_md5(self, challenge: Optional[bytes] = None) -> Optional[bytes]:
        """For `auth`: CRAM-MD5 with ``self.user`` and ``self.password``."""
        return None if challenge is None else self._exchange("CRAM-MD5").challenge(challenge)

    def auth_plain(self, challenge: Optional[bytes] = None) -> Optional[bytes]:
        """For `auth`: PLAIN with ``self.user`` and ``self.password``."""
        return self._exchange("PLAIN").initial_response()

    def auth_login(self, challenge: Optional[bytes] = None) -> str:
        """For `auth`: LOGIN with ``self.user`` and ``self.password``."""
        return self.user if challenge is None or self._auth_challenge_count < 2 else self.password

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> Answer:
        """Logs in by the strongest mechanism that both sides know; if the server refuses, by the next.

        SMTPAuthenticationError if it refuses them all, SMTPNotSupportedError if it offers no AUTH or is another machine
        without TLS, SMTPException if there is no common mechanism or the server can't prove that it knows the password.
        """
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("auth"):
            raise SMTPNotSupportedError("SMTP AUTH extension not supported by server.")
        if not (self.allow_plaintext_auth or self._is_private()):
            raise SMTPNotSupportedError("credentials would go over an unprotected connection: call starttls() first")
        self.user, self.password = user, password
        mechanisms = self.esmtp_features["auth"].split()
        try:
            usable = usable_mechanisms(mechanisms, user, password, channel_binding=self._channel_binding())
        except Error as error:
            raise SMTPException(str(error)) from error
        refused = SMTPException("No suitable authentication method found.")
        for mechanism in usable:
            try:
                return self._log_in(mechanism, initial_response_ok)
            except SMTPAuthenticationError as error:
                refused = error
        raise refused

    def starttls(
        self,
        keyfile: Optional[str] = None,
        certfile: Optional[str] = None,
        context: Optional[ssl.SSLContext] = None,
    ) -> Answer:
        """STARTTLS. Without a context, the server's certificate is verified; what was learnt before is forgotten."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls"):
            raise SMTPNotSupportedError("STARTTLS extension not supported by server.")
        context = _context(keyfile, certfile, context)
        code, text = self.docmd("STARTTLS")
        if code != 220:
            raise SMTPResponseException(code, text)
        if not self._reader.is_empty:
            self.close()
            raise SMTPServerDisconnected("bytes arrived behind the reply to STARTTLS, before TLS")
        self.sock = context.wrap_socket(self.sock, server_hostname=self._host)
        self._forget()
        return code, text

    def sendmail(
        self,
        from_addr: str,
        to_addrs: Union[str, Sequence[str]],
        msg: Union[str, bytes],
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refused:
        """Sends a message, and gives who was refused: ``{address: (code, text)}``.

        SMTPSenderRefused, SMTPRecipientsRefused if all were refused, SMTPDataError; SMTPNotSupportedError if SMTPUTF8 is
        asked for and not offered; SMTPServerDisconnected if the connection broke. After the others it is still there, but
        for a 421.
        """
        self.ehlo_or_helo_if_needed()
        content = _octets(msg)
        to = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
        if not self.does_esmtp:
            mail_options = rcpt_options = ()
        message = self._letter(from_addr, to, content, mail_options, rcpt_options)
        refused = None if message is None else self._send(message, content, from_addr, to)
        if refused is None:
            refused = self._send_by_steps(from_addr, to, content, mail_options, rcpt_options)
        return refused

    def send_message(
        self,
        msg: EmailMessage,
        from_addr: Optional[str] = None,
        to_addrs: Union[None, str, Sequence[str]] = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refused:
        """Sends an email.message.Message by `sendmail`, without its Bcc.

        Sender and recipients are those of the header (RFC 5322 §3.6), of its Resent- fields if there are some, unless they
        are given. SMTPUTF8 is asked for where an address needs it.
        """
        self.ehlo_or_helo_if_needed()
        resent = msg.get_all("Resent-Date")
        if resent is not None and len(resent) > 1:
            raise ValueError("message has more than one 'Resent-' header block")
        prefix = "" if resent is None else "Resent-"
        if from_addr is None:
            field = prefix + "Sender" if prefix + "Sender" in msg else prefix + "From"
            from_addr = email.utils.getaddresses([msg[field]])[0][1]
        if to_addrs is None:
            fields = [msg[prefix + name] for name in ("To", "Bcc", "Cc")]
            to_addrs = [address for _, address in email.utils.getaddresses([field for field in fields if field is not None])]
        visible = copy.copy(msg)
        del visible["Bcc"], visible["Resent-Bcc"]
        policy: Any = None
        if not "".join([from_addr, *to_addrs]).isascii():
            if not self.has_extn("smtputf8"):
                raise SMTPNotSupportedError("an address needs SMTPUTF8, and the server does not offer it")
            clone: Any = msg.policy.clone
            policy = clone(utf8=True)
            mail_options = (*mail_options, "SMTPUTF8", "BODY=8BITMIME")
        with io.BytesIO() as flat:
            email.generator.BytesGenerator(flat, policy=policy).flatten(visible, linesep=CRLF)
            return self.sendmail(from_addr, to_addrs, flat.getvalue(), mail_options, rcpt_options)

    def close(self) -> None:
        """Closes the connection without a word."""
        sock, self.sock = self.sock, None
        self._reader = ReplyReader()
        if sock is not None:
            sock.close()

    def quit(self) -> Answer:
        """QUIT, and closes the connection."""
        answer = self.docmd("quit")
        self._forget()
        self.close()
        return answer

    def _get_socket(self, host: str, port: int, timeout: Optional[float]) -> Any:
        if timeout is not None and not timeout:
            raise ValueError("Non-blocking socket (timeout=0) is not supported")
        self._print_debug("connect: to", (host, port), self.source_address)
        return socket.create_connection((host, port), timeout, self.source_address)

    def _greeting(self) -> Answer:
        self._reader = ReplyReader()
        answer = self.getreply()
        self._print_debug("connect:", repr(answer[1]))
        return answer

    def _print_debug(self, *args: Any) -> None:
        if self.debuglevel > 1:
            print(datetime.datetime.now().time(), *args, file=sys.stderr)
        elif self.debuglevel > 0:
            print(*args, file=sys.stderr)

    def _forget(self) -> None:
        """RFC 3207 §4.2: nothing that was learnt before counts."""
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        self._reader = ReplyReader()

    def _rset(self) -> None:
        """RSET after something went wrong, where it does not matter if the connection is gone."""
        try:
            self.rset()
        except SMTPServerDisconnected:
            pass

    def _words(self, options: Sequence[str]) -> str:
        return "".join(f" {option}" for option in options) if self.does_esmtp else ""

    def _exchange(self, mechanism: str) -> SaslClient:
        return SaslClient(
            mechanism,
            self.user,
            self.password,
            nonce=os.urandom(24),
            channel_binding=self._channel_binding(),
            offered_plus="-plus" in self.esmtp_features.get("auth", "").lower(),
        )

    def _log_in(self, mechanism: str, initial_response_ok: bool) -> Answer:
        exchange = self._exchange(mechanism)

        def respond(challenge: Optional[bytes] = None) -> Optional[bytes]:
            return exchange.initial_response() if challenge is None else exchange.challenge(challenge)

        code, text = self.auth(mechanism, respond, initial_response_ok=initial_response_ok)
        if code == 235:
            try:
                exchange.succeeded()
            except Error as error:
                self.close()
                raise SMTPException(str(error)) from error
        return code, text

    def _is_private(self) -> bool:
        """Whether nobody on the way can read what is said: there is TLS, or the server is on this machine."""
        if isinstance(self.sock, ssl.SSLSocket) or self.sock.family == getattr(socket, "AF_UNIX", None):
            return True
        host = str(self.sock.getpeername()[0]).partition("%")[0]
        return ipaddress.ip_address(host).is_loopback

    def _channel_binding(self) -> Optional[tuple[str, bytes]]:
        """``ssl`` knows none that holds for TLS 1.3 (RFC 9266)."""
        if not isinstance(self.sock, ssl.SSLSocket) or self.sock.version() == "TLSv1.3":
            return None
        data = self.sock.get_channel_binding("tls-unique")
        return ("tls-unique", data) if data else None

    def _letter(
        self, sender: str, to: list[str], content: bytes, mail_options: Sequence[str], rcpt_options: Sequence[str]
    ) -> Optional[Message]:
        """The message for the engine; None for what goes by steps.

        That is what only the user understands: methods of a subclass, replies that nobody has read, options and addresses
        that are in no RFC.
        """
        if not (to and self._reader.is_empty and all(map(self._is_own, _STEPS))):
            return None
        international = asks_for_utf8(mail_options)
        if international and not self.has_extn("smtputf8") or not international and not "".join([sender, *to]).isascii():
            return None
        return letter(sender, to, content, mail_options, rcpt_options)

    def _is_own(self, method: str) -> bool:
        return getattr(getattr(self, method), "__module__", None) == __name__

    def _send(self, message: Message, content: bytes, sender: str, to: list[str]) -> Optional[Refused]:
        """By the engine. None if it would refuse the message before it has said anything."""
        if self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        tls = isinstance(self.sock, ssl.SSLSocket) and self.sock.context.verify_mode == ssl.CERT_REQUIRED
        machine = Connection.adopt(
            self._host,
            [(name.upper(), words) for name, words in self.esmtp_features.items()],
            lmtp=self.ehlo_msg == "lhlo",
            verified_tls=tls and self.sock.context.check_hostname,
        )
        sys.audit("smtplib.send", self, content)
        outcome = Transaction(self.sock, machine, self._show if self.debuglevel else None).send(message, content)
        if machine.is_closed:
            self.close()
        elif outcome.progress == "queued":
            return None
        elif outcome.state not in ("accepted", "partial"):
            self._rset()
        return verdict(outcome, sender, to)

    def _show(self, what: str, data: bytes) -> None:
        self._print_debug(f"{what}:", repr(data))

    def _send_by_steps(
        self, sender: str, to: list[str], content: bytes, mail_options: Sequence[str], rcpt_options: Sequence[str]
    ) -> Refused:
        if self.has_extn("size"):
            mail_options = [f"size={len(content)}", *mail_options]
        code, text = self.mail(sender, mail_options)
        if code != 250:
            self._give_up(code)
            raise SMTPSenderRefused(code, text, sender)
        refused: Refused = {}
        for each in to:
            code, text = self.rcpt(each, rcpt_options)
            if code not in (250, 251):
                refused[each] = (code, text)
            if code == 421:
                self._give_up(code)
                raise SMTPRecipientsRefused(refused)
        if len(refused) == len(to):
            self._rset()
            raise SMTPRecipientsRefused(refused)
        taken = [each for each in to if each not in refused]
        answers = [self.data(content)]
        if self.ehlo_msg == "lhlo" and answers[0][0] != 421:
            answers += [self.getreply() for _ in taken[1:]]
        if all(code != 250 for code, _ in answers):
            self._give_up(answers[0][0])
            raise SMTPDataError(*answers[0])
        return {**refused, **{each: answer for each, answer in zip(taken, answers) if answer[0] != 250}}

    def _give_up(self, code: int) -> None:
        if code == 421:
            self.close()
        else:
            self._rset()


class SMTP_SSL(SMTP):
    """A session with an SMTP server that begins with TLS. Without a context, the server's certificate is verified."""

    default_port = SMTP_SSL_PORT

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: Optional[str] = None,
        keyfile: Optional[str] = None,
        certfile: Optional[str] = None,
        timeout: Optional[float] = _DEFAULT_TIMEOUT,
        source_address: Optional[tuple[str, int]] = None,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        self.keyfile, self.certfile = keyfile, certfile
        self.context = _context(keyfile, certfile, context)
        super().__init__(host, port, local_hostname, timeout, source_address)

    def _get_socket(self, host: str, port: int, timeout: Optional[float]) -> Any:
        return self.context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=self._host)


class LMTP(SMTP):
    """A session with an LMTP server (RFC 2033), by TCP, or by a Unix socket if the host begins with ``/``.

    Recipients who are refused after the content are among those that `sendmail` gives. `data` gives the first reply, and
    `getreply` those for the other recipients.
    """

    ehlo_msg = "lhlo"

    def __init__(
        self,
        host: str = "",
        port: int = LMTP_PORT,
        local_hostname: Optional[str] = None,
        source_address: Optional[tuple[str, int]] = None,
        timeout: Optional[float] = _DEFAULT_TIMEOUT,
    ) -> None:
        super().__init__(host, port, local_hostname, timeout, source_address)

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Optional[tuple[str, int]] = None
    ) -> Answer:
        """Connects to a host or a Unix socket, and gives its greeting."""
        if not host.startswith("/"):
            return super().connect(host, port, source_address)
        if self.timeout is not None and not self.timeout:
            raise ValueError("Non-blocking socket (timeout=0) is not supported")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self.timeout is not _DEFAULT_TIMEOUT:
                self.sock.settimeout(self.timeout)
            self.sock.connect(host)
        except OSError:
            self._print_debug("connect fail:", host)
            self.close()
            raise
        return self._greeting()


#: What `SMTP._send_by_steps` calls: where a subclass has changed any, that is what is wanted.
_STEPS = ("send", "putcmd", "getreply", "docmd", "mail", "rcpt", "data")


def _own_name() -> str:
    """RFC 5321 §2.3.5: a name with a domain, or else an address in brackets."""
    name = socket.getfqdn()
    if "." in name:
        return name
    try:
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    except socket.gaierror:
        return "[127.0.0.1]"


def _context(
    keyfile: Optional[str], certfile: Optional[str], context: Optional[ssl.SSLContext]
) -> ssl.SSLContext:
    if keyfile is None and certfile is None:
        return context or ssl.create_default_context()
    if context is not None:
        raise ValueError("context is given, so keyfile and certfile have no place")
    warnings.warn("keyfile and certfile are deprecated, use a context instead", DeprecationWarning, 3)
    made = ssl.create_default_context()
    if certfile is not None:
        made.load_cert_chain(certfile, keyfile)
    return made


def _octets(msg: Union[str, bytes]) -> bytes:
    return msg.encode("ascii") if isinstance(msg, str) else bytes(msg)


def _encoded(response: Union[None, str, bytes]) -> Optional[str]:
    if response is None:
        return None
    return base64.b64encode(response.encode("ascii") if isinstance(response, str) else response).decode("ascii")
