"""A subscriber for benches, in a process of its own: counts what it gets, over TLS or not, and answers 204.

    python -m bench.sink PORT_FILE [CERTIFICATE KEY] [--ledger FILE]

GET /count answers how many, GET /times the arrivals of the last 200,000 (Unix seconds) with their ids. In the
ledger is a line for each request, whose subscription is the path; it is whole when /count has answered.
"""

import argparse
import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import orjson
import uvloop
from aiohttp import web


async def serve(
    tell: Callable[[str], object], tls: ssl.SSLContext | None, ledger: BinaryIO | None = None
) -> None:
    """Serves until killed."""
    count, arrivals = 0, deque[tuple[float, str]](maxlen=200_000)

    async def notified(request: web.Request) -> web.Response:
        nonlocal count
        at = time.time()
        body = await request.read()
        if ledger is not None:
            ledger.write(_line(request, body, at))
        count += 1
        arrivals.append((at, request.headers["webhook-id"]))
        return web.Response(status=204)

    async def counted(_: web.Request) -> web.Response:
        if ledger is not None:
            ledger.flush()
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


def _line(request: web.Request, body: bytes, at: float) -> bytes:
    headers = {name.lower(): value for name, value in request.headers.items()}
    record = {
        "what": "received",
        "subscription": request.path,
        "webhook_id": headers["webhook-id"],
        "o2_sequence": int(headers["o2-sequence"]),
        "at": at,
        "status": 204,
        "headers": headers,
        "body": body.decode(),
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port_file", type=Path)
    parser.add_argument("certificate", nargs="*")
    parser.add_argument("--ledger", type=Path)
    words = parser.parse_args()
    tls = None
    if words.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*words.certificate)
    if words.ledger is None:
        uvloop.run(serve(words.port_file.write_text, tls))
        return
    with words.ledger.open("wb") as ledger:
        uvloop.run(serve(words.port_file.write_text, tls, ledger))


if __name__ == "__main__":
    main()
