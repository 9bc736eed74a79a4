"""What the tests send to: `okuru sink`, and Postfix and Dovecot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = Path(os.environ.get("OKURU_PROGRAM", ROOT / "target" / "debug" / "okuru"))


class Sink:
    """A running `okuru sink`. `messages` are what it has told of those it took so far."""

    def __init__(self, *arguments: str) -> None:
        command = [str(PROGRAM), "sink", "--listen", "127.0.0.1:0", "--json", *arguments]
        # Not a pipe: when nobody reads, it gets full.
        self._told = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(command, stdout=self._told, stderr=subprocess.PIPE, text=True)
        self._seen = 0
        assert self._process.stderr is not None
        self.ready: dict[str, Any] = json.loads(self._process.stderr.readline())
        self.url: str = self.ready["urls"][0]
        self.ca: str | None = self.ready["ca"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def message(self) -> dict[str, Any]:
        """The next message that it took. It is told before it is accepted."""
        told = self._lines()[self._seen]
        self._seen += 1
        return told

    def stop(self) -> list[dict[str, Any]]:
        """Ends it, and gives all messages that nobody has asked for."""
        if self._told.closed:
            return []
        self._process.terminate()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process.wait(timeout=20)
        told = self._lines()[self._seen :]
        self._told.close()
        return told

    def _lines(self) -> list[dict[str, Any]]:
        self._told.seek(0)
        return [json.loads(line) for line in self._told.read().splitlines()]


@pytest.fixture
def sink() -> Iterator[Callable[..., Sink]]:
    """Starts sinks, and ends them."""
    started: list[Sink] = []

    def start(*arguments: str) -> Sink:
        started.append(Sink(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Any]]:
    """Postfix and Dovecot, as `tests/servers/README.md` describes them."""
    run = ROOT / "tests" / "servers" / "run.py"
    process = subprocess.Popen(
        [sys.executable, str(run), "postfix", "dovecot"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    line = process.stdout.readline()
    assert line, "the servers did not start"
    yield json.loads(line)
    process.stdin.close()
    process.wait(timeout=20)
