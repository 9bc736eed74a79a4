"""How the program ends: sysexits, as the ``okuru`` command has them. Where several things went wrong, the first of `ORDER` counts."""

from __future__ import annotations

from typing import Optional

from okuru._okuru import Outcome

ORDER = (77, 76, 68, 75, 64, 65, 69, 0)

_CODES = {
    "security.plaintext_credentials": 77,
    "security.server_not_authenticated": 77,
    "security.channel_binding": 77,
    "limit.reply_line": 76,
    "limit.reply_lines": 76,
    "limit.reply_bytes": 76,
    "message.bare_newline": 65,
    "message.no_recipients": 65,
    "message.no_sender": 65,
    "message.empty": 65,
    "message.size_mismatch": 65,
    "message.unreadable": 65,
    "tls.configuration": 64,
    "dns.no_such_host": 68,
}

_FAMILIES = {"auth": 77, "protocol": 76, "security": 76, "tls": 76, "usage": 64}

_STATES = {"accepted": 0, "rejected": 69, "deferred": 75, "unknown": 75}


def worst(first: int, second: int) -> int:
    """The one that counts."""
    return min(first, second, key=ORDER.index)


def after(code: str) -> int:
    """After an error that ended everything."""
    cause = _of_cause(code)
    if cause is not None:
        return cause
    if code == "reply.rejected":
        return 69
    return 64 if code.startswith("address.") else 75


def of(outcome: Outcome) -> int:
    """After a message."""
    status = 0
    for recipient in outcome.recipients:
        error = recipient.error
        cause = None if error is None else _of_cause(error.code)
        own = _STATES[recipient.state] if cause is None or recipient.state == "accepted" else cause
        status = worst(status, own)
    return status


def _of_cause(code: str) -> Optional[int]:
    if code == "protocol.closed":
        return None
    return _CODES.get(code, _FAMILIES.get(code.partition(".")[0]))
