"""The machines themselves, for those who bring their own I/O: bytes in, bytes out, and no waiting.

`Connection` is one connection to a server, `Pop3Connection` a log-in by POP3, `Mailer` many connections to many servers;
`Session` is one session with a client, of a `Receiver` that takes messages into memory. Times are nanoseconds on any monotonic clock: ``time.monotonic_ns()``.
"""

from okuru._okuru import (
    Connection,
    Mailer,
    Message,
    Outcome,
    Pop3Connection,
    Receiver,
    Recipient,
    RecipientOutcome,
    Reply,
    Session,
)

__all__ = [
    "Connection",
    "Mailer",
    "Message",
    "Outcome",
    "Pop3Connection",
    "Receiver",
    "Recipient",
    "RecipientOutcome",
    "Reply",
    "Session",
]
