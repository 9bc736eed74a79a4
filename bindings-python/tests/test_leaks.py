"""Nothing grows: file descriptors, tasks, memory."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import okuru
from conftest import Sink

Start = Callable[..., Sink]

ADDRESSES: dict[str, Any] = {"sender": "ann@example.com", "recipients": "bob@example.org"}

#: 100 000 where there is time.
MANY = int(os.environ.get("OKURU_MANY", "20000"))


def messages(count: int) -> Iterator[okuru.Message]:
    return (okuru.message(b"Subject: x\r\n\r\n" + b"x" * 1000, **ADDRESSES) for _ in range(count))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def test_blocking(sink: Start) -> None:
    started = sink()
    with okuru.Client(started.url, tls="none", connections=2, messages_per_connection=500) as client:
        for outcome in client.send_many(messages(5000)):
            assert outcome.state == "accepted"
        gc.collect()
        before = resident(), descriptors()
        for outcome in client.send_many(messages(MANY)):
            assert outcome.state == "accepted"
        gc.collect()
        after = resident(), descriptors()
    assert after[0] - before[0] < 8 << 20, "memory has grown"
    assert after[1] <= before[1] + 2, "file descriptors have grown"


def test_clients_leave_nothing(sink: Start) -> None:
    started = sink()

    async def several() -> None:
        for _ in range(50):
            async with okuru.AsyncClient(started.url, tls="none") as client:
                await client.send(b"x", **ADDRESSES)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    okuru.send(b"x", server=started.url, tls="none", **ADDRESSES)
    asyncio.run(several())
    gc.collect()
    before = descriptors()
    asyncio.run(several())
    for _ in range(50):
        okuru.send(b"x", server=started.url, tls="none", **ADDRESSES)
    gc.collect()
    assert descriptors() <= before


HOLDS_NO_FILE = """
import pathlib, resource, sys, okuru
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with okuru.Client(sys.argv[1], tls="none") as client:
    to = {"sender": "ann@example.com", "recipients": "bob@example.org"}
    client.send(b"x", **to).raise_for_state()
    before = peak()
    client.send(pathlib.Path(sys.argv[2]), **to).raise_for_state()
    print(peak() - before)
"""


def test_a_file_is_never_held(sink: Start, tmp_path: Path) -> None:
    path = tmp_path / "large.eml"
    with open(path, "wb") as file:
        file.write(b"Subject: large\r\n\r\n")
        for _ in range(64):
            file.write((b"x" * 62 + b"\r\n") * (1 << 14))
    command = [sys.executable, "-c", HOLDS_NO_FILE, sink("--size", "100000000").url, str(path)]
    grown = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert grown < 16 << 10, f"{grown} kB for a file of {path.stat().st_size >> 10} kB"
