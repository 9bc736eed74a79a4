#!/usr/bin/env python3
"""Sends the bench's message by a client of Python: the runner behind the rows that say Python."""

import argparse
import asyncio
import sys
from pathlib import Path

SENDER, RECIPIENT = "sender@bench.test", "recipient@bench.test"


def okuru(options: argparse.Namespace, content: bytes) -> int:
    import okuru

    with okuru.Client(f"smtp://{options.addr}", **settings(options)) as client:
        return sum(outcome.state == "accepted" for outcome in client.send_many(messages(okuru, options, content)))


async def okuru_asyncio(options: argparse.Namespace, content: bytes) -> int:
    import okuru

    accepted = 0
    async with okuru.AsyncClient(f"smtp://{options.addr}", **settings(options)) as client:
        async for outcome in client.send_many(messages(okuru, options, content)):
            accepted += outcome.state == "accepted"
    return accepted


def settings(options: argparse.Namespace) -> dict:
    return {"tls": "none", "pipelining": options.level, "connections": options.connections, "ehlo": "client.bench.test"}


def messages(module, options: argparse.Namespace, content: bytes):
    """Each message is made anew, as a mailing does."""
    make = module.Message
    return (make(content, sender=SENDER, recipients=RECIPIENT) for _ in range(options.messages))


def smtplib(options: argparse.Namespace, content: bytes) -> int:
    import smtplib

    host, _, port = options.addr.partition(":")
    with smtplib.SMTP(host, int(port), local_hostname="client.bench.test") as client:
        for _ in range(options.messages):
            client.sendmail(SENDER, [RECIPIENT], content)
    return options.messages


async def aiosmtplib(options: argparse.Namespace, content: bytes) -> int:
    import aiosmtplib

    host, _, port = options.addr.partition(":")

    async def several(count: int) -> None:
        client = aiosmtplib.SMTP(hostname=host, port=int(port), start_tls=False, local_hostname="client.bench.test")
        async with client:
            for _ in range(count):
                await client.sendmail(SENDER, [RECIPIENT], content)

    each, rest = divmod(options.messages, options.connections)
    shares = [each + (place < rest) for place in range(options.connections)]
    await asyncio.gather(*(several(share) for share in shares))
    return options.messages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", choices=("okuru", "okuru-asyncio", "smtplib", "aiosmtplib"), required=True)
    parser.add_argument("--level", default="session")
    parser.add_argument("--message", type=Path, required=True)
    parser.add_argument("--addr", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--size", type=int)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--dots", action="store_true")
    options = parser.parse_args()
    content = options.message.read_bytes()
    client = {"okuru": okuru, "okuru-asyncio": okuru_asyncio, "smtplib": smtplib, "aiosmtplib": aiosmtplib}[options.client]
    accepted = client(options, content)
    if asyncio.iscoroutine(accepted):
        accepted = asyncio.run(accepted)
    return int(accepted != options.messages)


if __name__ == "__main__":
    sys.exit(main())
