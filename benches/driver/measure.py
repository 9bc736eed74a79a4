"""Measures every client in a cell: how many messages fill the time, then rounds in turn, then medians."""

from dataclasses import dataclass, field
from statistics import median
from typing import Callable

from .cells import Cell
from .run import Bench, Failure, Run
from .runners import Runner

MOST = 20_000_000
"""Messages in one run."""


@dataclass
class Row:
    """What came of one client in one cell."""

    runner: Runner
    least: Run | None = None
    """The run with one message a connection: what starting costs."""
    messages: int = 0
    runs: list[Run] = field(default_factory=list)
    failure: str | None = None

    @property
    def rate(self) -> float:
        return median(run.rate for run in self.runs)

    @property
    def spread(self) -> float:
        """From the slowest to the fastest run, as a part of the median."""
        rates = [run.rate for run in self.runs]
        return (max(rates) - min(rates)) / self.rate

    @property
    def round_trips(self) -> float:
        return median(run.round_trips / run.messages for run in self.runs)

    @property
    def cpu_us(self) -> float | None:
        """CPU time a message, less what starting costs; None where that is most of it."""
        least = self.least
        if least is None or median(run.cpu_us for run in self.runs) < 2 * least.cpu_us:
            return None
        return median((run.cpu_us - least.cpu_us) / (run.messages - least.messages) for run in self.runs)

    @property
    def peak_mb(self) -> float:
        return max(run.peak_kib for run in self.runs) * 1024 / 1e6


def measure(
    bench: Bench, cell: Cell, runners: list[Runner], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Row]:
    """Every client that runs in the cell. In each round all of them run in turn, so that a slow minute slows all alike."""
    rows = [Row(runner) for runner in runners if runner.runs_in(cell)]
    for row in rows:
        say(f"{cell.title}: how long does {row.runner.name} take?")
        attempt(row, lambda row: settle(bench, cell, row, seconds))
    for number in range(rounds):
        for row in rows:
            if row.failure is None:
                say(f"{cell.title}: round {number + 1} of {rounds}, {row.runner.name}")
                attempt(row, lambda row: row.runs.append(bench.measure(row.runner, cell, row.messages)))
    return rows


def attempt(row: Row, action: Callable[[Row], None]) -> None:
    """A client that fails once has failed: its other runs prove nothing."""
    try:
        action(row)
    except Failure as failure:
        row.failure = str(failure)


def settle(bench: Bench, cell: Cell, row: Row, seconds: float) -> None:
    """Finds how many messages take that many seconds."""
    messages = cell.connections
    row.least = run = bench.measure(row.runner, cell, messages)
    while run.seconds < seconds / 10 and messages < MOST:
        messages *= 4 if messages < 4 * cell.connections else 16
        run = bench.measure(row.runner, cell, messages)
    row.messages = min(max(int(run.rate * seconds), 2 * cell.connections), MOST)
