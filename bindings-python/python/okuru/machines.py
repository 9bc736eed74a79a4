"""The machines themselves, for those who bring their own I/O: bytes in, bytes out, and no waiting.

`Connection` is one connection to a server, `Pop3Connection` a log-in by POP3, `Session` the other side:
a session with a client, `Mailer` many connections to many servers. Times are nanoseconds on any monotonic clock:
``time.monotonic_ns()``. Who says each command alone finds `ReplyReader` and `SaslClient`.
"""

from okuru._okuru import (
    Connection,
    Mailer,
    Message,
    Outcome,
    Pop3Connection,
    Recipient,
    RecipientOutcome,
    Reply,
    ReplyReader,
    SaslClient,
    Session,
)

__all__ = [
    "Connection",
    "Mailer",
    "Message",
    "Outcome",
    "Pop3Connection",
    "Recipient",
    "RecipientOutcome",
    "Reply",
    "ReplyReader",
    "SaslClient",
    "Session",
]
