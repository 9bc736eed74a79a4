"""What can go wrong: one class for each family of the core's codes."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Optional

from okuru import _okuru

if TYPE_CHECKING:
    from okuru._okuru import Outcome, Reply

#: What the user can do, by code.
ADVICE: dict[str, str] = dict(_okuru.CODES)


class Error(Exception):
    """Anything that went wrong.

    ``code`` is stable and dotted, such as ``security.tls_stripped``, ``step`` is where it happened, ``advice`` what you can
    do. ``reply`` is what the server said, where that was the reason, and ``outcome`` that of the message, if it is about one.
    """

    def __init__(self, code: str, what: str, *, step: Optional[str] = None, reply: Optional[Reply] = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.step = step
        self.reply = reply
        self.outcome: Optional[Outcome] = None

    @property
    def advice(self) -> str:
        """What you can do about it."""
        return ADVICE.get(self.code, "")

    def __str__(self) -> str:
        step = f" ({self.step})" if self.step else ""
        return f"{self.what}{step}; {self.advice}. [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.code, self.what, self.step, self.reply, self.outcome)


class ReplyError(Error):
    """The server refused: see ``reply``."""


class ProtocolError(Error, ConnectionError):
    """The other side broke the protocol."""


class SecurityError(Error):
    """We refused to go on, since somebody may listen or change what is sent."""


class TlsError(Error, OSError):
    """The handshake failed, or the certificate does not verify."""


class AuthError(Error):
    """We could not log in."""


class TimeoutError(Error, builtins.TimeoutError):
    """It took too long."""


class ConnectError(Error, ConnectionError):
    """There is no connection, or it broke."""


class DnsError(Error, OSError):
    """A name could not be looked up, or leads nowhere."""


class AddressError(Error, ValueError):
    """That is no address, or not one that this server takes."""


class MessageError(Error, ValueError):
    """The message can't be sent as it is."""


class LimitError(Error):
    """Something is too large, too long or too many."""


class CancelledError(Error):
    """It was cancelled."""


class UsageError(Error, ValueError):
    """An option or argument makes no sense."""


FAMILIES: dict[str, type[Error]] = {
    "reply": ReplyError,
    "protocol": ProtocolError,
    "security": SecurityError,
    "tls": TlsError,
    "auth": AuthError,
    "timeout": TimeoutError,
    "connect": ConnectError,
    "dns": DnsError,
    "address": AddressError,
    "message": MessageError,
    "limit": LimitError,
    "cancelled": CancelledError,
    "usage": UsageError,
}


def error(code: str, what: str, *, step: Optional[str] = None, reply: Optional[Reply] = None) -> Error:
    """The error of the class that its code belongs to."""
    return FAMILIES[code.partition(".")[0]](code, what, step=step, reply=reply)


def _again(
    kind: type[Error], code: str, what: str, step: Optional[str], reply: Optional[Reply], outcome: Optional[Outcome]
) -> Error:
    made = kind(code, what, step=step, reply=reply)
    made.outcome = outcome
    return made
