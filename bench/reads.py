"""Reads: what a page costs, and how little that depends on the size of the inventory."""

import time
from pathlib import Path
from urllib.parse import quote

from bench.floors import Floors
from bench.load import SERVER_CORE, Case, interleaved, rss
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis


def inventory(postgres: Postgres, redis: Redis, size: int) -> Gateway:
    """A gateway whose web process has `size` resources of the memory backend, on the server's core."""
    gateway = Gateway(postgres, redis, LOG_LEVEL="WARNING")
    state = str(gateway.den.path / "state")
    config = {"live": 0, "objects": size, "path": state}
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": config})
    gateway.web.command[:0] = ["taskset", "-c", SERVER_CORE]
    gateway.start(gateway.worker, gateway.web)
    gateway.until(
        lambda: gateway.metric('netweave_items{kind="Resource",source="sample"}') == size, seconds=120
    )
    return gateway


def cases(gateway: Gateway, size: int) -> list[Case]:
    """The reads that are measured on one inventory."""
    types = gateway.get("root", "/o2ims/v1/resourceTypes").body["items"]
    large = next(item for item in types if item["extensions"]["mock.nativeId"] == "type-compute-large")
    one = gateway.get("root", "/o2ims/v1/resources?limit=1").body["items"][0]["resourceId"]
    by_type = f"(eq,resourceTypeId,{large['resourceTypeId']})"
    by_extension = "(eq,extensions/mock.nativeId,node-gpu-003)"
    paths = {
        "pool list": "resourcePools",
        "one resource": f"resources/{one}",
        "page of 100": "resources?limit=100",
        "page of 1,000": "resources?limit=1000",
        "filter by type, page of 100": f"resources?filter={quote(by_type)}",
        "filter on an extension, 1 hit": f"resources?filter={quote(by_extension)}",
    }
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    return [
        Case(f"{name}, of {size:,}", f"{gateway.url}/o2ims/v1/{path}", [gateway.web.pid], [token])
        for name, path in paths.items()
    ]


def measure(
    postgres: Postgres, redis: Redis, table: Table, *, sizes: tuple[int, ...], rounds: int, seconds: int
) -> None:
    """Drives floors and inventories in turn."""
    floors = Floors()
    gateways = {size: inventory(postgres, redis, size) for size in sizes}
    try:
        found = [*floors.cases]
        for size, gateway in gateways.items():
            found += cases(gateway, size)
        interleaved(found, rounds=rounds, seconds=seconds, scripts=Path(floors.den.path))
        table.loads(found, floors=len(floors.cases))
        named = {case.name: case for case in found}
        small, large = (named[f"page of 100, of {size:,}"].median(32).cpu for size in (1_000, 10_000))
        table.add(Figure("page of 100: CPU of 10,000 / CPU of 1,000", large / small, "times", 1.5))
        cost = named["filter on an extension, 1 hit, of 10,000"].median(1).cpu / 1000
        table.add(Figure("filter on an extension over 10,000, CPU", cost, "ms", 5))
        table.add(
            Figure(
                "RSS of a web process with 10,000 resources, after load",
                rss(gateways[10_000].web.pid),
                "MB",
                350,
            )
        )
        table.add(Figure("ready with 10,000 stored", _restart(gateways[10_000]), "s", 5))
    finally:
        floors.close()
        for gateway in gateways.values():
            gateway.close()


def _restart(gateway: Gateway) -> float:
    gateway.web.stop()
    started = time.monotonic()
    gateway.web.start()
    gateway.web.wait_ready(lambda: gateway.get("", "/readyz").status == 200)
    return time.monotonic() - started
