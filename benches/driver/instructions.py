"""Instructions a message, counted by callgrind: no clock, so a busy machine changes nothing."""

import re
from pathlib import Path

from .cells import SMALL, Cell
from .run import Bench, Failure
from .runners import Runner
from .table import line, number

CELL = Cell(SMALL, 1, 0)


def count(bench: Bench, runner: Runner, messages: int) -> int:
    """All that the client executes, in user space, to send so many messages."""
    out = Path(bench.folder.name) / "callgrind.out"
    out.unlink(missing_ok=True)
    prefix = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--"]
    # Nobody measures time here, so nobody need wait for delayed acknowledgements.
    bench.start(runner, CELL, messages, prefix, quick_ack=True, pinned=False)
    found = re.search(r"^(?:summary|totals):\s*(\d+)", out.read_text(), re.MULTILINE)
    if found is None:
        raise Failure("callgrind has counted nothing")
    return int(found[1])


def table(bench: Bench, runners: list[Runner], messages: int) -> tuple[str, bool]:
    """Sends N and 2N messages and takes the difference, so that starting and ending cancel out."""
    lines = [line(["client", "level", "instructions a message"]), line(["---", "---", "---:"])]
    failed = False
    for runner in runners:
        try:
            some, twice = count(bench, runner, messages), count(bench, runner, 2 * messages)
            result = number((twice - some) / messages)
        except Failure as failure:
            failed, result = True, f"failed: {failure}"
        lines.append(line([runner.name, runner.level, result]))
    return "\n".join(["### Instructions a message (2 KB, 1 connection, user space)", "", *lines, ""]), failed
