"""The same pages from twenty sources and from one: what merging costs a read.

Beside one source of what each of the twenty has, and one of what all of them have together. All three have
as many pools as a page can show, so that every page compared holds as many objects on each side.
"""

import uuid
from collections.abc import Iterator
from urllib.parse import quote

from adapters.ims.memory.state import State
from adapters.types import ResourcePool
from bench.inventories import state, stocked
from bench.load import Case, Effort, costs
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SOURCES, EACH, POOLS = 20, 500, 100
TOTAL = SOURCES * EACH
BOUND = 1.5  # what twenty may cost of what one does
OWN, ORAN = "/o2ims/v1", "/o2ims-infrastructureInventory/v1"


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Every read of the twenty, in turn with the same read of the others."""
    many = {f"source-{number:02}": EACH for number in range(SOURCES)}
    with (
        stocked(postgres, redis, many) as merged,
        stocked(postgres, redis, {"source": EACH}) as small,
        stocked(postgres, redis, {"source": TOTAL}) as single,
    ):
        for gateway in (small, single):
            _add_pools(gateway)
        sides = {"20 sources": merged, f"one of {EACH:,}": small, f"one of {TOTAL:,}": single}
        cases = [
            [Case(what, f"{gateway.url}{path}", [gateway.web.pid], _token(gateway)) for what, path in reads]
            for gateway in sides.values()
            for reads in (list(_reads(gateway)),)
        ]
        for several, *ones in zip(*cases, strict=True):
            cost, *others = costs([several, *ones], effort)
            table.add(Figure(f"{several.name}: CPU, {SOURCES} sources of {EACH:,}", cost, "µs"))
            for name, other in zip(list(sides)[1:], others, strict=True):
                what = f"{several.name}: CPU, {SOURCES} sources / {name}"
                table.add(Figure(what, cost / other, "times", BOUND))


def _add_pools(gateway: Gateway) -> None:
    rows = State("source", str(state(gateway, "source")), ())
    for number in range(POOLS - len(rows.all(ResourcePool))):
        rows.put(ResourcePool(native_id=f"pool-more-{number:03}", name=f"More {number:03}", tenant="acme"))
    gateway.until(
        lambda: gateway.metric('netweave_items{kind="ResourcePool",source="source"}') == POOLS,
        what=f"{POOLS} pools",
    )


def _reads(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """What is read, and its path: pages on both roots, then what is found by a filter or by id."""
    pool = _found(gateway, "resourcePools", "pool-compute-1")[0]["resourcePoolId"]
    lists = {
        "resources, /o2ims": (f"{OWN}/resources", 100),
        "pools, /o2ims": (f"{OWN}/resourcePools", 100),
        "resources of a pool, O-RAN": (f"{ORAN}/resourcePools/{pool}/resources", 30),
        "pools, O-RAN": (f"{ORAN}/resourcePools", 30),
    }
    for what, (path, default) in lists.items():
        yield f"{what}, default page of {default}", _page(gateway, path, default)
        yield f"{what}, page of 100", _page(gateway, f"{path}?limit=100", 100)
    types = [type_["resourceTypeId"] for type_ in _found(gateway, "resourceTypes", "type-compute-large")]
    types += [str(uuid.UUID(int=number)) for number in range(SOURCES - len(types))]  # as long a filter
    by_type = quote(f"(in,resourceTypeId,{','.join(types)})")
    yield "filter by the same type of every source", _page(gateway, f"{OWN}/resources?filter={by_type}", 100)
    dense = quote("(gt,extensions/mock.utilization,40)")
    yield "filter without an index", _page(gateway, f"{OWN}/resources?filter={dense}", 100)
    one = gateway.get("root", f"{OWN}/resources?limit=1").body["items"][0]
    yield "one resource", f"{OWN}/resources/{one['resourceId']}"


def _found(gateway: Gateway, nouns: str, native_id: str) -> list[dict[str, str]]:
    where = quote(f"(eq,extensions/mock.nativeId,{native_id})")
    found: list[dict[str, str]] = gateway.get("root", f"{OWN}/{nouns}?filter={where}").body["items"]
    return found


def _page(gateway: Gateway, path: str, length: int) -> str:
    """The path, once it is certain that it has so many objects: other pages are not to be compared."""
    body = gateway.get("root", path).body
    items = body if isinstance(body, list) else body["items"]
    if len(items) != length:
        raise RuntimeError(f"{path} has {len(items)} objects, not {length}")
    return path


def _token(gateway: Gateway) -> list[str]:
    return [f"Authorization: Bearer {gateway.tokens['root']}"]
