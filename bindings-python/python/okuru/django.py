"""A mail backend for Django 4.2 and later: the same engine, and connections that outlive a request.

::

    EMAIL_BACKEND = "okuru.django.EmailBackend"            # with the usual EMAIL_... settings

    MAILERS = {"default": {                                 # since Django 6.1
        "BACKEND": "okuru.django.EmailBackend",
        "OPTIONS": {"host": "mail.example.com", "use_tls": True, "username": "me", "password": "secret"},
    }}

Other options of `okuru.Client` (``ca``, ``rate``, ``pipelining``, ...) go into ``OPTIONS`` too, or into the setting
``OKURU_OPTIONS``. TLS is verified, and passwords are not sent without it unless ``allow_plaintext_auth`` is true.
"""

from __future__ import annotations

import threading
from smtplib import SMTPException
from types import TracebackType
from typing import Any, Optional, Sequence

import django
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from okuru._client import Client
from okuru._content import message
from okuru._errors import Error, UsageError
from okuru._okuru import Message, Outcome
from okuru._pool import Pool, Pools

#: Of all backends in this process, by their settings.
_POOLS = Pools()

_OURS = ("host", "port", "username", "password", "use_tls", "use_ssl", "timeout", "ssl_keyfile", "ssl_certfile")


class EmailBackend(BaseEmailBackend):
    """Sends by SMTP. Instances with the same settings share connections, also between threads.

    ``send_messages`` gives the number of messages that at least one recipient's server has taken. What was not taken at
    all is raised as the `okuru.Error` that says why, which is also a ``smtplib.SMTPException``, unless ``fail_silently``.
    """

    def __init__(
        self,
        host: Optional[str] = None,
        port: Optional[int] = None,
        username: Optional[str] = None,
        password: Optional[str] = None,
        use_tls: Optional[bool] = None,
        fail_silently: bool = False,
        use_ssl: Optional[bool] = None,
        timeout: Optional[float] = None,
        ssl_keyfile: Optional[str] = None,
        ssl_certfile: Optional[str] = None,
        **options: Any,
    ) -> None:
        alias = options.pop("alias", None)
        ignored = options.pop("_ignore_unknown_kwargs", ()) or ()
        options = {name: value for name, value in options.items() if name not in ignored}
        if django.VERSION >= (6, 1):
            super().__init__(alias=alias)
        else:
            super().__init__(fail_silently=fail_silently)
        self.fail_silently = fail_silently
        values = (host, port, username, password, use_tls, use_ssl, timeout, ssl_keyfile, ssl_certfile)
        given = dict(zip(_OURS, values))
        if alias is None:
            for name in _OURS:
                if given[name] is None or (name in ("host", "port") and not given[name]):
                    given[name] = getattr(settings, _SETTINGS.get(name, f"EMAIL_{name.upper()}"), None)
            options = {**getattr(settings, "OKURU_OPTIONS", {}), **options}
        self.host, self.port = given["host"], given["port"]
        self.username, self.password = given["username"], given["password"]
        self.use_tls, self.use_ssl = bool(given["use_tls"]), bool(given["use_ssl"])
        self.timeout = given["timeout"]
        self.ssl_keyfile, self.ssl_certfile = given["ssl_keyfile"], given["ssl_certfile"]
        if self.use_ssl and self.use_tls:
            raise _misconfigured("use_tls and use_ssl are mutually exclusive: set one of them at most", alias)
        if not self.host:
            raise _misconfigured("OPTIONS must define 'host'", alias)
        try:
            self._pool: Pool = _POOLS.pool(self._url(), self._options(options))
        except UsageError as wrong:
            raise _misconfigured(str(wrong), alias) from wrong
        self._client: Optional[Client] = None
        self._lock = threading.RLock()

    def open(self) -> bool:
        """Keeps one connection for this instance until `close`. Says whether it had none before."""
        with self._lock:
            if self._client is not None:
                return False
            self._client = self._pool.take()
            return True

    def close(self) -> None:
        """Gives the connection back, for others to use. It stays open."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                self._pool.give(client)

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Sends messages, and gives how many were."""
        letters = []
        for email in email_messages:
            if email.recipients():
                try:
                    letters.append(_letter(email))
                except Error as wrong:
                    if not self.fail_silently:
                        raise _for_django(wrong) from None
        if not letters:
            return 0
        with self._lock:
            was_opened = self.open()
            try:
                outcomes = list(self._sent(letters))
            finally:
                if was_opened:
                    self.close()
        failed = [outcome for outcome in outcomes if outcome.state not in ("accepted", "partial")]
        if failed and not self.fail_silently:
            reason = failed[0].error
            assert reason is not None
            raise _for_django(reason)
        return len(outcomes) - len(failed)

    def _sent(self, letters: list[Message]) -> list[Outcome]:
        assert self._client is not None
        return list(self._client.send_many(letters))

    def _url(self) -> str:
        scheme = "smtps" if self.use_ssl else "smtp"
        host = f"[{self.host}]" if ":" in str(self.host) else self.host
        port = self.port or (465 if self.use_ssl else 587 if self.use_tls else 25)
        return f"{scheme}://{host}:{port}"

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {"tls": "implicit" if self.use_ssl else "starttls" if self.use_tls else "none"}
        if self.username and self.password:
            known["auth"] = (self.username, self.password)
        if self.timeout is not None:
            known.update(connect_timeout=self.timeout, reply_timeout=self.timeout)
        if self.ssl_certfile:
            known.update(client_cert=self.ssl_certfile, client_key=self.ssl_keyfile)
        return {**known, **options}

    def __enter__(self) -> EmailBackend:
        self.open()
        return self

    def __exit__(
        self, _: Optional[type[BaseException]], __: Optional[BaseException], ___: Optional[TracebackType]
    ) -> None:
        self.close()


_SETTINGS = {"username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD"}


def _letter(email: Any) -> Message:
    from email import policy
    from email.message import EmailMessage
    from email.utils import parseaddr

    flat = email.message()
    addresses = [parseaddr(address)[1] for address in email.recipients()]
    sender = parseaddr(email.from_email)[1]
    # Django makes a class of its own before 6.0, which knows line ends but no policies.
    is_modern = isinstance(flat, EmailMessage)
    content = flat.as_bytes(policy=policy.SMTP) if is_modern else flat.as_bytes(linesep="\r\n")
    return message(content, sender=sender, recipients=addresses)


def _misconfigured(what: str, alias: Optional[str]) -> Exception:
    if alias is None:
        return ValueError(what)
    from django.core.mail import InvalidMailer

    wrong: Exception = InvalidMailer(f"{what}.", alias=alias)
    return wrong


def _for_django(error: Error) -> Error:
    """The same error, for those who expect one of ``smtplib``'s."""
    family = type(error)
    if family not in _FAMILIES:
        _FAMILIES[family] = type(family.__name__, (family, SMTPException), {"__module__": __name__})
    raised: Error = _FAMILIES[family](error.code, error.what, step=error.step, reply=error.reply)
    raised.outcome = error.outcome
    return raised


_FAMILIES: dict[type[Error], Any] = {}
