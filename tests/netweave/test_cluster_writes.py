"""Writes on a real cluster, as they run: pools and machines by HTTP, shown at once, recorded once, and
followed by the machines and nodes that come of them. (Who makes those of a set is a stand-in, and named
so.)"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.adapters.kubernetes_objects import MACHINES, machine_set, namespace, provider_spec
from tests.gateway import Gateway
from tests.peers.fault_proxy import FaultProxy, Pass, Silence, Slow
from tests.peers.kubernetes import ControlPlane
from tests.peers.machine_controller import MachineControllerStandIn
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

POOLS, RESOURCES = "/o2ims/v1/resourcePools", "/o2ims/v1/resources"
REPLICAS = "k8s.machineset.replicas"

pytestmark = pytest.mark.xdist_group("openshift")


def edge(cluster: ControlPlane, url: str | None = None, timeout: str = "5s") -> dict[str, Any]:
    """The cluster as an adapter, reached at `url`, with one machine template."""
    templates = {"worker": {"spec": provider_spec("m5.large")}}
    config = {
        "kubeconfig": str(cluster.kubeconfig(url=url)),
        "timeout": timeout,
        "machineTemplates": templates,
    }
    return {"name": "edge", "type": "kubernetes", "default": True, "config": config}


@pytest.fixture
def served(gateway: Gateway, cluster: ControlPlane) -> Gateway:
    """A gateway in front of a cluster with OpenShift's Machine API, whose objects are acme's unless
    labelled."""
    cluster.only_crds("openshift")
    cluster.apply(namespace(MACHINES))
    gateway.configure(edge(cluster))
    gateway.start(gateway.web, gateway.worker)
    return gateway


def make(gateway: Gateway, name: str = "workers", size: int = 2, who: str = "alice") -> dict[str, Any]:
    body = {"name": name, "description": "d", "extensions": {REPLICAS: size}}
    answer = gateway.send(who, "POST", POOLS, body)
    assert answer.status == 201, answer
    return dict(answer.body)


def inside(gateway: Gateway, pool: dict[str, Any]) -> list[dict[str, Any]]:
    answer = gateway.get("alice", f"{RESOURCES}?filter=(eq,resourcePoolId,{pool['resourcePoolId']})")
    assert answer.status == 200, answer
    return list(answer.body["items"])


def ready(gateway: Gateway, pool: dict[str, Any]) -> int:
    return sum(one["extensions"]["k8s.ready"] for one in inside(gateway, pool))


def changes(gateway: Gateway, object_id: str) -> list[str]:
    with gateway.database() as rows:
        said = "SELECT type FROM o2ims_change WHERE object_id = %s ORDER BY sequence"
        return [type_ for (type_,) in rows.execute(said, [object_id])]


def test_a_pool_is_made_grows_shrinks_and_goes_with_its_nodes(served: Gateway, cluster: ControlPlane) -> None:
    with MachineControllerStandIn(cluster):
        pool = make(served)
        where = f"{POOLS}/{pool['resourcePoolId']}"
        assert served.get("alice", where).body == pool
        served.until(lambda: ready(served, pool) == 2, seconds=20, what="two nodes")
        assert changes(served, pool["resourcePoolId"])[0] == "CREATE"

        etag = served.get("alice", where).headers["etag"]
        answer = served.send("alice", "PUT", where, {"extensions": {REPLICAS: 3}}, If_Match=etag)
        assert (answer.status, answer.body["extensions"][REPLICAS]) == (200, 3)
        assert served.get("alice", where).body == answer.body
        served.until(lambda: ready(served, pool) == 3, seconds=20, what="three nodes")

        gone = inside(served, pool)[0]["resourceId"]
        assert served.send("alice", "DELETE", f"{RESOURCES}/{gone}").status in {200, 204}
        assert served.get("alice", where).body["extensions"][REPLICAS] == 2
        served.until(
            lambda: served.get("alice", f"{RESOURCES}/{gone}").status == 404, what="the machine's end"
        )
        served.until(lambda: ready(served, pool) == 2, seconds=20, what="two nodes, and no third")

        refused = served.send("alice", "DELETE", where)
        assert refused.status == 409, refused
        assert served.send("alice", "DELETE", f"{where}?cascade=true").status == 204
        assert served.get("alice", where).status == 404
        served.until(lambda: inside(served, pool) == [], seconds=20, what="the end of its machines")
        served.until(
            lambda: not cluster.request("GET", "/api/v1/nodes")["items"], what="the end of its nodes"
        )
    assert changes(served, pool["resourcePoolId"])[-1] == "DELETE"


def test_a_machine_beside_the_set_is_in_the_pool_and_not_in_its_size(
    served: Gateway, cluster: ControlPlane
) -> None:
    pool = make(served, size=0)
    body = {"name": "extra-1", "resourcePoolId": pool["resourcePoolId"], "description": "by hand"}
    answer = served.send("alice", "POST", RESOURCES, body)
    assert (answer.status, answer.body["resourcePoolId"]) == (201, pool["resourcePoolId"])
    id_ = answer.body["resourceId"]
    assert served.get("alice", f"{RESOURCES}/{id_}").body == answer.body
    assert served.get("alice", f"{POOLS}/{pool['resourcePoolId']}").body["extensions"][REPLICAS] == 0
    served.until(lambda: changes(served, id_) != [], what="its record")
    assert served.send("alice", "DELETE", f"{RESOURCES}/{id_}").status == 204
    assert changes(served, id_) == ["CREATE", "DELETE"]


def test_what_belongs_to_another_tenant_is_not_there_to_write(served: Gateway, cluster: ControlPlane) -> None:
    theirs = make(served, "theirs", who="charlie")
    where = f"{POOLS}/{theirs['resourcePoolId']}"
    for method, body in (("PUT", {"extensions": {REPLICAS: 9}}), ("DELETE", None)):
        assert served.send("alice", method, where, body).status == 404
    wanted = {"name": "mine", "resourcePoolId": theirs["resourcePoolId"]}
    assert served.send("alice", "POST", RESOURCES, wanted).status == 422
    assert served.get("charlie", where).body == theirs
    assert make(served, "theirs")["resourcePoolId"] != theirs["resourcePoolId"], "the name is free to acme"


def test_what_the_cluster_refuses_is_told_where_it_is(served: Gateway, cluster: ControlPlane) -> None:
    for body, status, pointer in (
        ({"name": "Workers"}, 400, "/name"),
        (
            {"name": "w", "extensions": {"k8s.machineTemplate": "none"}},
            400,
            "/extensions/k8s.machineTemplate",
        ),
        ({"name": "w", "extensions": {REPLICAS: -1}}, 400, f"/extensions/{REPLICAS}"),
        ({"name": "w", "location": "elsewhere"}, 400, "/location"),
    ):
        answer = served.send("alice", "POST", POOLS, body)
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (status, pointer), answer
    assert cluster.request("GET", "/apis/machine.openshift.io/v1beta1/machinesets")["items"] == []
    make(served)
    again = served.send("alice", "POST", POOLS, {"name": "workers"})
    assert again.status == 409
    assert "check" not in str(again.body), "nothing of the API server's own words about itself"


def test_a_set_that_somebody_else_changes_at_the_same_time_is_changed_by_both(
    served: Gateway, cluster: ControlPlane
) -> None:
    pool = make(served)
    cluster.apply(machine_set("other", tenant="acme"))
    found = cluster.request(
        "GET", f"/apis/machine.openshift.io/v1beta1/namespaces/{MACHINES}/machinesets/workers"
    )
    path = f"/apis/machine.openshift.io/v1beta1/namespaces/{MACHINES}/machinesets/workers"
    patch = {"metadata": {"annotations": {"lab.test/seen": found["metadata"]["resourceVersion"]}}}
    cluster.request("PATCH", path, patch, content_type="application/merge-patch+json")
    where = f"{POOLS}/{pool['resourcePoolId']}"
    assert served.send("alice", "PUT", where, {"extensions": {REPLICAS: 7}}).status == 200
    there = cluster.request("GET", path)
    assert there["spec"]["replicas"] == 7
    assert "lab.test/seen" in there["metadata"]["annotations"]


def test_an_answer_that_is_lost_on_its_way_is_found_out(
    postgres: Postgres, redis_server: Redis, cluster: ControlPlane
) -> None:
    """The API server makes the set, and the network takes its answer away."""
    cluster.only_crds("openshift")
    cluster.apply(namespace(MACHINES))
    gateway = Gateway(postgres, redis_server, OPERATION_LIMIT="2s")
    with FaultProxy(int(cluster.url.rpartition(":")[2])) as proxy, ThreadPoolExecutor(1) as threads:
        gateway.configure(edge(cluster, f"https://127.0.0.1:{proxy.port}", timeout="2s"))
        try:
            gateway.start(gateway.web, gateway.worker)
            proxy.fault = Slow(0.3)
            asked = threads.submit(gateway.send, "alice", "POST", POOLS, {"name": "workers"})
            gateway.until(lambda: sets(cluster) == ["workers"], what="the set")
            proxy.fault = Silence()
            answer = asked.result()
            assert (answer.status, "look before you ask again" in answer.body["detail"]) == (504, True)
            proxy.fault = Pass()
            proxy.drop()
            gateway.until(lambda: states(gateway) == ["settled"], what="somebody who looks")
            shown = [item["name"] for item in gateway.get("alice", POOLS).body["items"]]
            assert (shown.count("workers"), sets(cluster)) == (1, ["workers"])
            assert gateway.send("alice", "POST", POOLS, {"name": "workers"}).status == 409
        finally:
            gateway.close()


def sets(cluster: ControlPlane) -> list[str]:
    found = cluster.request("GET", "/apis/machine.openshift.io/v1beta1/machinesets")
    return [item["metadata"]["name"] for item in found["items"]]


def states(gateway: Gateway) -> list[str]:
    with gateway.database() as rows:
        return [state for (state,) in rows.execute("SELECT state FROM o2ims_operation")]
