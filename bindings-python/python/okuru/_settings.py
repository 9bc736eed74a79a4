"""What of the options is Python's, and what is the core's."""

from __future__ import annotations

from typing import Any, Callable, Optional

from okuru._auth import TokenSource, as_options
from okuru._errors import error
from okuru._okuru import Mailer as Machine


class Settings:
    """Options, sorted by who knows them. The core knows most: what it does not know, it refuses."""

    def __init__(self, options: dict[str, Any]) -> None:
        for_core = dict(options)
        self._tls: Any = {name: for_core.pop(name, None) for name in ("ca", "client_cert", "client_key", "ssl_context")}
        self.sock: Any = for_core.pop("sock", None)
        self.dns: Any = for_core.pop("dns", None)
        trace = for_core.pop("trace", None)
        self.trace: Optional[Callable[[str], Any]] = trace if callable(trace) else None
        for_core["trace"] = bool(trace) or _wants_dialogue()
        auth, self.token = for_core.pop("auth", None), None
        if auth is not None:
            known, self.token = self._auth(auth)
            for_core.update(known)
        self.for_core = for_core

    def check(self) -> None:
        """Tells at once what makes no sense."""
        Machine(seed=0, **self.for_core)

    @property
    def tls(self) -> Any:
        """What TLS is made from. ``ssl`` is not loaded before it is needed."""
        from okuru._tls import TlsOptions

        if not isinstance(self._tls, TlsOptions):
            self._tls = TlsOptions(**self._tls)
        return self._tls

    @staticmethod
    def _auth(auth: Any) -> tuple[dict[str, Any], Optional[TokenSource]]:
        if isinstance(auth, tuple):
            from okuru._auth import Password

            if len(auth) != 2:
                raise error("usage", "auth as a tuple is a user name and a password")
            auth = Password(*auth)
        return as_options(auth)


def _wants_dialogue() -> bool:
    import logging

    return logging.getLogger("okuru").isEnabledFor(logging.DEBUG)
