"""`okuru.smtplib` against Postfix and Dovecot. `tests/servers/README.md` says what each port and address does."""

from __future__ import annotations

import email.message
import email.policy
import importlib
import ssl
import sys
import unittest
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest
from conftest import ROOT

from okuru import smtplib

Servers = dict[str, Any]
MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]


def submission(servers: Servers, server: str = "postfix") -> smtplib.SMTP:
    session = smtplib.SMTP("localhost", servers[server]["ports"]["submission"], timeout=15)
    session.starttls(context=ssl.create_default_context(cafile=servers["tls"]["ca"]))
    session.ehlo()
    return session


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_user_logs_in_by_each_mechanism(servers: Servers, mechanism: str) -> None:
    for user in servers["users"]:
        with submission(servers) as session:
            session.esmtp_features["auth"] = mechanism
            assert session.login(user["name"], user["password"])[0] == 235
            assert session.sendmail("alice@example.test", "discard@example.test", b"Subject: in\r\n\r\n") == {}


def test_the_strongest_mechanism_comes_first(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    with submission(servers) as session:
        session.set_debuglevel(1)
        session.login("alice", servers["users"][0]["password"])
    assert "AUTH SCRAM-SHA-256 " in capsys.readouterr().err


def test_a_wrong_password(servers: Servers) -> None:
    with submission(servers) as session:
        session.esmtp_features["auth"] = "SCRAM-SHA-256 PLAIN"
        with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
            session.login("alice", "wrong")
        assert raised.value.smtp_code == 535


def test_a_certificate_that_nobody_vouches_for(servers: Servers) -> None:
    session = smtplib.SMTP("localhost", servers["postfix"]["ports"]["submission"], timeout=15)
    with pytest.raises(ssl.SSLCertVerificationError):
        session.starttls()
    session.close()


@pytest.mark.parametrize("by", ["tcp", "unix"])
def test_lmtp_tells_of_each_recipient(servers: Servers, by: str) -> None:
    dovecot = servers["dovecot"]
    place = ("127.0.0.1", dovecot["ports"]["lmtp"]) if by == "tcp" else (dovecot["sockets"]["lmtp"], 0)
    names = ["alice", "nobody", "full", "full-for-now", "bob"]
    with smtplib.LMTP(*place, timeout=15) as session:
        refused = session.sendmail("ann@example.com", [f"{name}@example.test" for name in names], b"Subject: l\r\n\r\n")
        assert session.noop()[0] == 250
    assert {address.partition("@")[0]: code for address, (code, _) in refused.items()} == {
        "nobody": 550,
        "full": 552,
        "full-for-now": 452,
    }


def test_recipients_too_many_for_one_transaction(servers: Servers) -> None:
    to = [f"r{number}@example.test" for number in range(servers["postfix"]["limits"]["few_recipients"] + 2)]
    with smtplib.SMTP("127.0.0.1", servers["postfix"]["ports"]["few_recipients"], timeout=15) as session:
        assert session.sendmail("ann@example.com", to, b"Subject: many\r\n\r\n") == {}


def test_an_internationalised_message(servers: Servers) -> None:
    message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "josé@example.test", "josé@example.test", "Grüße 送る"
    message.set_content("Schöne Grüße\n")
    with smtplib.SMTP("127.0.0.1", servers["postfix"]["ports"]["mx"], timeout=15) as session:
        assert session.send_message(message) == {}
    with smtplib.SMTP("127.0.0.1", servers["postfix"]["ports"]["bare"], timeout=15) as session:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            session.send_message(message)


def _own_checks_of_the_servers() -> Iterator[unittest.TestSuite]:
    """The checks of `tests/servers/selftest.py`, a program that uses ``smtplib``, with ours in its place."""
    folder = str(ROOT / "tests" / "servers")
    stdlib: Optional[Any] = sys.modules.get("smtplib")
    sys.modules["smtplib"] = smtplib
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module("selftest")
    finally:
        sys.path.remove(folder)
        if stdlib is not None:
            sys.modules["smtplib"] = stdlib
    assert module.smtplib is smtplib and Path(module.__file__ or "").parent == Path(folder)
    for group in (module.Postfix, module.Lmtp, module.Login):
        yield unittest.defaultTestLoader.loadTestsFromTestCase(group)


@pytest.mark.parametrize("group", list(_own_checks_of_the_servers()), ids=["postfix", "lmtp", "login"])
def test_a_program_that_uses_the_standard_library(group: unittest.TestSuite) -> None:
    result = unittest.TestResult()
    group.run(result)
    assert result.testsRun > 0 and not result.skipped
    assert [trace for _, trace in result.errors + result.failures] == []
