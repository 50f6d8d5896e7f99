"""Who means no good: what fifty slow clients do to the others, how long the worst filter keeps a process
busy, and what bodies that are bombs leave behind in its memory."""

import gzip
import http.client
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

from bench.drips import Drips
from bench.inventories import stocked
from bench.load import Case, Effort, Limit, alternating, on_load_core, rss
from bench.table import Figure, Table, quantile
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

CLIENTS, READS, ROUNDS = 50, 400, 4
BOMBS, SECONDS = 120, 120  # of all kinds, and for them
MIB = 1024 * 1024


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Reads with and without slow clients in turn; then filters; then bodies."""
    with stocked(postgres, redis, {"sample": 1_000}) as gateway:
        _slow(gateway, table, max(ROUNDS, effort.rounds))
        words = gateway.manage("shell", "--no-imports", "-c", "from bench.parsing import run; run()").split()
        table.add(Figure("parsing any filter of 4 KiB, p99", float(words[-2]), "ms", 5))
        table.add(Figure("parsing any filter of 4 KiB, the longest", float(words[-1]), "ms"))
        _bombs(gateway, table)


def _slow(gateway: Gateway, table: Table, rounds: int) -> None:
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    page = Case("page", f"{gateway.url}/o2ims/v1/resources?limit=100", [gateway.web.pid], [token])
    alternating([page], 50)
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    begun = 0
    for _ in range(rounds):
        seconds["without"] += alternating([page], READS)[0]
        with Drips(gateway, CLIENTS) as drips:
            seconds["with"] += alternating([page], READS)[0]
        begun += drips.begun
    for name, found in seconds.items():
        table.add(
            Figure(f"page of 100, p50, {name} {CLIENTS} slow clients", quantile(found, 0.5) * 1000, "ms")
        )
    p99 = {name: quantile(found, 0.99) * 1000 for name, found in seconds.items()}
    for name, value in p99.items():
        table.add(Figure(f"page of 100, p99, {name} {CLIENTS} slow clients", value, "ms"))
    table.add(Figure("page of 100, p99: what they add", p99["with"] - p99["without"], "ms", 50))
    table.add(Figure("connections of theirs that were not cut off", CLIENTS * rounds / begun, "of 1"))


def bodies() -> Iterator[bytes]:
    """What a parser may be made to build of a mebibyte."""
    yield b"[" * (MIB - 1)
    yield b"[" + b"[]," * (MIB // 3 - 2) + b"[]]"
    yield json.dumps({f"k{number}": number for number in range(60_000)}).encode()
    yield b'{"a":' * (MIB // 6)
    yield b"[" + b"1," * (MIB // 2 - 2) + b"1]"
    yield b'{"name":"' + b"\\u00e4" * (MIB // 6 - 10) + b'"}'
    yield b'{"name":' + b"9" * (MIB - 20) + b"}"
    yield b" " * (MIB + 1)
    yield gzip.compress(b" " * 50 * MIB)


def _bombs(gateway: Gateway, table: Table) -> None:
    """A first half finds what the process keeps once and for all, such as its arenas."""
    with on_load_core():
        before, after = _after_bombs(gateway), _after_bombs(gateway)
    table.add(Figure(f"memory of the web process after {BOMBS} body bombs", before, "MB"))
    table.add(Figure(f"memory after {BOMBS} more: difference", abs(after - before) / before * 100, "%", 5))


def _after_bombs(gateway: Gateway) -> float:
    """The memory it comes down to after bombs: the median after some of the last, as collections come and
    go."""
    limit, kinds, found = Limit(SECONDS, "bombs"), list(bodies()), []
    for number in range(BOMBS):
        limit.check()
        _send(gateway, kinds[number % len(kinds)])
        if number >= BOMBS / 2 and number % len(kinds) == 0:
            time.sleep(0.5)
            found.append(rss(gateway.web.pid))
    return statistics.median(found)


def _send(gateway: Gateway, body: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {gateway.tokens['alice']}",
        "Content-Type": "application/json",
        **({"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}),
    }
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)) as line:
        line.request("POST", "/o2ims/v1/resourcePools", body=body, headers=headers)
        status = line.getresponse().status
    if status not in {400, 413, 415}:
        raise RuntimeError(f"a bomb was answered {status}")
