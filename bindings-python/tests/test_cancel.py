"""Who cancels leaves no half command, no task, no thread and no warning, and the others' messages go on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

import okuru
import trio
from conftest import Sink

Start = Callable[..., Sink]

ADDRESSES: dict[str, Any] = {"sender": "ann@example.com", "recipients": "bob@example.org"}


def test_a_task_is_cancelled(sink: Start) -> None:
    started = sink("--fault", "delay=1@mail")

    async def main() -> None:
        async with okuru.AsyncClient(started.url, tls="none", pipelining="none") as client:
            doomed = asyncio.create_task(client.send(b"x", **ADDRESSES))
            other = asyncio.create_task(client.send(b"y", **ADDRESSES))
            await asyncio.sleep(0.2)
            doomed.cancel()
            outcome = await other
            assert outcome.state == "accepted"
            assert doomed.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main(), debug=True)
    assert len(started.stop()) == 1
    assert threading.active_count() == 1


def test_a_scope_is_left(sink: Start) -> None:
    started = sink("--fault", "delay=1@mail")

    async def main() -> None:
        async with okuru.AsyncClient(started.url, tls="none", pipelining="none") as client:
            with trio.move_on_after(0.2) as scope:
                await client.send(b"x", **ADDRESSES)
            assert scope.cancelled_caught
            assert (await client.send(b"y", **ADDRESSES)).state == "accepted"

    trio.run(main)
    assert len(started.stop()) == 1


def test_a_scope_around_the_client_is_left(sink: Start) -> None:
    started = sink("--fault", "delay=5@content")

    async def main() -> None:
        with trio.move_on_after(0.3) as scope:
            async with okuru.AsyncClient(started.url, tls="none") as client:
                await client.send(b"x", **ADDRESSES)
        assert scope.cancelled_caught

    trio.run(main)


def test_a_client_is_left_by_a_cancelled_task(sink: Start) -> None:
    started = sink("--fault", "delay=5@content")

    async def main() -> None:
        async def sends() -> None:
            async with okuru.AsyncClient(started.url, tls="none") as client:
                await client.send(b"x", **ADDRESSES)

        task = asyncio.create_task(sends())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main(), debug=True)


def test_nobody_takes_more_outcomes(sink: Start) -> None:
    started = sink()
    made = 0

    def endless() -> Any:
        nonlocal made
        while True:
            made += 1
            yield okuru.message(b"x", **ADDRESSES)

    with okuru.Client(started.url, tls="none") as client:
        for number, outcome in enumerate(client.send_many(endless())):
            assert outcome.state == "accepted"
            if number == 100:
                break
        assert client.send(b"last", **ADDRESSES).state == "accepted"
    assert made < 5000


def test_the_event_loop_is_not_held_up(sink: Start) -> None:
    started = sink()

    async def main() -> float:
        longest, loop = 0.0, asyncio.get_running_loop()

        async def watch() -> None:
            nonlocal longest
            while True:
                before = loop.time()
                await asyncio.sleep(0.001)
                longest = max(longest, loop.time() - before)

        async with okuru.AsyncClient(started.url, tls="none") as client:
            watcher = asyncio.create_task(watch())
            outcome = await client.send(b"Subject: x\r\n\r\n" + b"line\r\n" * 3_000_000, **ADDRESSES)
            watcher.cancel()
            assert outcome.state == "accepted"
        return longest

    assert asyncio.run(main()) < 0.5
