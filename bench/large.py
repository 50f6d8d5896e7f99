"""100,000 resources: the memory and the start of a web process, and what a page costs beside one of 1,000."""

from bench.inventories import stocked
from bench.load import Effort, Limit, costs, interleaved, rss
from bench.reads import cases, restart
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SMALL, LARGE = 1_000, 100_000
READ_SECONDS = 300
MOST_MB, READY_SECONDS, BOUND = 1200, 20, 1.5


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Has every object of the large one answered once, then drives both in turn."""
    with (
        stocked(postgres, redis, {"sample": LARGE}) as large,
        stocked(postgres, redis, {"sample": SMALL}) as small,
    ):
        _read_all(large)
        found = [*cases(small, SMALL), *cases(large, LARGE)]
        interleaved(found, effort, scripts=large.den.path)
        table.loads("large", found)
        name = f"RSS of a web process with {LARGE:,} resources"
        table.add(Figure(f"{name}, all of them read, after load", rss(large.web.pid), "MB", MOST_MB))
        named = {case.name: case for case in found}
        less, more = costs([named[f"page of 100, of {size:,}"] for size in (SMALL, LARGE)], effort)
        table.add(Figure(f"page of 100: CPU of {LARGE:,} / CPU of {SMALL:,}", more / less, "times", BOUND))
        table.add(Figure(f"ready with {LARGE:,} stored", restart(large), "s", READY_SECONDS))
        table.add(Figure(f"{name}, just started", rss(large.web.pid), "MB", MOST_MB))


def _read_all(gateway: Gateway) -> None:
    """Every page, in every representation: each object's bytes are kept once they were made."""
    limit = Limit(READ_SECONDS, "all of it read")
    pools = gateway.get("root", "/o2ims/v1/resourcePools?limit=1000").body["items"]
    paths = [
        f"/o2ims-infrastructureInventory/v1/resourcePools/{pool['resourcePoolId']}/resources"
        for pool in pools
    ]
    for path in ("/o2ims/v1/resources", *paths):
        following = f"{path}?limit=1000"
        while following:
            limit.check()
            answer = gateway.get("root", following)
            if answer.status != 200:
                raise RuntimeError(f"{following}: {answer}")
            _, _, target = answer.headers.get("link", "").partition("<")
            following = target.partition(">")[0].removeprefix(gateway.url)
