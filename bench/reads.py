"""Reads: what a page costs, and how little that depends on the size of the inventory."""

import time
from contextlib import ExitStack, closing
from urllib.parse import quote

from bench.floors import Floors
from bench.inventories import stocked
from bench.load import Case, Effort, costs, interleaved, rss
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SIZES = (50, 1_000, 10_000)


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


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Drives floors and inventories in turn."""
    with closing(Floors()) as floors, ExitStack() as stack:
        gateways = {size: stack.enter_context(stocked(postgres, redis, {"sample": size})) for size in SIZES}
        found = [*floors.cases]
        for size, gateway in gateways.items():
            found += cases(gateway, size)
        interleaved(found, effort, scripts=floors.den.path)
        table.loads("reads", found, floors=len(floors.cases))
        named = {case.name: case for case in found}
        small, large = costs([named[f"page of 100, of {size:,}"] for size in (1_000, 10_000)], effort)
        table.add(Figure("page of 100: CPU of 10,000 / CPU of 1,000", large / small, "times", 1.5))
        cost = named["filter on an extension, 1 hit, of 10,000"].median(1).cpu / 1000
        table.add(Figure("filter on an extension over 10,000, CPU", cost, "ms", 5))
        resident = rss(gateways[10_000].web.pid)
        table.add(Figure("RSS of a web process with 10,000 resources, after load", resident, "MB", 350))
        table.add(Figure("ready with 10,000 stored", restart(gateways[10_000]), "s", 5))


def restart(gateway: Gateway) -> float:
    """Stops the web process; the seconds from its new start until it is ready."""
    gateway.web.stop()
    started = time.monotonic()
    gateway.web.start()
    gateway.web.wait_ready(lambda: gateway.get("", "/readyz").status == 200)
    return time.monotonic() - started
