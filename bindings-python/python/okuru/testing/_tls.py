"""TLS as a server, by Python's ``ssl``: bytes in, bytes out."""

from __future__ import annotations

import ssl
from typing import Optional


class ServerTls:
    """One TLS connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_established = False

    def feed(self, data: bytes) -> None:
        """Takes what has come from the network."""
        self._incoming.write(data)

    def end(self) -> None:
        """Nothing more comes."""
        self._incoming.write_eof()

    def handshake(self) -> bool:
        """Goes on with the handshake as far as what has come allows. Says whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_established = True
        return True

    def read(self) -> tuple[bytes, bool]:
        """All plaintext that is there, and whether there will be no more."""
        chunks: list[bytes] = []
        try:
            while True:
                chunk = self._tls.read(1 << 16)
                if not chunk:
                    return b"".join(chunks), True
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            return b"".join(chunks), False
        except ssl.SSLError:
            return b"".join(chunks), True

    def write(self, plaintext: bytes) -> None:
        """Encrypts."""
        view = memoryview(plaintext)
        while len(view):
            view = view[self._tls.write(view) :]

    def take(self) -> bytes:
        """What goes to the network."""
        return self._outgoing.read()

    def close(self) -> None:
        """Says that we are at the end."""
        try:
            self._tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # The other side need not answer.

    @property
    def version(self) -> Optional[str]:
        """Such as ``TLSv1.3``."""
        return self._tls.version()

    @property
    def channel_bindings(self) -> list[tuple[str, bytes]]:
        """What ties an authentication to this connection. ``ssl`` knows none that holds for TLS 1.3 (RFC 9266)."""
        if self.version == "TLSv1.3":
            return []
        data = self._tls.get_channel_binding("tls-unique")
        return [("tls-unique", data)] if data else []
