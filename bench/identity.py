"""Who asks: what finding that out costs a read, and what a client certificate costs a connection."""

import http.client
import statistics
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path

from bench.inventories import stocked
from bench.load import Effort, cpu_seconds, on_load_core
from bench.table import Figure, Table
from tests.certificates import client
from tests.gateway import Gateway
from tests.netweave.test_tls import Served
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

HANDSHAKES, LOOKS = 100, 2000


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """In one process; then over TLS."""
    with stocked(postgres, redis, {"sample": 50}) as gateway:
        costs = [_cost(gateway, counted=counted) for counted in (False, True)]
        _told_apart(gateway, table)
    table.add(Figure("identity, permission and audit of a read: CPU", costs[0], "µs", 60))
    table.add(Figure("asking Redis for the rates: CPU", costs[1] - costs[0], "µs"))
    with tempfile.TemporaryDirectory() as folder:
        _handshakes(Served(postgres, redis, Path(folder), LOG_LEVEL="WARNING"), table, effort)


def _cost(gateway: Gateway, *, counted: bool) -> float:
    code = f"from bench.overhead import run; run({gateway.tokens['alice']!r}, counted={counted})"
    return float(gateway.manage("shell", "--no-imports", "-c", code).split()[-1])


def _told_apart(gateway: Gateway, table: Table) -> None:
    """Whether the time of a 404 tells a stranger's object from one that there is not."""
    theirs = gateway.get("alice", "/o2ims/v1/resourcePools").body["items"]
    foreign = next(one["resourcePoolId"] for one in theirs if one["name"] == "Mock Compute Pool 1")
    seconds: dict[str, list[float]] = {foreign: [], str(uuid.uuid4()): []}
    with on_load_core(), closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)) as line:
        for _ in range(LOOKS):
            for id_, found in seconds.items():
                headers = {"Authorization": f"Bearer {gateway.tokens['charlie']}"}
                started = time.perf_counter()
                line.request("GET", f"/o2ims/v1/resourcePools/{id_}", headers=headers)
                answer = line.getresponse()
                answer.read()
                found.append(time.perf_counter() - started)
                if answer.status != 404:
                    raise RuntimeError(f"{id_}: {answer.status}")
    one, other = map(statistics.median, seconds.values())
    table.add(
        Figure("a stranger's object beside none: difference of the medians", abs(one - other) * 1000, "ms", 2)
    )


def _handshakes(served: Served, table: Table, effort: Effort) -> None:
    """New connections with one request each, without and with a client certificate in turn."""
    shown = served.authority.issue(names=["alice.acme.o2ims.example.com"])
    contexts = {"without": client(served.authority), "with": client(served.authority, shown)}
    seconds: dict[str, list[float]] = {name: [] for name in contexts}
    cpu: dict[str, float] = dict.fromkeys(contexts, 0.0)
    try:
        with on_load_core():
            for _ in range(effort.rounds * HANDSHAKES):
                for name, context in contexts.items():
                    before, started = cpu_seconds([served.process.pid]), time.perf_counter()
                    if served.once(context) != 200:
                        raise RuntimeError(f"{name} a certificate: no answer")
                    seconds[name].append(time.perf_counter() - started)
                    cpu[name] += cpu_seconds([served.process.pid]) - before
    finally:
        served.close()
    took = {name: statistics.median(found) for name, found in seconds.items()}
    table.add(
        Figure(
            "handshake and request: with / without a client certificate",
            took["with"] / took["without"],
            "times",
            2,
        )
    )
    table.add(Figure("the same, CPU of the server", cpu["with"] / cpu["without"], "times"))
