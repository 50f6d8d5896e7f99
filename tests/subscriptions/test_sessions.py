"""The connections of a worker: what one tenant's policy has opened is never there for another's send, and a
policy that is taken away closes what it had opened."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from subscriptions import delivery, sessions
from subscriptions.callback import Policy
from subscriptions.schedule import Outcome
from subscriptions.sessions import Sessions

CLOSED = Policy(plain_http=True)
OPEN = Policy(plain_http=True, loopback=True)
SAME = Policy(plain_http=True, loopback=True)


class Host:
    """A subscriber that keeps connections open, and counts them; it answers after `slow` seconds."""

    def __init__(self) -> None:
        self.slow = 0.0
        self.connections = self.requests = self.ended = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/x"

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                self.requests += 1
                await asyncio.sleep(self.slow)
                writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended += 1
        finally:
            writer.close()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def to() -> AsyncIterator[Sessions]:
    async with Sessions(CLOSED) as made:
        yield made


async def send(to: Sessions, tenant: str, host: Host) -> Outcome:
    return (await delivery.post(to.of(tenant), host.url, b"{}", {})).outcome


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that within 5 s")


async def test_a_connection_that_one_tenant_may_have_is_never_anothers(to: Sessions, host: Host) -> None:
    await to.arrange({"acme": OPEN})
    assert await send(to, "acme", host) is Outcome.DELIVERED
    for other in ("globex", ""):
        for _ in range(3):  # acme's connection is open, and to the very same host and port
            assert await send(to, other, host) is Outcome.FORBIDDEN
    assert await send(to, "acme", host) is Outcome.DELIVERED
    assert (host.connections, host.requests, host.ended) == (1, 2, 0)


async def test_nor_are_those_of_many_who_send_at_once(to: Sessions, host: Host) -> None:
    await to.arrange({"acme": OPEN})
    tenants = ["acme", "globex"] * 50
    outcomes = await asyncio.gather(*(send(to, tenant, host) for tenant in tenants))
    assert set(zip(tenants, outcomes, strict=True)) == {("acme", "delivered"), ("globex", "forbidden")}
    assert host.requests == 50


async def test_a_policy_that_is_taken_away_is_out_of_reach_at_once(to: Sessions, host: Host) -> None:
    await to.arrange({"acme": OPEN, "globex": SAME})
    assert await send(to, "acme", host) is Outcome.DELIVERED
    await to.arrange({"globex": SAME})
    assert await send(to, "acme", host) is Outcome.FORBIDDEN
    assert await send(to, "globex", host) is Outcome.DELIVERED
    assert (host.connections, host.requests) == (1, 2), "tenants of one policy share what it has opened"
    await to.arrange({})
    assert await send(to, "globex", host) is Outcome.FORBIDDEN
    await to.arrange({"acme": SAME})
    assert await send(to, "acme", host) is Outcome.DELIVERED
    assert host.requests == 3


async def test_what_is_under_way_ends_as_it_began(to: Sessions, host: Host) -> None:
    host.slow = 0.5
    await to.arrange({"acme": OPEN})
    under_way = asyncio.create_task(send(to, "acme", host))
    await until(lambda: host.requests == 1)
    await to.arrange({})
    await to.arrange({})
    assert await under_way is Outcome.DELIVERED


async def test_what_nobody_may_have_any_more_is_closed_once_no_send_can_be_under_way(
    to: Sessions, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sessions.SPARED_SECONDS > delivery.ALL_SECONDS
    await to.arrange({"acme": OPEN})
    await send(to, "acme", host)
    nobody: dict[str, Policy] = {}
    await to.arrange(nobody)
    await to.arrange(nobody)
    assert host.ended == 0
    monkeypatch.setattr(sessions, "SPARED_SECONDS", 0)
    await to.arrange(nobody)
    await until(lambda: host.ended == 1)


async def test_all_are_closed_in_the_end(host: Host) -> None:
    async with Sessions(CLOSED) as to:
        await to.arrange({"acme": OPEN})
        await send(to, "acme", host)
        await to.arrange({"globex": replace(OPEN, allowed=(ip_network("10.0.0.0/8"),))})
        await send(to, "globex", host)
        assert (host.connections, host.ended) == (2, 0)
    await until(lambda: host.ended == 2)
