#!/usr/bin/env python3
"""Measures SMTP servers under the load of Postfix's smtp-source: messages a second, and what each costs. See README.md beside this file."""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "target" / "benches"
POSTFIX = f"{os.environ['PATH']}:/usr/sbin"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    name: str
    command: list
    """With PORT in place of the port."""


@dataclass(frozen=True)
class Run:
    rate: float
    cpu_us: float
    memory_kib: int


def main() -> int:
    options = parse()
    source = shutil.which("smtp-source", path=POSTFIX)
    if source is None:
        print("smtp-source is not here: run tests/servers/install", file=sys.stderr)
        return 1
    servers = list(prepare())
    runs: dict[str, list[Run]] = {server.name: [] for server in servers}
    for number in range(options.rounds):
        for server in servers:
            runs[server.name].append(measure(server, source, options))
            print(f"round {number + 1}: {server.name}: {runs[server.name][-1].rate:.0f} a second", file=sys.stderr)
    print(render(runs, options))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=5000, help="in each run (5000)")
    parser.add_argument("--connections", type=int, default=10, help="at a time (10)")
    parser.add_argument("--size", type=int, default=2048, help="octets of content (2048)")
    return parser.parse_args()


def prepare():
    """Builds or installs each server, at pinned versions."""
    root = HERE.parent
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "-p", "okuru-cli"], cwd=root, check=True)
    yield Server("okuru sink", [root / "target/release/okuru", "sink", "--listen", "127.0.0.1:PORT"])
    smtp_sink = shutil.which("smtp-sink", path=POSTFIX)
    if smtp_sink is not None:
        # The last argument is how many clients may wait to be accepted.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        yield Server("Postfix smtp-sink", [smtp_sink, *user, "127.0.0.1:PORT", "1000"])
    venv = TARGET / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "servers/requirements.txt"]
    subprocess.run(pip, check=True)
    yield Server("aiosmtpd", [venv / "bin/python", HERE / "servers/aiosmtpd_sink.py", "PORT"])
    npm = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(npm, cwd=HERE / "servers", check=True)
    yield Server("smtp-server", ["node", HERE / "servers/smtp_server.mjs", "PORT"])


def measure(server: Server, source: str, options: argparse.Namespace) -> Run:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(word).replace("PORT", str(port)) for word in server.command]
    # On one core of their own, as the load is on another: no server has more of them than the others.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {0}))
    try:
        wait_for(port, process)
        load(source, port, options, options.connections)
        before, began = cpu(process.pid), time.monotonic()
        load(source, port, options, options.messages)
        seconds, spent = time.monotonic() - began, cpu(process.pid) - before
        return Run(options.messages / seconds, spent / options.messages * 1e6, memory(process.pid))
    finally:
        process.kill()
        process.wait()


def load(source: str, port: int, options: argparse.Namespace, messages: int) -> None:
    command = [source, "-d", "-m", messages, "-s", options.connections, "-l", options.size, "-f", "ann@example.com", "-t",
               "bob@example.org", f"inet:127.0.0.1:{port}"]
    allowed = {max(os.sched_getaffinity(0))}
    subprocess.run([str(word) for word in command], check=True, timeout=300,
                   preexec_fn=lambda: os.sched_setaffinity(0, allowed))


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} has ended with status {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                if client.recv(3) == b"220":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{process.args[0]} does not answer")


def cpu(pid: int) -> float:
    """Seconds of user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> int:
    """The peak of its resident set, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def render(runs: dict, options: argparse.Namespace) -> str:
    median = {name: Run(*(statistics.median(getattr(run, key) for run in of) for key in ("rate", "cpu_us", "memory_kib")))
              for name, of in runs.items()}
    ours = next(iter(median.values()))
    lines = [
        f"## Servers: {options.size} octets, {options.connections} connections, {options.rounds} rounds of {options.messages} messages, medians",
        "",
        "| server | messages/s | of okuru sink | CPU µs a message | peak MB |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [f"| {name} | {run.rate:.0f} | {run.rate / ours.rate:.0%} | {run.cpu_us:.0f} | {run.memory_kib / 1024:.0f} |"
              for name, run in median.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
