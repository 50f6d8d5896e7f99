"""Connections as uvicorn serves them with our bounds, in front of an application that takes its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from pytest_django.fixtures import Settings

from netweave.connections import Bounded

WHOLE = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: he"


@pytest.fixture(autouse=True)
def hurry(settings: Settings) -> None:
    settings.RECEIVE_TIMEOUT = timedelta(seconds=0.5)


class Begun:
    """An application that begins to answer, and goes on when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Callable[[dict[str, Any]], Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"-last"})


@asynccontextmanager
async def connected(app: Begun) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of a server of `app`."""
    config = uvicorn.Config(app, http=Bounded, lifespan="off", log_config=None)
    config.load()
    state = uvicorn.server.ServerState()
    listening = await asyncio.get_running_loop().create_server(
        lambda: Bounded(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        yield reader, writer
        writer.close()
        app.go_on.set()
        await asyncio.gather(*state.tasks)
    finally:
        listening.close()
        await listening.wait_closed()


async def test_no_refusal_is_written_into_an_answer_under_way() -> None:
    async with asyncio.timeout(10), connected(Begun()) as (reader, writer):
        writer.write(WHOLE + HALF)
        answer = await reader.read()
    assert answer.endswith(b"\r\n\r\nfirst"), answer


async def test_after_an_answer_the_next_request_that_takes_too_long_is_refused() -> None:
    app = Begun()
    app.go_on.set()
    async with asyncio.timeout(10), connected(app) as (reader, writer):
        writer.write(WHOLE)
        await reader.readuntil(b"first-last")
        writer.write(HALF)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_may_take_longer_than_a_request() -> None:
    app = Begun()
    async with asyncio.timeout(10), connected(app) as (reader, writer):
        writer.write(WHOLE)
        await reader.readuntil(b"first")
        await asyncio.sleep(1)
        app.go_on.set()
        assert await reader.readexactly(5) == b"-last"
