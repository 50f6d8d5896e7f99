"""One source of twenty that takes connections and never answers, beside the same twenty without it: what
that does to reads, and to what is collected from the others."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from adapters.ims.memory.state import State
from adapters.types import Resource, object_id
from bench.inventories import state, stocked
from bench.load import Case, Effort, alternating, on_load_core
from bench.table import Figure, Table, quantile
from tests.contract.hostile import Handler, HostileServer
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

OTHERS, EACH = 19, 100
READS, ROUNDS, CHANGES = 600, 5, 100
CHANGED = "source-07"


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Asks both in turn, then changes something in the same source of both in turn."""
    others = {f"source-{number:02}": EACH for number in range(OTHERS)}
    with HostileServer(Handler.wait) as silent:
        hanging = {"name": "hanging", "type": "k8s", "config": {"kubeconfig": str(silent.kubeconfig())}}
        with (
            stocked(postgres, redis, {**others, "small": 12}) as well,
            stocked(postgres, redis, others, hanging) as ill,
        ):
            well.until(lambda: silent.seen, what="a call of the source that hangs")
            _reads(well, ill, table, max(ROUNDS, effort.rounds))
            _changes(well, ill, table)


def _reads(well: Gateway, ill: Gateway, table: Table, rounds: int) -> None:
    cases = [_page(gateway) for gateway in (well, ill)]
    alternating(cases, 50)  # what is encoded at the first call
    found = [alternating(cases, READS) for _ in range(rounds)]
    for share, bound in ((0.5, None), (0.99, 1.1)):
        pairs = [[quantile(seconds, share) for seconds in pair] for pair in found]
        name = f"page of 100, one at a time, p{share * 100:.0f}"
        table.add(Figure(f"{name}, 20 sources", _median(pairs, 0) * 1000, "ms"))
        table.add(Figure(f"{name}, one of them hanging", _median(pairs, 1) * 1000, "ms"))
        ratio = statistics.median(with_it / without for without, with_it in pairs)
        table.add(Figure(f"{name}: with one hanging / without", ratio, "times", bound))


def _changes(well: Gateway, ill: Gateway, table: Table) -> None:
    lags: tuple[list[float], list[float]] = ([], [])
    sides = [(_Changed(gateway), found) for gateway, found in zip((well, ill), lags, strict=True)]
    with on_load_core():
        for number in range(CHANGES):
            for changed, found in sides:
                found.append(changed.lag(number))
            sides.reverse()
    what = "change in a source → visible in a GET"
    table.spread(f"{what}, 20 sources", lags[0], p50=None, p99=None)
    table.spread(f"{what}, another one hanging", lags[1], p50=0.3, p99=1)


class _Changed:
    """One source's backend, changed behind the gateway's back."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._state = State(CHANGED, str(state(gateway, CHANGED)), ())
        self._resources = self._state.all(Resource)

    def lag(self, number: int) -> float:
        """Seconds from a change of one resource until a GET shows it."""
        resource = self._resources[number % len(self._resources)]
        path = f"/o2ims/v1/resources/{object_id(CHANGED, resource.native_id)}"
        wanted = f"changed {number}"
        started = time.monotonic()
        self._state.put(replace(resource, description=wanted))
        while self._gateway.get("root", path).body["description"] != wanted:
            if time.monotonic() - started > 10:
                raise RuntimeError(f"{resource.native_id} did not show its change within 10 s")
        return time.monotonic() - started


def _page(gateway: Gateway) -> Case:
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    return Case("page of 100", f"{gateway.url}/o2ims/v1/resources?limit=100", [gateway.web.pid], [token])


def _median(pairs: Sequence[Sequence[float]], side: int) -> float:
    return statistics.median(pair[side] for pair in pairs)
