"""Where callbacks may not go, as delivery sees it: traps listen on this machine, and nobody ever connects."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from subscriptions.callback import Policy, connector, is_forbidden
from tests.sink import outward
from tests.subscriptions.spellings import AUTHORITIES, HOSTS

STRICT = Policy(plain_http=True)
LOOPBACK = Policy(plain_http=True, loopback=True)


class Trap:
    """Listens on every address of this machine, and counts who connects."""

    def __init__(self) -> None:
        self.caught: list[str] = []
        self.port = 0

    async def open(self) -> None:
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._answer, sock=listener)

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.caught.append(writer.get_extra_info("sockname")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n" % self.port
        )
        writer.write(b"Connection: close\r\n\r\n")
        await writer.drain()
        writer.close()


class Names(AbstractResolver):
    """A DNS that means harm: numbers as inet_aton reads them, and every name is what `answers` says next,
    then loopback for good."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        for address in self._meant(host):
            if address == "nothing":
                raise OSError("no such name")
            return [self._result(host, each, port) for each in address.split()]
        return [self._result(host, each, port) for each in ("127.0.0.1", "::1")]

    async def close(self) -> None:
        """Nothing is open."""

    def _meant(self, host: str) -> Iterator[str]:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            yield str(found[0][4][0])
        except (OSError, UnicodeError):
            yield from self._answers

    @staticmethod
    def _result(host: str, address: str, port: int) -> ResolveResult:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    made = Trap()
    await made.open()
    yield made
    await made.close()


async def post(url: str, policy: Policy, *answers: str, follow: bool = False) -> int | BaseException:
    """What comes of one POST: the status or the error."""
    dialled = connector(policy, resolver=Names(*answers), use_dns_cache=False)
    limit = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(connector=dialled, timeout=limit) as session:
        try:
            async with session.post(url, data=b"{}", allow_redirects=follow) as response:
                return response.status
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return error


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "127.9.9.9", "localhost", "[::ffff:127.0.0.1]"])
async def test_where_loopback_is_allowed_the_trap_does_catch(trap: Trap, host: str) -> None:
    assert await post(f"http://{host}:{trap.port}/", LOOPBACK) == 307
    assert len(trap.caught) == 1


async def test_no_spelling_of_a_forbidden_host_is_dialled(trap: Trap) -> None:
    elsewhere = [address if ":" not in address else f"[{address}]" for address in outward()]
    policy = Policy(plain_http=True, own=tuple(ip_network(address.strip("[]")) for address in elsewhere))
    for host in [*HOSTS, *elsewhere]:
        found = await post(f"http://{host}:{trap.port}/", policy)
        assert isinstance(found, Exception), host
    assert trap.caught == []


async def test_no_odd_authority_is_dialled(trap: Trap) -> None:
    for authority in AUTHORITIES:
        found = await post(f"http://{authority.format(trap.port)}/", STRICT)
        assert isinstance(found, Exception), authority
    assert trap.caught == []


@pytest.mark.parametrize(
    "answer",
    [
        *("127.0.0.1", "::1", "0.0.0.0", "::", "127.0.0.1 ::1", "10.0.0.1 ::1", "::ffff:127.0.0.1", "::1%lo"),
        *(
            "127.0.0.2 127.0.0.3 127.0.0.4",
            "127.0.0.1 fd00::1 10.1.1.1 169.254.169.254",
            "127.1",
            "localhost",
        ),
    ],
)
async def test_a_name_that_means_a_forbidden_place_is_told_from_one_that_does_not_answer(
    trap: Trap, answer: str
) -> None:
    for _ in range(3):
        found = await post(f"http://rebinding.example:{trap.port}/", STRICT, answer)
        assert isinstance(found, aiohttp.ClientConnectorError)
        assert is_forbidden(found)
        assert trap.caught == []


async def test_an_answer_that_changes_after_the_check_does_not_pass(trap: Trap) -> None:
    own = Policy(plain_http=True, loopback=True, own=(ip_network("127.0.0.1/32"), ip_network("::1/128")))
    names = Names("127.0.0.9", "127.0.0.1", "127.0.0.9", "::1")
    dialled = connector(own, resolver=names, use_dns_cache=False)
    ended = []
    async with aiohttp.ClientSession(connector=dialled) as session:
        for _ in range(4):
            try:
                async with session.post(f"http://a.example:{trap.port}/", allow_redirects=False):
                    ended.append("sent")
            except aiohttp.ClientConnectorError as error:
                ended.append("forbidden" if is_forbidden(error) else "failed")
    assert ended == ["sent", "forbidden", "sent", "forbidden"]
    assert {address.removeprefix("::ffff:") for address in trap.caught} == {"127.0.0.9"}


async def test_a_redirect_to_a_forbidden_place_is_not_dialled_even_where_it_is_followed(trap: Trap) -> None:
    own = Policy(plain_http=True, loopback=True, own=(ip_network("127.0.0.1/32"),))
    url = f"http://127.0.0.9:{trap.port}/"
    assert await post(url, own) == 307
    followed = await post(url, own, follow=True)
    assert isinstance(followed, aiohttp.ClientConnectorError)
    assert is_forbidden(followed)
    assert {address.removeprefix("::ffff:") for address in trap.caught} == {"127.0.0.9"}


async def test_a_refused_connection_and_an_unknown_name_are_not_forbidden() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        for url, answers in (
            (f"http://127.0.0.1:{closed.getsockname()[1]}/", ()),
            ("http://x.example/", ("nothing",)),
        ):
            found = await post(url, LOOPBACK, *answers)
            assert isinstance(found, aiohttp.ClientConnectorError)
            assert not is_forbidden(found)


async def test_of_several_addresses_only_the_allowed_one_is_dialled(trap: Trap) -> None:
    own = Policy(plain_http=True, loopback=True, own=(ip_network("127.0.0.1/32"), ip_network("::1/128")))
    assert await post(f"http://a.example:{trap.port}/", own, "127.0.0.1 ::1 127.0.0.9") == 307
    assert {address.removeprefix("::ffff:") for address in trap.caught} == {"127.0.0.9"}
