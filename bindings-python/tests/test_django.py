"""The Django backend, in a project of its own. `DJANGO` in the environment says which version has to be there."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from okuru.testing import Sink

django = pytest.importorskip("django")
WAYS = [False, True] if django.VERSION >= (6, 1) else [False]


def run(scenario: str, sink: Sink, with_mailers: bool) -> Any:
    usual = {"host": sink.host, "port": sink.port, "use_tls": sink.ca is not None}
    user = {"username": "ann", "password": "secret"} if sink.ca else {"username": "", "password": ""}
    told = {"django": {**usual, **user}, "okuru": {"ca": sink.ca} if sink.ca else {}}
    environment = {**os.environ, "SINK": json.dumps(told), "WITH_MAILERS": "1" if with_mailers else ""}
    command = [sys.executable, "-m", "django_project.scenario", scenario]
    folder = pathlib.Path(__file__).parent
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    version, seen = json.loads(done.stdout)
    wanted = os.environ.get("DJANGO")
    assert wanted is None or ".".join(map(str, version)) == wanted
    return seen


@pytest.mark.parametrize("with_mailers", WAYS)
def test_views_share_connections(with_mailers: bool) -> None:
    with Sink(tls="starttls", users={"ann": "secret"}) as sink:
        assert run("views", sink, with_mailers) == [1] * 25
        messages = sink.wait_for(25)
        goodbyes = sum(line.endswith("C: QUIT") for line in sink.dialogue)
    assert {(received.user, received.protocol) for received in messages} == {("ann", "ESMTPSA")}
    first = messages[0]
    assert (first.sender, first.recipients) == ("ann@example.com", ("bob@example.org", "zoe@example.org"))
    assert first.email["Subject"] == "Grüße"
    assert "Bcc" not in first.email
    assert b"\r\n.dot\r\n" in first.content
    connections = len({received.session for received in messages})
    assert {received.session for received in messages[:5]} == {0}
    assert connections <= 4
    assert goodbyes == connections


def test_failures() -> None:
    with Sink(faults=["refuse"]) as sink:
        assert run("failures", sink, False) == ["reply.rejected", 0, 0]
        assert sink.messages == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_has_connections_of_its_own() -> None:
    with Sink(tls="starttls", users={"ann": "secret"}) as sink:
        assert run("forks", sink, False) == [0, 1]
        messages = sink.wait_for(3)
    assert [received.session for received in messages] == [0, 1, 0]
