"""What arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Optional


@dataclass(frozen=True)
class Received:
    """A message that a sink has taken."""

    #: As the client was told: ``SINK1``.
    id: str
    #: The reverse-path; empty for a notice of failure.
    sender: str
    #: The forward-paths that were accepted.
    recipients: tuple[str, ...]
    #: As it came: dots taken out, lines end in CR LF.
    content: bytes = field(repr=False)
    #: What MAIL said besides: ``("SIZE=120", "BODY=8BITMIME")``.
    parameters: tuple[str, ...] = ()
    #: What each RCPT said besides.
    recipient_parameters: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    #: As in a Received field: ``ESMTP``, ``ESMTPSA``, ``LMTP``, ...
    protocol: str = ""
    #: Who has logged in, and by which mechanism.
    user: Optional[str] = None
    mechanism: Optional[str] = None
    #: The version of TLS, such as ``TLSv1.3``, if there was TLS.
    tls: Optional[str] = None
    #: How the client has named itself, and its address.
    hello: Optional[str] = None
    client: Optional[str] = None
    #: Which connection it came by, from 0.
    session: int = 0

    @property
    def email(self) -> EmailMessage:
        """The content as an ``email.message.EmailMessage``."""
        from email import message_from_bytes, policy

        return message_from_bytes(self.content, EmailMessage, policy=policy.default)
