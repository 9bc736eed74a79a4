"""One run: a sink, a client, and what came of both."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .cells import Cell
from .runners import Job, Runner


class Failure(Exception):
    """A run that proves nothing: it says why in one sentence."""


@dataclass(frozen=True)
class Expected:
    """What the sink has to find in one message."""

    bytes: int
    digest: int


@dataclass(frozen=True)
class Run:
    messages: int
    content: int
    seconds: float
    """From the first MAIL to the last message taken, by the sink's clock."""
    round_trips: int
    """Without those before the first MAIL of a connection."""
    cpu_us: int = 0
    peak_kib: int = 0

    @property
    def rate(self) -> float:
        return self.messages / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabytes(self) -> float:
        return self.rate * self.content / 1e6


def check(totals: dict, messages: int, expected: Expected) -> None:
    """Refuses a run in which anything was lost, doubled, changed or refused."""
    digest = f"{expected.digest * messages % 2**64:016x}"
    if totals["refusals"]:
        raise Failure(f"the sink refused {totals['refusals']} commands")
    for key, wanted in ("messages", messages), ("recipients", messages), ("bytes", expected.bytes * messages):
        if totals[key] != wanted:
            raise Failure(f"the sink counted {totals[key]} {key} where {wanted} were sent")
    if totals["digest"] != digest:
        raise Failure("the content was changed on the way")


class Bench:
    """Starts programs and sees to it that they end."""

    def __init__(self, programs: Path, timeout: float):
        self.programs = programs
        self.timeout = timeout
        self.cpu = max(os.sched_getaffinity(0))
        self.folder = TemporaryDirectory(prefix="okuru-bench-")
        self.messages: dict[tuple, tuple[Path, Expected]] = {}

    def message(self, cell: Cell, empty_line: bool) -> tuple[Path, Expected]:
        key = (cell.size, cell.dots, empty_line)
        if key not in self.messages:
            path = Path(self.folder.name) / f"{cell.size}{'-dots' if cell.dots else ''}.eml"
            flags = ["--size", str(cell.size), "--out", str(path), "--out-lf", str(path.with_suffix(".lf"))]
            flags += ["--dots"] * cell.dots + ["--empty-line"] * empty_line
            made = subprocess.run([self.programs / "message", *flags], check=True, stdout=subprocess.PIPE).stdout
            answer = json.loads(made)
            self.messages[key] = path, Expected(answer["bytes"], int(answer["digest"], 16))
        return self.messages[key]

    @contextmanager
    def sink(self, cell: Cell, quick_ack: bool, pinned: bool):
        """Gives the address, and then fills the dictionary that it gives with what was counted."""
        command = [str(self.programs / "sink"), "--rtt", f"{cell.rtt_ms}ms"] + ["--quick-ack"] * quick_ack
        pin = (lambda: os.sched_setaffinity(0, {self.cpu})) if pinned else None
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pin)
        totals: dict = {}
        try:
            ready = process.stdout.readline()
            if not ready:
                raise Failure("the sink did not start")
            yield json.loads(ready)["addr"], totals
            output, _ = process.communicate(timeout=10)
            totals.update(json.loads(output))
        finally:
            process.kill()
            process.wait()

    def start(self, runner: Runner, cell: Cell, messages: int, prefix: list[str], quick_ack: bool, pinned: bool):
        """Runs a client behind `prefix`, checks what arrived, and gives its run and what `prefix` printed."""
        message_file, expected = self.message(cell, runner.adds_empty_line)
        with self.sink(cell, quick_ack, pinned) as (addr, totals):
            job = Job(addr, messages, cell, self.programs, message_file)
            printed = self.wait(prefix + runner.command(job), dict(os.environ, **dict(runner.environment)))
        check(totals, messages, expected)
        round_trips = totals["round_trips"] - totals["setup_round_trips"]
        return Run(messages, expected.bytes, totals["seconds"], round_trips), printed

    def measure(self, runner: Runner, cell: Cell, messages: int) -> Run:
        """Runs a client, and says what it cost."""
        prefix = [str(self.programs / "measure"), *(["--cpu", str(self.cpu)] if cell.pinned else []), "--"]
        run, printed = self.start(runner, cell, messages, prefix, runner.quick_ack, cell.pinned)
        cost = json.loads(printed)
        return Run(run.messages, run.content, run.seconds, run.round_trips, cost["cpu_us"], cost["peak_kib"])

    def wait(self, command: list[str], environment: dict[str, str]) -> str:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=self.timeout)
        except BaseException as error:
            # The whole group, since it is `prefix` that started the client.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failure(f"it had not ended after {self.timeout:.0f} seconds") from None
            raise
        if process.returncode != 0:
            last = errors.strip().splitlines()[-1:] or ["no word why"]
            raise Failure(f"it ended with status {process.returncode}: {last[0]}")
        return output
