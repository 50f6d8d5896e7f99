"""A real cluster of 10,000 nodes that cannot be reached while 2,000 of them are changed, deleted and made
again, and that has forgotten its history when it can: how long until all of it is known, and that exactly
what is different then is told."""

import time
from collections import Counter
from pathlib import Path

from bench.apart import Apart
from bench.table import Figure, Table
from bench.verdicts import settled, verdicts
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.subscriptions.cut import cut_off

NODES, SHUFFLED = 10_000, 2000
RELIST_SECONDS = 15.0


def measure(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """A subscriber of everything, and one of what is deleted."""
    with (
        ControlPlane() as cluster,
        Apart(path=path) as sink,
        cut_off(postgres, redis, cluster, path, NODES) as run,
    ):
        run.recorder.subscribe("root", sink)
        run.recorder.subscribe("alice", sink, filter={"eventTypes": ["DELETE"]})
        run.cut()
        run.hands.shuffle(SHUFFLED)
        back = time.monotonic()
        tried = run.mend()
        run.gateway.until(run.is_seen, seconds=120, what="the list after it")
        listed = time.monotonic()
        settled(run, seconds=120)
        told, net = Counter(run.news()), Counter(run.hands.net)
        name = f"cut off from {NODES:,} nodes while {SHUFFLED:,} change"
        table.add(Figure(f"{name}: net changes", net.total(), ""))
        table.add(Figure(f"{name}: told beside them, or not told", _differing(told, net), "", 0))
        table.add(
            Figure(f"{name}: from the first try until all is recorded", listed - tried, "s", RELIST_SECONDS)
        )
        table.add(Figure(f"{name}: from its return until that first try", tried - back, "s", 30))
        verdicts(run, table, name, sink)


def _differing(told: Counter[tuple[str, str]], net: Counter[tuple[str, str]]) -> int:
    return ((told - net) + (net - told)).total()
