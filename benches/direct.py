#!/usr/bin/env python3
"""Measures direct delivery: many messages to many domains, by okuru and out of Postfix's queue, to the same sink. See README.md beside this file."""

import argparse
import contextlib
import os
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests/servers"))

import certificates
import knot
from postfix import Postfix
from stage import HOST, Stage

POSTFIX = f"{os.environ['PATH']}:/usr/sbin"
PATIENCE = 300
CONTENT = "Subject: a newsletter\r\n\r\n" + ("x" * 74 + "\r\n") * 26


def main() -> int:
    options = parse()
    subprocess.run([ROOT / "tests/servers/install"], check=True)
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "-p", "okuru-cli"], cwd=ROOT, check=True)
    ways = {"okuru send --direct": send, "Postfix's queue": flush}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.rounds):
        for name, way in ways.items():
            with stage() as here, sink() as taken:
                seconds[name].append(way(here, taken, options))
            rate = options.messages / seconds[name][-1]
            print(f"round {number + 1}: {name}: {rate:.0f} a second", file=sys.stderr)
    print(render(seconds, options))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=10_000, help="in each run (10000)")
    parser.add_argument("--domains", type=int, default=100, help="up to 250 (100)")
    parser.add_argument("--connections", type=int, default=100, help="at a time (100)")
    return parser.parse_args()


@contextlib.contextmanager
def stage():
    """Whatever is started on it ends with it."""
    ours, lifeline = socket.socketpair()
    here = Stage(lifeline)
    try:
        yield here
    finally:
        here.tear_down()
        ours.close()


class Sink:
    """smtp-sink, at every address of loopback: it tells how many messages it has taken."""

    def __init__(self, port: int, process: subprocess.Popen) -> None:
        self.port = port
        self._process = process

    def wait_for(self, messages: int) -> None:
        """The counters are sessions, quits and messages."""
        text = b""
        deadline = time.monotonic() + PATIENCE
        while True:
            if not select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise SystemExit(f"not all messages have come after {PATIENCE} s")
            text = (text + os.read(self._process.stdout.fileno(), 65536))[-200:]
            counters = re.findall(rb"mesg=(\d+)\r", text)
            if counters and int(counters[-1]) >= messages:
                return
            if self._process.poll() is not None:
                raise SystemExit("smtp-sink has ended")


@contextlib.contextmanager
def sink():
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [shutil.which("smtp-sink", path=POSTFIX), *user, "-c", f"0.0.0.0:{port}", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        time.sleep(0.2)
        yield Sink(port, process)
    finally:
        process.kill()
        process.wait()


def addresses(options: argparse.Namespace):
    return [f"bob@d{number % options.domains}.test" for number in range(options.messages)]


def send(here: Stage, taken: Sink, options: argparse.Namespace) -> float:
    """Each message is a file; from the start of the command to the last message."""
    knot.ZONE += "".join(f"d{n} MX 10 mx.d{n}\nmx.d{n} A 127.0.1.{n + 1}\n" for n in range(options.domains))
    names = knot.Knot(here)
    names.start()
    names.wait()
    folder = Path(tempfile.mkdtemp(dir=here.folder))
    files = []
    for number, to in enumerate(addresses(options)):
        files.append(folder / f"{number}.eml")
        files[-1].write_text(f"From: ann@example.test\r\nTo: {to}\r\n{CONTENT}", newline="")
    command = [ROOT / "target/release/okuru", "send", "--direct", "--dns", f"{HOST}:{names.port}", "--mx-port", taken.port,
               "--connections", options.connections, *files]
    began = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    taken.wait_for(options.messages)
    seconds = time.monotonic() - began
    if process.wait() != 0:
        raise SystemExit(f"okuru send has ended with status {process.returncode}")
    return seconds


class Sender(Postfix):
    """A Postfix that keeps what it gets, until it is told to let it go."""

    sink_port = 0
    holds = True

    def _main(self) -> str:
        settings = {
            "transport_maps": f"regexp:{self.stage.path(self.name)}/domains",
            "mynetworks": "127.0.0.0/8",
            "smtpd_recipient_restrictions": "permit_mynetworks, reject",
            "default_transport": "smtp",
            "defer_transports": "smtp" if self.holds else "",
            "smtp_tls_security_level": "none",
            "minimal_backoff_time": "1h",
            "maximal_backoff_time": "1h",
        }
        kept = [line for line in super()._main().splitlines() if line.partition(" =")[0] not in settings]
        return "\n".join([*kept, *(f"{name} = {value}" for name, value in settings.items())]) + "\n"

    def _services(self) -> str:
        return super()._services() + "pickup unix n - n 60 1 pickup\n"

    def set_free(self) -> None:
        self.holds = False
        self.stage.write(self._main(), self.name, "main.cf")
        self._master.send_signal(signal.SIGHUP)
        # Its processes are replaced.
        self.stage.rest(2)

    def flush(self) -> None:
        subprocess.run(["/usr/sbin/postqueue", "-c", self.stage.path(self.name), "-f"], check=True)


def flush(here: Stage, taken: Sink, options: argparse.Namespace) -> float:
    """All are in the queue; from the flush to the last message."""
    sender = Sender(here, certificates.make(here.path("tls")))
    sender.auth_socket = "none"
    rules = "".join(f"/@d{n}\\.test$/ smtp:[127.0.1.{n + 1}]:{taken.port}\n" for n in range(options.domains))
    here.write(rules, sender.name, "domains")
    sender.start()
    sender.wait()
    source = shutil.which("smtp-source", path=POSTFIX)
    for to in sorted(set(addresses(options))):
        count = addresses(options).count(to)
        command = [source, "-d", "-m", count, "-s", 2, "-l", len(CONTENT), "-f", "ann@example.test", "-t", to,
                   f"inet:{HOST}:{sender.ports['mx']}"]
        subprocess.run([str(word) for word in command], check=True)
    deferred = Path(here.path(sender.name + "-queue", "deferred"))
    while sum(path.is_file() for path in deferred.rglob("*")) < options.messages:
        here.rest(0.2)
    sender.set_free()
    began = time.monotonic()
    sender.flush()
    taken.wait_for(options.messages)
    return time.monotonic() - began


def render(seconds: dict, options: argparse.Namespace) -> str:
    medians = {name: statistics.median(of) for name, of in seconds.items()}
    ours = next(iter(medians.values()))
    lines = [
        f"## Direct delivery: {options.messages} messages of 2 KB to {options.domains} domains, up to {options.connections} connections, "
        f"{options.rounds} rounds, medians",
        "",
        "| | seconds | messages/s | times okuru's |",
        "|---|---:|---:|---:|",
    ]
    lines += [f"| {name} | {of:.1f} | {options.messages / of:.0f} | {of / ours:.1f} |" for name, of in medians.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
