"""The Kubernetes adapter's backend in tests: an administrator of the real cluster, and the rights the adapter
needs."""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from adapters.base import Options
from adapters.ims.kubernetes import Adapter
from tests.adapters.kubernetes_objects import (
    CLUSTER_API,
    MACHINES,
    OPENSHIFT,
    TENANT,
    Manifest,
    capi_machine,
    capi_set,
    deployment,
    machine,
    machine_set,
    machine_spec,
    node,
    provider_spec,
    ready,
)
from tests.contract.ims import Backend
from tests.peers import build
from tests.peers.kubernetes import ControlPlane

MERGE = "application/merge-patch+json"
NODES = "/api/v1/nodes"
SETS = f"/apis/{OPENSHIFT}/namespaces/{MACHINES}/machinesets"
TEMPLATES = {"worker": {"api": "openshift", "spec": provider_spec("m5.large")}}
DEPLOY = Path(__file__).parents[2] / "deploy/kubernetes"


def _rules(name: str) -> list[list[Any]]:
    """The rules of each role in a file of deploy/kubernetes."""
    found = yaml.safe_load_all((DEPLOY / name).read_text())
    return [manifest["rules"] for manifest in found if "rules" in manifest]


RULES, NAMING_RULES = _rules("reader.yaml")
(WRITING_RULES,) = _rules("writer.yaml")
(LEASE_RULES,) = _rules("leases.yaml")


@cache
def deployment_manifests() -> tuple[Manifest, ...]:
    """What kustomize makes of deploy/kubernetes."""
    done = subprocess.run(
        [build.binary("kustomize"), "build", DEPLOY], capture_output=True, text=True, check=True, timeout=60
    )
    return tuple(yaml.safe_load_all(done.stdout))


def deployed(cluster: ControlPlane, account: str = "netweave-web") -> Path:
    """A kubeconfig of a service account, with the rights that deploy/kubernetes gives it."""
    for manifest in deployment_manifests():
        cluster.apply(manifest)
    user = f"system:serviceaccount:netweave:{account}"
    for rule in RULES + (WRITING_RULES if account == "netweave-web" else []):
        cluster.until_allowed(user, rule)
    cluster.until_allowed(user, *NAMING_RULES, namespace="kube-system")
    return cluster.credentials.kubeconfig_of_token(token_of(cluster, account))


def token_of(cluster: ControlPlane, account: str) -> str:
    """A token of a service account in netweave's namespace."""
    path = f"/api/v1/namespaces/netweave/serviceaccounts/{account}/token"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return str(cluster.request("POST", path, review)["status"]["token"])


def adapter_of(kubeconfig: Path, **config: object) -> Adapter:
    return Adapter(Options(name="lab", key="lab", config={"kubeconfig": str(kubeconfig), **config}))


class Somebody(Backend):
    """An administrator of the cluster, with OpenShift's Machine API."""

    needed: Mapping[str, Any] = {"k8s.machineTemplate": "worker"}
    changeable = ("k8s.machineset.replicas", 5)
    fixed = "k8s.machineset.name"
    sets = SETS

    def __init__(self, cluster: ControlPlane) -> None:
        self.cluster = cluster
        self._names: dict[str, str] = {}
        self._beats = 0

    def add_pool(self, name: str, *, tenant: str = "") -> str:
        return self._made(self.cluster.apply(self._pool(name, tenant)))

    def add_member(self, pool_id: str, name: str, *, tenant: str = "") -> str:
        found = self.member(self.set(pool_id), name)
        if tenant:
            found["metadata"]["labels"] = {TENANT: tenant}
        return str(self.cluster.apply(found)["metadata"]["uid"])

    def change_pool(self, native_id: str) -> None:
        self.patch(f"{self.sets}/{self._names[native_id]}", {"spec": {"replicas": 7}})

    def remove_pool(self, native_id: str) -> None:
        self.cluster.request("DELETE", f"{self.sets}/{self._names[native_id]}")

    def add_resource(self, name: str, *, tenant: str = "") -> str:
        return self._made(self.cluster.apply(node(name, labels={TENANT: tenant} if tenant else {})))

    def change_resource(self, native_id: str) -> None:
        self.patch(f"{NODES}/{self._names[native_id]}", {"metadata": {"labels": {"changed": "yes"}}})

    def remove_resource(self, native_id: str) -> None:
        self.cluster.request("DELETE", f"{NODES}/{self._names[native_id]}")

    def stir(self, native_id: str) -> None:
        """A kubelet's heartbeat, images it pulled, a controller's annotation."""
        self._beats += 1
        path, beat = f"{NODES}/{self._names[native_id]}", f"2026-02-01T00:00:{self._beats:02}Z"
        status = {"conditions": [ready("True", beat)], "images": [{"names": [beat], "sizeBytes": 1}]}
        self.patch(f"{path}/status", {"status": status})
        self.patch(path, {"metadata": {"annotations": {"volumes.example.org/attached": beat}}})

    def patch(self, path: str, body: dict[str, Any]) -> None:
        self.cluster.request("PATCH", path, body, content_type=MERGE)

    def set(self, uid: str) -> Manifest:
        """The set that a pool is, as it is now."""
        found = self.cluster.request("GET", self.sets)
        (item,) = (item for item in found["items"] if item["metadata"]["uid"] == uid)
        return {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List"), **item}

    def member(self, owner: Manifest, name: str) -> Manifest:
        """A Machine that the set has made."""
        return machine(name, owner=owner)

    def _pool(self, name: str, tenant: str) -> Manifest:
        return machine_set(name, tenant=tenant)

    def _made(self, found: dict[str, Any]) -> str:
        uid = str(found["metadata"]["uid"])
        self._names[uid] = found["metadata"]["name"]
        return uid


class SomebodyOfClusterApi(Somebody):
    """An administrator of the cluster, with Cluster API."""

    sets = f"/apis/{CLUSTER_API}/namespaces/capi/machinedeployments"
    templates = {"worker": {"api": "cluster-api", "namespace": "capi", "spec": machine_spec()}}

    def member(self, owner: Manifest, name: str) -> Manifest:
        """A Machine of a MachineSet of the MachineDeployment."""
        between = self.cluster.apply(capi_set(f"{owner['metadata']['name']}-x", owner=owner))
        return capi_machine(name, owner=between)

    def _pool(self, name: str, tenant: str) -> Manifest:
        return deployment(name, tenant=tenant)
