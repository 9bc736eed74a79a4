"""The errors are those of the core, and fit where Python's users expect them."""

from __future__ import annotations

import pickle
from pathlib import Path

import okuru
import pytest
from okuru import _errors, _okuru

CATALOGUE = Path(__file__).resolve().parents[2] / "core" / "src" / "error.rs"


def test_the_tables_are_the_same() -> None:
    families = {code.partition(".")[0] for code, _ in _okuru.CODES}
    assert families == set(_errors.FAMILIES)
    source = CATALOGUE.read_text()
    assert len(_okuru.CODES) > 60
    for code, advice in _okuru.CODES:
        assert f'= "{code}", "{advice}";' in source


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("timeout.reply", TimeoutError),
        ("timeout.reply", OSError),
        ("connect.refused", ConnectionError),
        ("protocol.closed", ConnectionError),
        ("dns.no_such_host", OSError),
        ("tls.certificate", OSError),
        ("address.syntax", ValueError),
        ("usage", ValueError),
        ("reply.rejected", okuru.ReplyError),
        ("cancelled.all_or_nothing", okuru.CancelledError),
    ],
)
def test_errors_are_what_python_knows(code: str, kind: type[Exception]) -> None:
    error = _errors.error(code, "so it is", step="at MAIL")
    assert isinstance(error, kind) and isinstance(error, okuru.Error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.step, str(again)) == (type(error), code, "at MAIL", str(error))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"tsl": "none"}, "there is no option tsl"),
        ({"tls": "perhaps"}, "the option tls: one of none, opportunistic, starttls, implicit is wanted"),
        ({"connections": 0}, "the option connections: a whole number above zero is wanted"),
        ({"auth": ("me", "hunter2", "x")}, "auth as a tuple is a user name and a password"),
        ({"auth": okuru.Password("me", "hun\0ter2")}, "the option server: the password holds a NUL"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(options: dict[str, object], what: str) -> None:
    with pytest.raises((okuru.UsageError, okuru.AuthError)) as refused:
        okuru.Client("smtp://mx.example", **options)
    assert refused.value.what == what
    assert "hunter2" not in str(refused.value)


def test_nothing_shows_a_secret() -> None:
    shown = [okuru.Password("me", "hunter2"), okuru.OAuth("hunter2"), okuru.Client("smtp://me:hunter2@mx.example")]
    assert "hunter2" not in repr(shown)


def test_an_error_is_one_sentence() -> None:
    error = _errors.error("timeout.reply", "no reply within 300 s", step="at MAIL")
    assert str(error) == "no reply within 300 s (at MAIL); try again later. [timeout.reply]"
    assert isinstance(error, OSError) and error.errno is None
