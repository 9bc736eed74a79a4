"""Sends mail by SMTP and LMTP, fast, and tells exactly what became of it.

::

    import okuru

    outcome = okuru.send(message, server="smtp://me:secret@mail.example.com")
    outcome.raise_for_state()

    with okuru.Client("smtp://mail.example.com", auth=("me", "secret"), connections=4) as client:
        for outcome in client.send_many(messages):
            print(outcome)

    async with okuru.AsyncClient("smtp://mail.example.com") as client:    # asyncio or trio
        outcome = await client.send(message)

    mailer = okuru.Mailer.direct(fallback="smtps://relay.example.com", rate="100/m")

Options of the clients are keyword arguments:

========================================  ==========================================================================
``tls``                                   ``none``, ``opportunistic``, ``starttls`` or ``implicit``
``ca``, ``client_cert``, ``client_key``   PEM files: whom to trust, and who we are; or an ``ssl_context``
``tls_name``                              the name that the certificate is for
``auth``                                  `Password` or a pair, `OAuth`, `External`, or names of mechanisms
``allow_plaintext_auth``                  dangerous: log in although nobody has verified the server
``ehlo``                                  what we call ourselves
``pipelining``, ``chunking``              ``none``, ``message``, ``session``, ``streaming``; ``auto``, ``prefer``, ``never``
``connections``, ``rate``                 how many at a time; ``"100/m"``
``retry_for``, ``tries``                  what was deferred is tried again
``round_robin``                           several servers are used by turns, otherwise in their order
``timeout``                               for each message in all, in seconds
``connect_timeout``, ``reply_timeout``    and ``greeting_timeout``, ``mail_timeout``, ... for each step
``body``, ``smtputf8``, ``newlines``      ``auto``, ``8bitmime``, ...; ``auto``, ``require``, ``never``; ``fix``, ``refuse``
``all_or_nothing``                        one recipient who is refused stops the others
``source_address``, ``sock``              where to connect from; a socket that is connected already
``pop_before``                            ``pop3://user:password@host``: log in there first
``mx_port``, ``self_address``, ``dns``    of direct delivery; ``dns`` is the name server to ask
``trace``                                 a function that is told each line of the dialogue, secrets hidden
========================================  ==========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from okuru._auth import External, OAuth, Password
from okuru._client import Client, Mailer, send
from okuru._content import message
from okuru._errors import (
    AddressError,
    AuthError,
    CancelledError,
    ConnectError,
    DnsError,
    Error,
    LimitError,
    MessageError,
    ProtocolError,
    ReplyError,
    SecurityError,
    TimeoutError,
    TlsError,
    UsageError,
)
from okuru._okuru import Message, Outcome, Recipient, RecipientOutcome, Reply, __version__

if TYPE_CHECKING:
    from okuru._async_client import AsyncClient, AsyncMailer

__all__ = [
    "AddressError",
    "AsyncClient",
    "AsyncMailer",
    "AuthError",
    "CancelledError",
    "Client",
    "ConnectError",
    "DnsError",
    "Error",
    "External",
    "LimitError",
    "Mailer",
    "Message",
    "MessageError",
    "OAuth",
    "Outcome",
    "Password",
    "ProtocolError",
    "Recipient",
    "RecipientOutcome",
    "Reply",
    "ReplyError",
    "SecurityError",
    "TimeoutError",
    "TlsError",
    "UsageError",
    "__version__",
    "message",
    "send",
]


def __getattr__(name: str) -> Any:
    # Whoever does not wait for asyncio need not load it.
    if name in ("AsyncClient", "AsyncMailer"):
        from okuru import _async_client

        return getattr(_async_client, name)
    raise AttributeError(f"module 'okuru' has no attribute {name!r}")
