"""A real cluster: how long the first list of many nodes takes, and how soon a change shows in a GET."""

import time
from concurrent.futures import ThreadPoolExecutor

from bench import relist
from bench.load import Effort, Limit
from bench.table import Figure, Table
from tests.adapters.kubernetes_objects import node
from tests.gateway import Gateway
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

NODES, CHANGES = 10_000, 200
FILL_SECONDS, SHOWN_SECONDS = 600, 10


def measure(postgres: Postgres, redis: Redis, table: Table, _effort: Effort) -> None:
    """Fills a cluster with nodes, serves it, changes it, and has it compared."""
    gateway = Gateway(postgres, redis, LOG_LEVEL="WARNING")
    with ControlPlane() as cluster:
        try:
            gateway.configure(
                {"name": "edge", "type": "k8s", "config": {"kubeconfig": str(cluster.kubeconfig())}}
            )
            _fill(cluster)
            _first_list(gateway, table)
            _changes(gateway, cluster, table)
            _compare(gateway, table)
        finally:
            gateway.close()


def _fill(cluster: ControlPlane) -> None:
    limit = Limit(FILL_SECONDS, f"{NODES:,} nodes")

    def add(number: int) -> None:
        limit.check()
        cluster.request("POST", "/api/v1/nodes", node(f"n{number:05}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(NODES)))


def _first_list(gateway: Gateway, table: Table) -> None:
    gateway.start(gateway.web, ready=False)
    started = time.monotonic()
    gateway.worker.start()
    gateway.until(
        lambda: gateway.metric('netweave_items{kind="Resource",source="edge"}') == NODES,
        seconds=120,
        what="the first list",
    )
    table.add(Figure(f"start of the worker → {NODES:,} nodes shown", time.monotonic() - started, "s", 20))


def _changes(gateway: Gateway, cluster: ControlPlane, table: Table) -> None:
    time.sleep(3)
    ids = {
        item["name"]: item["resourceId"]
        for item in gateway.get("root", "/o2ims/v1/resources?limit=200").body["items"]
    }
    lags = []
    for number, (name, id_) in enumerate(list(ids.items())[:CHANGES]):
        cordoned = number % 2 == 0
        current = cluster.request("GET", f"/api/v1/nodes/{name}")
        current["metadata"].setdefault("labels", {})["bench.example/mark"] = f"m{number}"
        current["spec"]["unschedulable"] = cordoned or None
        limit = Limit(SHOWN_SECONDS, f"the change of {name} shown")
        cluster.request("PUT", f"/api/v1/nodes/{name}", current)
        while (
            gateway.get("root", f"/o2ims/v1/resources/{id_}")
            .body["extensions"]
            .get("k8s.labels", {})
            .get("bench.example/mark")
            != f"m{number}"
        ):
            limit.check()
        lags.append(limit.spent)
    table.spread("change in the cluster → visible in a GET", lags, p50=0.3, p99=1)


def _compare(gateway: Gateway, table: Table) -> None:
    """With a worker that compares often; the one before would have done so in the middle of the changes."""
    gateway.worker.stop()
    gateway.worker.command.insert(
        gateway.worker.command.index("-i") + 1, f"COMPARE_INTERVAL={relist.INTERVAL}"
    )
    gateway.worker.start()
    relist.compare(gateway, "edge", f"{NODES:,} unchanged nodes in a cluster", table)
