"""A real cluster: how long the first list of many nodes takes, and how soon a change shows in a GET."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from bench.table import Figure, Table
from tests.adapters.kubernetes_objects import node
from tests.gateway import Gateway
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

NODES, CHANGES = 10_000, 200


def measure(postgres: Postgres, redis: Redis, table: Table) -> None:
    """Fills a cluster with nodes, serves it, and changes it."""
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
    lags.sort()
    table.add(Figure("change in the cluster → visible in a GET, p50", statistics.median(lags), "s", 0.3))
    table.add(
        Figure("change in the cluster → visible in a GET, p99", lags[int(len(lags) * 0.99) - 1], "s", 1)
    )
