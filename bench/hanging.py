"""One source of twenty that takes connections and never answers, beside the same twenty without it: what
that does to reads, and to what is collected from the others. One hangs before TLS, one after the request.

All gateways run at the same time and are asked in turn, so what disturbs the machine disturbs all alike. A
worker that wasted the machine's time on the one that hangs would do so too: its CPU time is a figure of its
own.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.ims.memory.state import State
from adapters.types import Resource, object_id
from bench.inventories import state, stocked
from bench.load import Case, Effort, Limit, alternating, cpu_seconds, on_load_core
from bench.silent import Silent
from bench.table import Figure, Table, quantile
from tests.contract.hostile import Handler, HostileServer
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

OTHERS, EACH = 19, 500
READS, ROUNDS, CHANGES, SHOWN_SECONDS = 1000, 5, 190, 10
WORKER_SECONDS = 30.0  # the tries of one that hangs are further and further apart, up to these
BOUND = 1.1  # what may be different with one that hangs

Sides = Mapping[str, Gateway]  # the one without is the first


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """Asks all in turn, then changes something in the same source of all in turn."""
    others = {f"source-{number:02}": EACH for number in range(OTHERS)}
    with (
        Silent() as silent,
        HostileServer(Handler.wait) as waiting,
        stocked(postgres, redis, {**others, "small": 12}) as well,
        stocked(postgres, redis, others, _hanging(silent.kubeconfig())) as mute,
        stocked(postgres, redis, others, _hanging(waiting.kubeconfig())) as deaf,
    ):
        well.until(lambda: silent.seen and waiting.seen, what="calls of the sources that hang")
        sides = {"none hanging": well, "one hanging before TLS": mute, "one hanging after a request": deaf}
        _reads(sides, table, max(ROUNDS, effort.rounds))
        _changes(sides, list(others), table)
        _workers(sides, table)
        calls = silent.seen, len(waiting.seen)
    for name, count in zip(list(sides)[1:], calls, strict=True):
        table.add(Figure(f"calls without an answer, {name}", count, ""))


def _hanging(kubeconfig: Path) -> dict[str, Any]:
    return {"name": "hanging", "type": "k8s", "config": {"kubeconfig": str(kubeconfig)}}


def _reads(sides: Sides, table: Table, rounds: int) -> None:
    cases = [_page(gateway) for gateway in sides.values()]
    alternating(cases, 50)  # what is encoded at the first call
    found = [alternating(cases, READS) for _ in range(rounds)]
    for share, bound in ((0.5, None), (0.99, BOUND)):
        what = f"page of 100, one at a time, p{share * 100:.0f}"
        without = [quantile(seconds, share) for seconds, *_ in found]
        for number, name in enumerate(sides):
            times = [quantile(round_[number], share) for round_ in found]
            table.add(Figure(f"{what}, {name}", statistics.median(times) * 1000, "ms"))
            if number:
                ratio = statistics.median(one / base for one, base in zip(times, without, strict=True))
                table.add(Figure(f"{what}: {name} / none", ratio, "times", bound))


def _changes(sides: Sides, others: Sequence[str], table: Table) -> None:
    """Every source of the others has its turn: whoever was starved would show."""
    lags: dict[str, list[float]] = {name: [] for name in sides}
    backends = {name: [_Changed(gateway, other) for other in others] for name, gateway in sides.items()}
    order = list(sides)
    with on_load_core():
        for number in range(CHANGES):
            for name in order:
                lags[name].append(backends[name][number % len(others)].lag(number))
            order.reverse()
    what = "change in a source → visible in a GET"
    for name, seconds in lags.items():
        table.spread(f"{what}, {name}", seconds, p50=0.3, p99=1)
    for name in list(sides)[1:]:
        ratio = statistics.median(lags[name]) / statistics.median(lags["none hanging"])
        table.add(Figure(f"{what}, p50: {name} / none", ratio, "times", BOUND))


def _workers(sides: Sides, table: Table) -> None:
    pids = {name: [gateway.worker.pid] for name, gateway in sides.items()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(WORKER_SECONDS)
    none, *ill = (cpu_seconds(pid) - before[name] for name, pid in pids.items())
    for name, used in zip(list(sides)[1:], ill, strict=True):
        table.add(Figure(f"CPU of the worker, nothing changing: {name} / none", used / none, "times", BOUND))


class _Changed:
    """One source's backend, changed behind the gateway's back."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self._gateway = gateway
        self._name = name
        self._state = State(name, str(state(gateway, name)), ())
        self._resources = self._state.all(Resource)

    def lag(self, number: int) -> float:
        """Seconds from a change of one resource until a GET shows it."""
        resource = self._resources[number % len(self._resources)]
        path = f"/o2ims/v1/resources/{object_id(self._name, resource.native_id)}"
        wanted = f"changed {number}"
        limit = Limit(SHOWN_SECONDS, f"the change of {resource.native_id} shown")
        self._state.put(replace(resource, description=wanted))
        while self._gateway.get("root", path).body["description"] != wanted:
            limit.check()
        return limit.spent


def _page(gateway: Gateway) -> Case:
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    return Case("page of 100", f"{gateway.url}/o2ims/v1/resources?limit=100", [gateway.web.pid], [token])
