"""aiosmtpd: takes everything, keeps nothing. Its argument is the port."""

import asyncio
import sys

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Sink(), enable_SMTPUTF8=True), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
