"""Everything listed anew beside the running watch, with nothing new in it: what that costs the worker, and
that it records nothing."""

import statistics
import time

from bench.inventories import stocked
from bench.load import Effort, Limit, cpu_seconds
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SIZE = 10_000
INTERVAL = "8s"  # give or take a tenth
QUIET_SECONDS, LOOK_SECONDS, COMPARED_SECONDS = 4.0, 0.25, 120
COMPARISONS, BOUND = 3, 2.0


def measure(postgres: Postgres, redis: Redis, table: Table, _effort: Effort) -> None:
    """Compares the memory backend with what is recorded of it."""
    with stocked(postgres, redis, {"sample": SIZE}, COMPARE_INTERVAL=INTERVAL) as gateway:
        compare(gateway, "sample", f"{SIZE:,} unchanged objects in memory", table)


def compare(gateway: Gateway, source: str, what: str, table: Table) -> None:
    """The median cost of some comparisons of a source whose worker compares every `INTERVAL`, and how many
    Changes they recorded."""
    _wait(gateway, source, _compared(gateway, source) + 1)
    changes = _changes(gateway)
    found = [_cost(gateway, source) for _ in range(COMPARISONS)]
    table.add(Figure(f"comparison of {what}: CPU of the worker", statistics.median(found), "s", BOUND))
    table.add(Figure(f"comparison of {what}: Changes recorded", _changes(gateway) - changes, "", 0))


def _cost(gateway: Gateway, source: str) -> float:
    """The worker's CPU time from the end of one comparison to the end of the next, less what it uses between
    them while it only watches."""
    count = _compared(gateway, source)
    start = cpu_seconds([gateway.worker.pid])
    began = Limit(COMPARED_SECONDS, f"{source} compared")
    while began.spent < QUIET_SECONDS:
        _compared(gateway, source)  # asking costs it something too
        time.sleep(LOOK_SECONDS)
    idle = (cpu_seconds([gateway.worker.pid]) - start) / began.spent
    _wait(gateway, source, count + 1)
    return cpu_seconds([gateway.worker.pid]) - start - idle * began.spent


def _wait(gateway: Gateway, source: str, count: float) -> None:
    limit = Limit(COMPARED_SECONDS, f"{source} compared")
    while _compared(gateway, source) < count:
        limit.check()
        time.sleep(LOOK_SECONDS)


def _compared(gateway: Gateway, source: str) -> float:
    sample = f'netweave_relists_total{{reason="compare",source="{source}"}}'
    return gateway.metric(sample, port=gateway.ops_port) or 0.0


def _changes(gateway: Gateway) -> int:
    with gateway.database() as rows:
        found = rows.execute("SELECT count(*) FROM o2ims_change").fetchone()
    return int(found[0]) if found else 0
