"""A pool made on one web process: how long that takes, and when another one shows it, by id and in a list."""

from urllib.parse import quote

from bench.inventories import stocked
from bench.load import Effort, Limit, on_load_core
from bench.table import Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

POOLS = "/o2ims/v1/resourcePools"
RESOURCES, CREATES = 1_000, 100  # creates of each way to look
SHOWN_SECONDS = 10


def measure(postgres: Postgres, redis: Redis, table: Table, _effort: Effort) -> None:
    """Makes pools on the first process and looks for them on the second, by id and in a list in turn. The
    time is counted from when the POST was sent."""
    posts: list[float] = []
    by_id: list[float] = []
    in_list: list[float] = []
    with stocked(postgres, redis, {"sample": RESOURCES}) as gateway:
        other, port = gateway.another_web()
        other.start()
        try:
            other.wait_ready(lambda: gateway.get("", "/readyz", port=port).status == 200)
            with on_load_core():
                for number in range(CREATES):
                    _made(gateway, port, f"by-id-{number}", posts, by_id)
                    _made(gateway, port, f"in-list-{number}", posts, in_list)
        finally:
            other.stop()
    table.spread("POST of a pool, answered", posts, p50=None, p99=None)
    table.spread("POST of a pool → by id on another web process", by_id, p50=None, p99=1)
    table.spread("POST of a pool → in a list on another web process", in_list, p50=None, p99=1)


def _made(gateway: Gateway, port: int, name: str, posts: list[float], shown: list[float]) -> None:
    limit = Limit(SHOWN_SECONDS, f"{name} shown on the other process")
    answer = gateway.send("alice", "POST", POOLS, {"name": name, "description": "made to be measured"})
    if answer.status != 201:
        raise RuntimeError(f"{name}: {answer}")
    posts.append(limit.spent)
    id_ = answer.body["resourcePoolId"]
    listed = name.startswith("in-list")
    path = f"{POOLS}?filter={quote(f'(eq,name,{name})')}" if listed else f"{POOLS}/{id_}"
    while True:
        found = gateway.get("alice", path, port=port)
        if found.status == 200 and (not listed or found.body["items"]):
            break
        limit.check()
    shown.append(limit.spent)
