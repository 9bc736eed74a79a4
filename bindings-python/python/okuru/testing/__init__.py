"""A server to test against: what your program sends arrives here, over real sockets.

::

    with okuru.testing.Sink() as sink:
        okuru.send(message, server=sink.url)
        (received,) = sink.wait_for(1)
        assert received.recipients == ("bob@example.org",)
        assert received.email["Subject"] == "hello"

    async with okuru.testing.AsyncSink() as sink:        # asyncio or trio
        await client.send(message)
        (received,) = await sink.wait_for(1)

It can also go wrong, as servers do: ``Sink(faults=["defer@mail:3", "lose-reply"])``. With pytest there is a fixture,
``smtp_sink``.
"""

from okuru.testing._message import Received
from okuru.testing._sink import AsyncSink, Sink

__all__ = ["AsyncSink", "Received", "Sink"]
