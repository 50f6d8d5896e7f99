"""The Kubernetes adapter passes the contract, against a real API server; and what only Kubernetes can do to it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import ImsAdapter, Options
from adapters.errors import Forbidden, TimedOut, Unauthorized, Unreachable
from adapters.ims.kubernetes import Adapter
from adapters.types import DeploymentManager, Kind, Resource
from tests.adapters.kubernetes_objects import (
    MACHINES,
    OPENSHIFT,
    TENANT,
    becomes,
    capi_machine,
    capi_set,
    deployment,
    machine,
    machine_pool,
    machine_set,
    naming,
    node,
    ready,
    storage_class,
    volume,
)
from tests.contract.hostile import Handler, HostileServer, unused_port
from tests.contract.ims import Backend, Make, RemoteImsContract, Trouble, away, keyed, watching
from tests.peers.fault_proxy import FaultProxy, Silence
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import ApiError

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


@pytest.fixture
def cluster(cluster: ControlPlane) -> ControlPlane:
    """With both Machine APIs installed; and without a name, which clean() leaves alone in kube-system."""
    cluster.install_crds("openshift")
    cluster.install_crds("cluster-api")
    cluster.delete(naming(""))
    return cluster


@pytest.fixture
def backend(cluster: ControlPlane) -> Somebody:
    return Somebody(cluster)


@pytest.fixture
def adapter(cluster: ControlPlane) -> Iterator[ImsAdapter]:
    adapter = adapter_of(cluster.kubeconfig())
    yield adapter
    adapter.close()


class TestKubernetes(RemoteImsContract):
    @pytest.fixture
    def make(self, cluster: ControlPlane) -> Make:
        path = cluster.kubeconfig()
        return lambda: adapter_of(path)

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return Somebody(cluster)

    @pytest.fixture
    def troubled(self, kube: ControlPlane) -> Iterator[Trouble]:
        opened: list[HostileServer] = []

        def hostile(trouble: str) -> Adapter:
            server = HostileServer(ANSWERS.get(trouble, fine), identity=IDENTITIES.get(trouble, "127.0.0.1"))
            opened.append(server)
            server.__enter__()
            ca = kube.ca_file if trouble == "an unknown CA" else None
            return adapter_of(server.kubeconfig(ca=ca), timeout="1s")

        def troubled(trouble: str) -> Adapter:
            match trouble:
                case "a token it does not know":
                    return adapter_of(kube.kubeconfig("nobody"))
                case "no permission":
                    return adapter_of(kube.kubeconfig("reader"))
                case "a secret that is not set":
                    return adapter_of(Path("${NETWEAVE_TEST_NOT_SET}"))
            return hostile(trouble)

        yield troubled
        for server in opened:
            server.__exit__()


def fine(handler: Handler) -> None:
    handler.json({"gitVersion": "v1.37.2"})


def nobody(handler: Handler) -> None:
    handler.close_connection = True  # not a byte


def drip(handler: Handler) -> None:
    handler.begin(**{"Content-Type": "application/json", "Content-Length": "1000000"})
    while not handler.server.over.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def half(handler: Handler) -> None:
    handler.begin(**{"Content-Type": "application/json", "Content-Length": "1000"})
    handler.wfile.write(b'{"gitVersion":')
    handler.close_connection = True


def endless(handler: Handler) -> None:
    handler.begin(**{"Content-Type": "application/json", "Connection": "close"})
    while not handler.server.over.is_set():
        handler.wfile.write(b" " * 1_000_000)


ANSWERS = {
    "nobody there": nobody,
    "a host that hangs": Handler.wait,
    "an answer that drips": drip,
    "a page of HTML": lambda handler: handler.send(b"<html>SECRET</html>", **{"Content-Type": "text/html"}),
    "no JSON": lambda handler: handler.send(b"{SECRET", **{"Content-Type": "application/json"}),
    "half an answer": half,
    "an answer without an end": endless,
    "a compressed answer": lambda handler: handler.json({}, **{"Content-Encoding": "gzip"}),
    "a redirect": lambda handler: handler.send(b"", 302, Location="https://127.0.0.1:1/SECRET"),
}
IDENTITIES = {"another host's certificate": "another.example.org"}
