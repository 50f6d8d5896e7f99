"""The same inventory twice, from twenty sources and from one: what merging costs a read."""

from urllib.parse import quote

from bench.inventories import stocked
from bench.load import Case, Effort, interleaved
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SOURCES, EACH = 20, 500
BOUND = 1.5  # what twenty may cost of what one does


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Drives both in turn; every read of the one beside the same read of the other."""
    many = {f"source-{number:02}": EACH for number in range(SOURCES)}
    with (
        stocked(postgres, redis, many) as merged,
        stocked(postgres, redis, {"source": SOURCES * EACH}) as single,
    ):
        pairs = list(zip(_cases(merged, f"{SOURCES} sources"), _cases(single, "one source"), strict=True))
        found = [case for pair in pairs for case in pair]
        interleaved(found, effort, scripts=merged.den.path, connections=(32,))
    table.loads("sources", found)
    for several, one in pairs:
        ratio = several.median(32).cpu / one.median(32).cpu
        what = several.name.rpartition(",")[0]
        table.add(Figure(f"{what}: CPU with {SOURCES} sources / CPU with one", ratio, "times", BOUND))


def _cases(gateway: Gateway, name: str) -> list[Case]:
    types = [
        item["resourceTypeId"]
        for item in gateway.get("root", "/o2ims/v1/resourceTypes?limit=1000").body["items"]
        if item["extensions"]["mock.nativeId"] == "type-compute-large"
    ]
    one = gateway.get("root", "/o2ims/v1/resources?limit=1").body["items"][0]["resourceId"]
    paths = {
        "page of 100": "resources?limit=100",
        "page of 5 pools": "resourcePools?limit=5",  # as many as the one source has
        "filter by one type, page of 100": f"resources?filter={quote(f'(eq,resourceTypeId,{types[0]})')}",
        "filter by that type of every source, page of 100": "resources?filter="
        + quote(f"(in,resourceTypeId,{','.join(types)})"),
        "one resource": f"resources/{one}",
    }
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    return [
        Case(f"{what}, {name}", f"{gateway.url}/o2ims/v1/{path}", [gateway.web.pid], [token])
        for what, path in paths.items()
    ]
