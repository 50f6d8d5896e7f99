"""A subscriber for benches, in a process of its own: counts what it gets, over TLS or not, and answers 204.

    python -m bench.sink PORT_FILE [CERTIFICATE KEY]

GET /count answers how many, GET /times the arrivals of the last 200,000 (Unix seconds) with their ids.
"""

import asyncio
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(tell: Callable[[str], object], tls: ssl.SSLContext | None) -> None:
    """Serves until killed."""
    count, arrivals = 0, deque[tuple[float, str]](maxlen=200_000)

    async def notified(request: web.Request) -> web.Response:
        nonlocal count
        at = time.time()
        await request.read()
        count += 1
        arrivals.append((at, request.headers["webhook-id"]))
        return web.Response(status=204)

    async def counted(_: web.Request) -> web.Response:
        return web.json_response(count)

    async def times(_: web.Request) -> web.Response:
        return web.json_response(list(arrivals))

    app = web.Application()
    app.add_routes([web.get("/count", counted), web.get("/times", times), web.post("/{any:.*}", notified)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls, backlog=1024)
    await site.start()
    tell(str(runner.addresses[0][1]))
    await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    words = sys.argv[1:]
    tls = None
    if len(words) == 3:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(words[1], words[2])
    uvloop.run(serve(Path(words[0]).write_text, tls))


if __name__ == "__main__":
    main()
