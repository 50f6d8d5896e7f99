"""A real cluster: how long the first list of many nodes takes, and how soon a change shows in a GET."""

import time
from concurrent.futures import ThreadPoolExecutor

from bench import relist
from bench.load import Effort
from bench.table import Figure, Table
from tests.adapters.kubernetes_objects import node
from tests.gateway import Gateway
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

NODES, CHANGES = 10_000, 200


def measure(postgres: Postgres, redis: Redis, table: Table, _effort: Effort) -> None:
    """Fills a cluster with nodes, serves it, changes it, and has it compared."""
    gateway = Gateway(postgres, redis, LOG_LEVEL="WARNING")
    with ControlPlane() as cluster:
        try:
            gateway.configure(
                {"name": "edge", "type": "k8s", "config": {"kubeconfig": str(cluster.kubeconfig())}}
            )
            with ThreadPoolExecutor(8) as pool:
                list(
                    pool.map(
                        lambda n: cluster.request("POST", "/api/v1/nodes", node(f"n{n:05}")), range(NODES)
                    )
                )
            _first_list(gateway, table)
            _changes(gateway, cluster, table)
            _compare(gateway, table)
        finally:
            gateway.close()


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
        before = time.monotonic()
        current = cluster.request("GET", f"/api/v1/nodes/{name}")
        current["metadata"].setdefault("labels", {})["bench.example/mark"] = f"m{number}"
        current["spec"]["unschedulable"] = cordoned or None
        before = time.monotonic()
        cluster.request("PUT", f"/api/v1/nodes/{name}", current)
        while (
            gateway.get("root", f"/o2ims/v1/resources/{id_}")
            .body["extensions"]
            .get("k8s.labels", {})
            .get("bench.example/mark")
            != f"m{number}"
        ):
            if time.monotonic() - before > 10:
                raise RuntimeError(f"{name} did not show its change within 10 s")
        lags.append(time.monotonic() - before)
    table.spread("change in the cluster → visible in a GET", lags, p50=0.3, p99=1)


def _compare(gateway: Gateway, table: Table) -> None:
    """With a worker that compares often; the one before would have done so in the middle of the changes."""
    gateway.worker.stop()
    gateway.worker.command.insert(
        gateway.worker.command.index("-i") + 1, f"COMPARE_INTERVAL={relist.INTERVAL}"
    )
    gateway.worker.start()
    relist.compare(gateway, "edge", f"{NODES:,} unchanged nodes in a cluster", table)
