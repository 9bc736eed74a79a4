#!/usr/bin/env python3
"""Measures SMTP clients against a sink that costs nearly nothing. See README.md beside this file."""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from driver import cells, instructions, runners
from driver.measure import measure
from driver.run import Bench
from driver.table import render

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "target" / "benches"


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if sys.platform != "linux":
        return complain("the bench needs Linux: epoll, CPU affinity, and the kernel's count of peak memory")
    if not options.no_build and build() != 0:
        return complain("the bench's programs could not be built")
    found, missing = runners.find()
    for sentence in missing:
        say(sentence)
    if options.only:
        found = [runner for runner in found if any(word in runner.name for word in options.only)]
        if not found:
            return complain(f"no client has {' or '.join(options.only)} in its name")
    bench = Bench(TARGET / "release", options.timeout)
    if options.instructions:
        if shutil.which("valgrind") is None:
            return complain("valgrind is not here, and only it can count instructions")
        found = [runner for runner in found if not runner.quick_ack]
        text, failed = instructions.table(bench, found, 200 if options.quick else 2000)
        print(text)
        return int(failed)
    return run(options, bench, found, missing)


def run(options: argparse.Namespace, bench: Bench, found: list, missing: list[str]) -> int:
    began = time.monotonic()
    chosen = cells.QUICK if options.quick else cells.ALL
    if options.cell:
        chosen = [cell for cell in chosen if all(word in cell.title for word in options.cell)]
    report, raw, failed = ["\n".join(["## Bench", "", about(options), *missing, ""])], [], False
    print(report[0])
    for cell in chosen:
        rows = measure(bench, cell, found, options.rounds, options.seconds, say)
        failed |= any(row.failure for row in rows)
        raw += [{"cell": cell.title, "client": row.runner.name, "failure": row.failure,
                 "runs": [vars(one) for one in row.runs]} for row in rows]
        report.append(render(cell, rows))
        print(report[-1], flush=True)
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "results.md").write_text("\n".join(report))
    (TARGET / "results.json").write_text(json.dumps(raw, indent=1))
    say(f"{time.monotonic() - began:.0f} seconds; {TARGET / 'results.md'}, {TARGET / 'results.json'}")
    return int(failed)


def about(options: argparse.Namespace) -> str:
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return (f"{model}, {os.cpu_count()} cores, Linux {platform.release()}; {options.rounds} rounds of about "
            f"{options.seconds:g} s, clients in turn, medians; load before: {os.getloadavg()[0]:.1f}.")


def build() -> int:
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "Cargo.toml", "--target-dir", TARGET]
    return subprocess.run(command).returncode


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of some 20 seconds: it shows that all works, not how fast")
    parser.add_argument("--instructions", action="store_true", help="count instructions a message under valgrind instead")
    parser.add_argument("--only", metavar="WORD", action="append", help="only clients with this in their name (repeatable)")
    parser.add_argument("--cell", metavar="WORD", action="append", help="only cells with this in their title (repeatable: all of them)")
    parser.add_argument("--rounds", type=int, help="runs of each client in each cell (default 5)")
    parser.add_argument("--seconds", type=float, help="how long one run should take (default 1)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds after which a client is ended and has failed (default 60)")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.1 if options.quick else 1)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("at least one round, and some time for it")
    return options


def complain(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 1


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
