"""The main job, on real input: a Kubernetes cluster served over O2-IMS and kept fresh by watching."""

import time
from typing import Any

import pytest

from tests.adapters.kubernetes_objects import TENANT, node, storage_class, volume
from tests.gateway import Gateway
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import ApiError

OURS, ORAN = "/o2ims/v1", "/o2ims-infrastructureInventory/v1"


@pytest.fixture
def served(gateway: Gateway, cluster: ControlPlane) -> Gateway:
    """A gateway, started, in front of a cluster with five nodes in two node pools and a volume."""
    for number in range(5):
        cluster.apply(node(f"n{number}", labels={"karpenter.sh/nodepool": f"pool-{number % 2}"}))
    cluster.apply(storage_class("fast"))
    cluster.apply(volume("pv-0", storage_class="fast"))
    config = {"kubeconfig": str(cluster.kubeconfig()), "timeout": "5s"}
    gateway.configure({"name": "edge", "type": "k8s", "tenant": "acme", "config": config})
    gateway.start(gateway.web, gateway.worker)
    return gateway


def items(gateway: Gateway, path: str, who: str = "alice") -> list[dict[str, Any]]:
    answer = gateway.get(who, path)
    assert answer.status == 200, answer
    return answer.body["items"] if isinstance(answer.body, dict) else answer.body


def takes(cluster: ControlPlane, manifest: dict[str, Any]) -> bool:
    """Whether the API server takes a manifest now."""
    try:
        cluster.apply(manifest)
    except (ApiError, OSError):
        return False
    return True


def nodes(gateway: Gateway, who: str = "alice") -> set[str]:
    return {item["name"] for item in items(gateway, f"{OURS}/resources", who)}


def test_a_cluster_is_served_on_both_roots_and_only_to_its_tenant(served: Gateway) -> None:
    assert nodes(served) == {"n0", "n1", "n2", "n3", "n4", "pv-0"}
    assert nodes(served, "charlie") == set()
    pools = {pool["name"]: pool["resourcePoolId"] for pool in items(served, f"{ORAN}/resourcePools")}
    assert len(pools) == 3
    inside = [
        {item["name"] for item in items(served, f"{ORAN}/resourcePools/{id_}/resources")}
        for id_ in pools.values()
    ]
    assert sorted(map(sorted, inside)) == [["n0", "n2", "n4"], ["n1", "n3"], ["pv-0"]]
    (manager,) = items(served, f"{ORAN}/deploymentManagers?all_fields")
    assert manager["capacity"]["cpu"] == 5 * 64
    assert manager["capabilities"]["kubernetesVersion"].startswith("v1.37")
    types = {item["resourceTypeId"]: item for item in items(served, f"{OURS}/resourceTypes")}
    resources = items(served, f"{OURS}/resources")
    assert {types[r["resourceTypeId"]]["resourceClass"] for r in resources} == {"COMPUTE", "STORAGE"}
    assert {r["globalAssetId"][:9] for r in resources if r["name"] != "pv-0"} == {"urn:uuid:"}
    filtered = items(served, f"{OURS}/resources?filter=(eq,extensions/k8s.architecture,amd64)")
    assert len(filtered) == 5


def test_a_change_in_the_cluster_shows_and_a_heartbeat_does_not(
    served: Gateway, cluster: ControlPlane
) -> None:
    cluster.apply(node("n9"))
    served.until(lambda: "n9" in nodes(served), seconds=10, what="the new node")
    changed = 'netweave_changes_total{kind="Resource",source="edge",type="MODIFY"}'
    beat = cluster.request("GET", "/api/v1/nodes/n0")
    for second in range(3):
        beat["status"]["conditions"][0]["lastHeartbeatTime"] = f"2026-02-01T00:00:0{second}Z"
        beat["metadata"].pop("resourceVersion", None)
        cluster.request("PUT", "/api/v1/nodes/n0/status", beat)
    cluster.delete(node("n1"))
    served.until(lambda: "n1" not in nodes(served), seconds=10, what="the node's end")
    assert served.metric(changed, port=served.ops_port) is None
    assert served.metric(changed.replace("MODIFY", "DELETE"), port=served.ops_port) == 1
    assert "edge: reachable, allowed, kubernetes v1.37" in served.manage("check_backends")


def test_a_label_moves_a_node_to_another_tenant(served: Gateway, cluster: ControlPlane) -> None:
    moved = node("n2", labels={TENANT: "globex", "karpenter.sh/nodepool": "pool-0"})
    cluster.apply(moved)
    served.until(lambda: nodes(served, "charlie") == {"n2"}, seconds=10, what="Charlie's node")
    assert "n2" not in nodes(served)


def test_the_api_server_dies_and_nothing_is_lost(served: Gateway, cluster: ControlPlane) -> None:
    before = nodes(served)
    cluster.kill_api()
    served.until(lambda: "proxy-status" in served.get("alice", f"{OURS}/resources").headers, what="the news")
    old = served.get("alice", f"{OURS}/resources")
    assert {item["name"] for item in old.body["items"]} == before
    assert "destination_unavailable" in old.headers["proxy-status"]
    assert 'details="source=edge"' in old.headers["proxy-status"]
    strict = served.get("alice", f"{ORAN}/resourcePools", Prefer="handling=strict")
    assert (strict.status, strict.body["sources"]) == (502, ["edge"])
    assert served.get("charlie", f"{OURS}/resources").headers.get("proxy-status") is None
    assert served.metric('netweave_source_up{source="edge"}', port=served.ops_port) == 0
    assert "Unreachable" in served.manage("check_backends", status=1)
    cluster.start_api()
    cluster.delete(node("n0"))
    cluster.apply(node("n7"))
    served.until(
        lambda: nodes(served) == before - {"n0"} | {"n7"}, seconds=60, what="what happened meanwhile"
    )
    served.until(
        lambda: "proxy-status" not in served.get("alice", f"{OURS}/resources").headers, what="fresh again"
    )


def test_etcd_dies_and_nothing_is_lost(served: Gateway, cluster: ControlPlane) -> None:
    before = nodes(served)
    cluster.kill_etcd()
    time.sleep(1)
    assert nodes(served) == before
    cluster.start_etcd()
    served.until(lambda: takes(cluster, node("n8")), seconds=60, what="the API server")
    served.until(lambda: "n8" in nodes(served), seconds=60, what="the node made afterwards")
    assert before <= nodes(served)


def test_a_worker_killed_in_the_middle_loses_and_repeats_nothing(
    served: Gateway, cluster: ControlPlane
) -> None:
    served.worker.kill()
    cluster.delete(node("n4"))
    cluster.apply(node("n6"))
    served.worker.start()
    served.until(lambda: "n6" in nodes(served) and "n4" not in nodes(served), seconds=40, what="both changes")
    listed = 'netweave_relists_total{reason="start",source="edge"}'
    for _ in range(2):
        served.worker.stop()
        served.worker.start()
        served.until(
            lambda: served.metric(listed, port=served.ops_port) == 1, what="the list after a restart"
        )
        for type_ in ("CREATE", "MODIFY", "DELETE"):
            changes = f'netweave_changes_total{{kind="Resource",source="edge",type="{type_}"}}'
            assert served.metric(changes, port=served.ops_port) is None
        assert nodes(served) == {"n0", "n1", "n2", "n3", "n6", "pv-0"}
