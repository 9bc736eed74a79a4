"""The clients, and how each is told what to send.

A runner takes `--addr`, `--messages`, `--size`, `--connections` and `--dots`, sends that many messages as
`src/message.rs` makes them, and exits with 0 only if the server took them all. What has its own flags gets its own
`command`.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .cells import LARGE, Cell


HERE = Path(__file__).resolve().parent.parent

PYTHON = HERE.parent / "bindings-python" / ".venv" / "bin" / "python"

LEVELS = ("none", "message", "session", "streaming")
NODE = HERE.parent / "bindings-node"


@dataclass(frozen=True)
class Job:
    """One run: so many messages to that address, in that cell."""

    addr: str
    messages: int
    cell: Cell
    programs: Path
    """The folder of the bench's own programs."""
    message_file: Path
    """The message, for clients that do not make it themselves; beside it, as `.lf`, with LF alone at the end of each line."""

    def flags(self) -> list[str]:
        cell = self.cell
        flags = ["--addr", self.addr, "--messages", str(self.messages), "--size", str(cell.size)]
        return flags + ["--connections", str(cell.connections)] + (["--dots"] if cell.dots else [])


@dataclass(frozen=True)
class Runner:
    name: str
    level: str
    """Its level of pipelining: the `limit` of that level is what it is compared with."""
    command: Callable[[Job], list[str]]
    runs_in: Callable[[Cell], bool] = lambda cell: True
    adds_empty_line: bool = False
    """It changes each message by an empty line at the end; any other change is a failure."""
    quick_ack: bool = False
    """The sink acknowledges each segment at once: what TCP_NODELAY in the client would do for it."""
    environment: tuple[tuple[str, str], ...] = ()


def own(program: str, *flags: str) -> Callable[[Job], list[str]]:
    return lambda job: [str(job.programs / program), *job.flags(), *flags]


def limit(level: str) -> Runner:
    def command(job: Job) -> list[str]:
        flags = ["--level", level]
        if level == "streaming":
            # What is in flight has to grow with the round trip.
            flags += ["--in-flight", str(64 << 20 if job.cell.rtt_ms else 512 << 10)]
        return own("limit", *flags)(job)

    # With large messages these two are enough: how often a client waits is nothing beside what it sends.
    return Runner(f"limit, {level}", level, command, lambda cell: cell.size != LARGE or level in ("session", "streaming"))


def okuru(name: str, program: str, level: str) -> Runner:
    return Runner(f"{name}, {level}", level, own(program, "--level", level))


def node(name: str, script: str, level: str, engine: str = "") -> Runner:
    def command(job: Job) -> list[str]:
        flags = ["--addr", job.addr, "--messages", str(job.messages), "--connections", str(job.cell.connections)]
        return ["node", str(HERE / "node" / script), *flags, "--file", str(job.message_file), "--level", level]

    return Runner(f"{name}, {level}" if engine else name, level, command, environment=(("OKURU_ENGINE", engine),) if engine else ())


def nodes() -> tuple[list[Runner], list[str]]:
    """Those for Node.js, if they are built."""
    if not (shutil.which("node") and (NODE / "dist" / "node.mjs").exists() and (NODE / "node_modules" / "nodemailer").exists()):
        return [], ["The packages for Node.js are not built, so their rows and nodemailer's are left out: `make node-build` does it."]
    engines = (("okuru, Node.js", "native"), ("okuru, WebAssembly in Node.js", "wasm"))
    runners = [node(name, "run_okuru.mjs", level, engine) for name, engine in engines for level in ("session", "streaming")]
    return [*runners, node("nodemailer", "run_nodemailer.mjs", "message")], []


def is_small(cell: Cell) -> bool:
    return cell.size != LARGE


def smtp_source(program: str) -> Runner:
    def command(job: Job) -> list[str]:
        flags = ["-4", "-d", "-s", str(job.cell.connections), "-m", str(job.messages), "-F", str(job.message_file.with_suffix(".lf"))]
        return [program, *flags, "-f", "sender@bench.test", "-t", "recipient@bench.test", job.addr]

    # Unpacked from its package without being installed, it has its libraries beside it.
    libraries = Path(program).resolve().parent.parent / "lib" / "postfix"
    environment = (("LD_LIBRARY_PATH", str(libraries)),) if libraries.is_dir() else ()
    return Runner("smtp-source", "none", command, adds_empty_line=True, environment=environment)


def python(name: str, client: str, level: str, runs_in: Callable[[Cell], bool] = lambda cell: True) -> Runner:
    def command(job: Job) -> list[str]:
        program = [str(PYTHON), str(HERE / "clients" / "send.py"), "--client", client, "--level", level]
        return [*program, "--message", str(job.message_file), *job.flags()]

    return Runner(name, level, command, runs_in)


def pythons() -> tuple[list[Runner], list[str]]:
    if not PYTHON.exists():
        return [], ["The Python package is not built, so its rows and its rivals' are left out: make python builds it."]
    levels = ("message", "session", "streaming")
    return [
        *(python(f"okuru for Python, {level}", "okuru", level) for level in levels),
        *(python(f"okuru for Python, asyncio, {level}", "okuru-asyncio", level) for level in levels),
        python("smtplib", "smtplib", "none", lambda cell: cell.connections == 1),
        python("aiosmtplib", "aiosmtplib", "none"),
    ], []


def find() -> tuple[list[Runner], list[str]]:
    """Every runner that is there, and a sentence for each that is not."""
    plain = {"level": "none", "adds_empty_line": True}
    runners = [
        *(limit(level) for level in LEVELS),
        *(okuru("okuru", "run-okuru", level) for level in LEVELS),
        *(okuru("okuru, tokio", "run-okuru-tokio", level) for level in LEVELS),
        Runner("lettre", command=own("run-lettre"), **plain),
        Runner("lettre, quick ACKs", command=own("run-lettre"), runs_in=is_small, quick_ack=True, **plain),
        Runner("lettre, tokio", command=own("run-lettre-tokio"), **plain),
        Runner("lettre, tokio, quick ACKs", command=own("run-lettre-tokio"), runs_in=is_small, quick_ack=True, **plain),
        Runner("mail-send", command=own("run-mail-send"), **plain),
        Runner("mail-send, quick ACKs", command=own("run-mail-send"), runs_in=is_small, quick_ack=True, **plain),
    ]
    more, missing = pythons()
    runners += more
    more, sentences = nodes()
    runners += more
    missing += sentences
    program = shutil.which(os.environ.get("SMTP_SOURCE", "smtp-source"), path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        sentence = "smtp-source is not here, so its rows are left out: Debian's package postfix has it, or SMTP_SOURCE says where it is."
        return runners, [*missing, sentence]
    return [*runners, smtp_source(program)], missing
