"""Who we are: what ``auth=`` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Iterable, Optional, Union

#: Gives a token whenever a connection needs one.
TokenSource = Callable[[], Union[str, Awaitable[str]]]


@dataclass(frozen=True)
class Password:
    """A user name and a password; ``authzid`` is whom to act for."""

    user: str
    password: str = field(repr=False)
    authzid: Optional[str] = None


@dataclass(frozen=True)
class OAuth:
    """An OAuth 2.0 access token, or a function that gives one, and the user whose mailbox it opens.

    The function is called whenever a connection needs a token. With the asynchronous clients it may be ``async``.
    """

    token: Union[str, TokenSource] = field(repr=False)
    user: Optional[str] = None


@dataclass(frozen=True)
class External:
    """What TLS has shown already, such as a client certificate (EXTERNAL); ``authzid`` is whom to act for."""

    authzid: Optional[str] = None


Auth = Union[Password, OAuth, External, tuple[str, str], str, Iterable[str]]


def as_options(auth: Any) -> tuple[dict[str, Any], Optional[TokenSource]]:
    """What the core is to know, and whom to ask for tokens."""
    if isinstance(auth, Password):
        return {"user": auth.user, "password": auth.password, "authzid": auth.authzid}, None
    if isinstance(auth, OAuth):
        if callable(auth.token):
            return {"user": auth.user, "token": True}, auth.token
        return {"user": auth.user, "token": auth.token}, None
    if isinstance(auth, External):
        return {"auth": "EXTERNAL", "authzid": auth.authzid}, None
    return {"auth": auth}, None
