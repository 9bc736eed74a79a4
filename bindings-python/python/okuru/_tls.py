"""TLS by Python's ``ssl``, without a socket: bytes in, bytes out."""

from __future__ import annotations

import os
import ssl
from typing import Any, Optional, Union

Path = Union[str, "os.PathLike[str]"]

#: What one TLS record holds.
RECORD = 16 << 10


class TlsOptions:
    """Whom TLS trusts, and who we are there. Contexts are made when they are needed."""

    def __init__(
        self,
        ca: Optional[Path] = None,
        client_cert: Optional[Path] = None,
        client_key: Optional[Path] = None,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._ca, self._client = ca, (client_cert, client_key)
        self._given = ssl_context
        self._made: dict[bool, ssl.SSLContext] = {}

    def context(self, verify: bool) -> ssl.SSLContext:
        """The context for a connection whose certificate has to verify, or not."""
        if self._given is not None:
            return self._given
        if verify not in self._made:
            context = ssl.create_default_context(cafile=self._ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            certificate, key = self._client
            if certificate is not None:
                context.load_cert_chain(certificate, key)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._made[verify] = context
        return self._made[verify]


class TlsLayer:
    """One TLS connection."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.verified = context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
        self.is_established = False
        self.is_over = False

    def handshake(self) -> bool:
        """Goes on with the handshake, as far as what has come allows. Says whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_established = True
        return True

    def feed(self, data: bytes) -> None:
        """Takes what has come from the network."""
        self._incoming.write(data)

    def read(self) -> bytes:
        """All plaintext that is there."""
        chunks = []
        try:
            while True:
                chunk = self._tls.read(RECORD)
                if not chunk:
                    self.is_over = True
                    break
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def write(self, plaintext: Union[bytes, memoryview]) -> bytes:
        """What goes to the network for these octets."""
        view = memoryview(plaintext)
        while len(view):
            view = view[self._tls.write(view) :]
        return self._outgoing.read()

    def take(self) -> bytes:
        """What TLS has to say for itself."""
        return self._outgoing.read() if self._outgoing.pending else b""

    @property
    def channel_binding(self) -> Optional[tuple[str, bytes]]:
        """What ties an authentication to this connection. ``ssl`` knows none that holds for TLS 1.3 (RFC 9266)."""
        if self._tls.version() == "TLSv1.3":
            return None
        data = self._tls.get_channel_binding("tls-unique")
        return ("tls-unique", data) if data else None


def failure(error: Any) -> tuple[str, str]:
    """The code of an error of ``ssl``, and what happened."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls.certificate", f"the certificate does not verify: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "tls.handshake", f"TLS failed: {error.reason or error}"
    return "tls.configuration", f"TLS can't be set up: {error}"
