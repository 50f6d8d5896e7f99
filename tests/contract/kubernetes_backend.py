"""The Kubernetes adapter's backend in tests: an administrator of the real cluster, and the rights the adapter
needs."""

from pathlib import Path
from typing import Any

from adapters.base import Options
from adapters.ims.kubernetes import Adapter
from tests.adapters.kubernetes_objects import MACHINES, OPENSHIFT, TENANT, machine_set, node, ready
from tests.contract.ims import Backend
from tests.peers.kubernetes import ControlPlane

MERGE = "application/merge-patch+json"
NODES = "/api/v1/nodes"
SETS = f"/apis/{OPENSHIFT}/namespaces/{MACHINES}/machinesets"
READ = ["get", "list", "watch"]
RULES = [
    {"apiGroups": [""], "resources": ["nodes", "persistentvolumes", "namespaces"], "verbs": READ},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": READ},
    {"apiGroups": ["machine.openshift.io"], "resources": ["machines", "machinesets"], "verbs": READ},
    {
        "apiGroups": ["cluster.x-k8s.io"],
        "resources": ["machines", "machinesets", "machinedeployments", "machinepools"],
        "verbs": READ,
    },
]


def adapter_of(kubeconfig: Path, **config: object) -> Adapter:
    return Adapter(Options(name="lab", key="lab", config={"kubeconfig": str(kubeconfig), **config}))


class Somebody(Backend):
    """An administrator of the cluster."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.cluster = cluster
        self._names: dict[str, str] = {}
        self._beats = 0

    def add_pool(self, name: str, *, tenant: str = "") -> str:
        return self._made(self.cluster.apply(machine_set(name, tenant=tenant)))

    def change_pool(self, native_id: str) -> None:
        self.patch(f"{SETS}/{self._names[native_id]}", {"spec": {"replicas": 7}})

    def remove_pool(self, native_id: str) -> None:
        self.cluster.request("DELETE", f"{SETS}/{self._names[native_id]}")

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

    def _made(self, found: dict[str, Any]) -> str:
        uid = str(found["metadata"]["uid"])
        self._names[uid] = found["metadata"]["name"]
        return uid
