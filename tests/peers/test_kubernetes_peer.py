"""The Kubernetes control plane of the tests starts, lets in whom it should, and survives what tests do."""

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from tests.peers import build
from tests.peers.fault_proxy import FaultProxy
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import ApiError
from tests.peers.process import wait_until

LIST_NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}


def node(name: str, **labels: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"test://{name}"},
        "status": {"capacity": {"cpu": "64"}, "allocatable": {"cpu": "62"}},
    }


class TestKubernetes:
    def test_it_is_the_version_that_go_mod_pins(self, cluster: ControlPlane) -> None:
        assert cluster.request("GET", "/version")["gitVersion"] == f"v{build.version('k8s.io/kubernetes')}"

    def test_apply_creates_with_status_and_then_changes(self, cluster: ControlPlane) -> None:
        cluster.apply(node("n1", rack="a"))
        changed = cluster.apply(node("n1", rack="b") | {"status": {"capacity": {"cpu": "32"}}})
        assert changed["metadata"]["labels"]["rack"] == "b"
        assert changed["status"]["capacity"] == {"cpu": "32"}
        cluster.delete(node("n1"))
        cluster.delete(node("n1"))
        assert cluster.request("GET", "/api/v1/nodes")["items"] == []

    @pytest.mark.parametrize(
        ("name", "version", "kind"),
        [
            ("openshift", "machine.openshift.io/v1beta1", "Machine"),
            ("openshift", "machine.openshift.io/v1beta1", "MachineSet"),
            ("cluster-api", "cluster.x-k8s.io/v1beta1", "MachineDeployment"),
            ("cluster-api", "cluster.x-k8s.io/v1beta2", "MachineDeployment"),
        ],
    )
    def test_real_crds_are_served_and_clean_takes_their_objects(
        self, cluster: ControlPlane, name: str, version: str, kind: str
    ) -> None:
        cluster.install_crds(name)
        plural = f"/apis/{version}/{kind.lower()}s"
        spec: dict[str, object] = {} if name == "openshift" else CLUSTER_API_SPEC
        meta = {"name": "m1", "namespace": "machines", "finalizers": ["machine.example.org/never-lets-go"]}
        cluster.apply({"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec})
        assert [item["metadata"]["name"] for item in cluster.request("GET", plural)["items"]] == ["m1"]
        cluster.clean()
        assert cluster.request("GET", plural)["items"] == []
        with pytest.raises(ApiError, match="404"):
            cluster.request("GET", "/api/v1/namespaces/machines")

    def test_every_kubeconfig_lets_in_whom_it_should(self, cluster: ControlPlane) -> None:
        cluster.apply(node("n1"))
        variants: list[tuple[str, dict[str, Any], int]] = [
            ("admin", {}, 200),
            ("admin", {"embed": True}, 200),
            ("admin", {"token": True}, 200),
            ("admin", {"token": True, "embed": True}, 200),
            ("reader", {}, 403),
            ("reader", {"embed": True}, 403),
            ("nobody", {}, 401),
        ]
        for user, how, expected in variants:
            assert list_nodes(cluster.kubeconfig(user, **how)) == expected, (user, how)

    def test_a_kubeconfig_may_lead_through_a_proxy(self, cluster: ControlPlane) -> None:
        with FaultProxy(int(cluster.url.rpartition(":")[2])) as proxy:
            assert list_nodes(cluster.kubeconfig(url=f"https://127.0.0.1:{proxy.port}")) == 200
            assert proxy.connections == 1

    def test_a_grant_holds_until_it_is_revoked_or_cleaned(self, cluster: ControlPlane) -> None:
        reader = cluster.kubeconfig("reader")
        cluster.grant("reader", [LIST_NODES])
        assert list_nodes(reader) == 200
        cluster.revoke("reader")
        assert list_nodes(reader) == 403
        cluster.grant("reader", [LIST_NODES])
        cluster.clean()
        assert list_nodes(reader) == 403

    def test_data_survives_kill_9_of_the_api_server_and_of_etcd(self, cluster: ControlPlane) -> None:
        cluster.apply(node("n1"))
        cluster.kill_etcd()
        cluster.start_etcd()
        cluster.restart_api()
        assert cluster.request("GET", "/api/v1/nodes/n1")["spec"]["providerID"] == "test://n1"

    def test_a_watch_from_before_a_restart_is_gone(self, cluster: ControlPlane) -> None:
        before = cluster.apply(node("n1"))["metadata"]["resourceVersion"]
        cluster.apply(node("n2"))
        cluster.restart_api()
        watch = cluster.request(
            "GET", f"/api/v1/nodes?watch=1&timeoutSeconds=1&resourceVersion={int(before) - 1}"
        )
        assert watch["object"]["code"] == 410

    def test_clean_takes_back_flags_that_make_watches_expire(self, cluster: ControlPlane) -> None:
        cluster.restart_api("--watch-cache-sizes=namespaces#0", "--etcd-compaction-interval=1s")
        old = cluster.request("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"]
        watch = f"/api/v1/namespaces?watch=1&timeoutSeconds=1&resourceVersion={old}"

        def expired() -> bool:
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "busy"}})
            cluster.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "busy"}})
            return first_event(cluster, watch).get("code") == 410

        wait_until(expired, seconds=20, what="410 Gone")
        cluster.clean()
        assert "--etcd-compaction-interval=1s" not in command_line(cluster.apiserver.pid)

    def test_a_paused_api_server_does_not_answer(self, cluster: ControlPlane) -> None:
        cluster.pause_api()
        assert not cluster.api.ok("/readyz")
        cluster.resume_api()
        wait_until(lambda: cluster.api.ok("/readyz"), seconds=10, what="readiness")

    def test_clean_brings_back_what_a_test_killed_or_paused(self, cluster: ControlPlane) -> None:
        cluster.pause_api()
        cluster.kill_etcd()
        cluster.clean()
        cluster.apply(node("n1"))

    def test_with_controllers_and_kwok_a_node_becomes_ready(self, cluster: ControlPlane) -> None:
        fake = node("fake")
        del fake["status"]
        fake["metadata"] = {"name": "fake", "annotations": {"kwok.x-k8s.io/node": "fake"}}
        cluster.start_controllers()
        cluster.start_kwok()
        cluster.apply(fake)

        def ready() -> bool:
            now = cluster.request("GET", "/api/v1/nodes/fake")
            conditions = {each["type"]: each["status"] for each in now["status"].get("conditions", ())}
            return conditions.get("Ready") == "True" and not now["spec"].get("taints")

        wait_until(ready, seconds=40, what="Ready without a taint")
        cluster.clean()
        assert not cluster.kwok.alive
        assert not cluster.controllers.alive

    @pytest.mark.usefixtures("nothing_left")
    def test_nothing_is_left(self, kube: ControlPlane) -> None:
        with ControlPlane() as second:
            second.apply(node("n1"))
            assert second.url != kube.url


CLUSTER_API_SPEC: dict[str, object] = {
    "clusterName": "c1",
    "selector": {"matchLabels": {"a": "b"}},
    "template": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {
            "clusterName": "c1",
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": {"apiGroup": "example.org", "kind": "Metal", "name": "m"},
        },
    },
}


def first_event(cluster: ControlPlane, watch: str) -> dict[str, Any]:
    """The object of the first event of a watch; the Status, where the API server refuses it."""
    try:
        return dict(cluster.request("GET", watch)["object"])
    except ApiError as error:
        return {"code": error.status}
    except json.JSONDecodeError:  # no event, or more than one
        return {}


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def list_nodes(kubeconfig: Path) -> int:
    """The status that a client with this kubeconfig gets for a list of nodes."""
    load: Any = kubernetes_config.new_client_from_config
    with load(str(kubeconfig)) as client:
        try:
            kubernetes_client.CoreV1Api(client).list_node(_request_timeout=10)
        except kubernetes_client.ApiException as error:
            return int(error.status)
    return 200
