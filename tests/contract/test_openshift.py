"""The OpenShift adapter passes the contract, on a real API server with OpenShift's own definitions; and what
its deployment manager says beyond Kubernetes'."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Options
from adapters.errors import Misconfigured
from adapters.ims.openshift import Adapter
from adapters.types import DeploymentManager, Kind
from tests.adapters.kubernetes_objects import MACHINES, namespace, node
from tests.contract.ims import Backend, Make, RemoteImsContract, Trouble, away, watching
from tests.contract.kubernetes_backend import TEMPLATES, Somebody, deployed
from tests.contract.kubernetes_troubles import troubles
from tests.contract.writing import WritesPools, WritesResources
from tests.peers.kubernetes import ControlPlane

VERSION: dict[str, Any] = {
    "apiVersion": "config.openshift.io/v1",
    "kind": "ClusterVersion",
    "metadata": {"name": "version"},
    "spec": {"clusterID": "0b6c2d8e-8f6b-4b8a-9d0e-111111111111", "channel": "stable-4.21"},
}
INFRASTRUCTURE: dict[str, Any] = {
    "apiVersion": "config.openshift.io/v1",
    "kind": "Infrastructure",
    "metadata": {"name": "cluster"},
    "spec": {"platformSpec": {"type": "AWS"}},
    "status": {
        "infrastructureName": "edge-7-x2vkq",
        "apiServerURL": "https://api.edge-7.example.org:6443",
        "apiServerInternalURI": "https://api-int.edge-7.example.org:6443",
        "etcdDiscoveryDomain": "",
        "controlPlaneTopology": "HighlyAvailable",
        "infrastructureTopology": "HighlyAvailable",
        "platform": "AWS",
        "platformStatus": {"type": "AWS", "aws": {"region": "eu-west-1"}},
    },
}


def history(*versions: tuple[str, str]) -> dict[str, Any]:
    """The status of a ClusterVersion: (state, version), newest first."""
    entries = [
        {
            "state": state,
            "version": version,
            "image": "",
            "verified": True,
            "startedTime": "2026-01-01T00:00:00Z",
            "completionTime": "2026-01-01T01:00:00Z" if state == "Completed" else None,
        }
        for state, version in versions
    ]
    return {
        "desired": {"version": versions[0][1], "image": ""},
        "history": entries,
        "observedGeneration": 1,
        "versionHash": "h",
        "availableUpdates": None,
    }


def config_pool(name: str, ready: int) -> dict[str, Any]:
    """A MachineConfigPool of three machines."""
    return {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfigPool",
        "metadata": {"name": name},
        "spec": {"paused": False},
        "status": {
            "machineCount": 3,
            "readyMachineCount": ready,
            "updatedMachineCount": ready,
            "degradedMachineCount": 0,
            "unavailableMachineCount": 3 - ready,
        },
    }


def adapter_of(kubeconfig: Path, **config: object) -> Adapter:
    return Adapter(Options(name="lab", key="lab", config={"kubeconfig": str(kubeconfig), **config}))


def installed(cluster: ControlPlane, *more: str) -> ControlPlane:
    """The cluster as an OpenShift 4.21."""
    cluster.only_crds("openshift", *more)
    cluster.apply(namespace(MACHINES))
    cluster.apply({**VERSION, "status": history(("Completed", "4.21.3"))})
    cluster.apply(INFRASTRUCTURE)
    return cluster


def manager_of(adapter: Adapter) -> DeploymentManager:
    (found,) = adapter.deployment_managers()
    return found


@pytest.mark.xdist_group("openshift")
class TestOpenshift(WritesPools, WritesResources, RemoteImsContract):
    @pytest.fixture
    def cluster(self, plane: ControlPlane) -> ControlPlane:
        return installed(plane)

    @pytest.fixture
    def make(self, cluster: ControlPlane) -> Make:
        path = deployed(cluster)
        return lambda: adapter_of(path, machineTemplates=TEMPLATES)

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return Somebody(cluster)

    @pytest.fixture
    def troubled(self, kube: ControlPlane) -> Iterator[Trouble]:
        with troubles(kube, adapter_of) as found:
            yield found


@pytest.mark.xdist_group("openshift")
class TestTheCluster:
    @pytest.fixture
    def adapter(self, plane: ControlPlane) -> Iterator[Adapter]:
        adapter = adapter_of(installed(plane).kubeconfig())
        yield adapter
        adapter.close()

    def test_it_says_which_openshift_it_is_and_what_it_stands_on(self, adapter: Adapter) -> None:
        found = manager_of(adapter)
        assert (found.name, found.service_uri) == ("edge-7-x2vkq", "https://api.edge-7.example.org:6443")
        assert found.supported_locations == ("eu-west-1",)
        said = {key: found.capabilities.get(key) for key in ("openshiftVersion", "platform")}
        assert said == {"openshiftVersion": "4.21.3", "platform": "AWS"}
        assert found.capabilities["controlPlaneTopology"] == "HighlyAvailable"
        assert "machineConfigPools" not in found.capabilities
        assert found.extensions["k8s.openshift.channel"] == "stable-4.21"
        assert found.extensions["k8s.openshift.clusterId"] == "0b6c2d8e-8f6b-4b8a-9d0e-111111111111"
        assert adapter.metadata().kind == "openshift"

    async def test_an_update_shows_as_wanted_until_it_is_whole(
        self, plane: ControlPlane, adapter: Adapter
    ) -> None:
        key = (Kind.DEPLOYMENT_MANAGER, (await away(manager_of, adapter)).native_id)
        async with watching(adapter) as watch:

            def said() -> tuple[str, str]:
                found = watch.state[key]
                assert isinstance(found, DeploymentManager)
                return found.capabilities["openshiftVersion"], found.extensions[
                    "k8s.openshift.desiredVersion"
                ]

            half = history(("Partial", "4.21.4"), ("Completed", "4.21.3"))
            await away(plane.apply, {**VERSION, "status": half})
            await watch.until(lambda: said() == ("4.21.3", "4.21.4"))
            whole = history(("Completed", "4.21.4"), ("Completed", "4.21.3"))
            await away(plane.apply, {**VERSION, "status": whole})
            await watch.until(lambda: said() == ("4.21.4", "4.21.4"))

    async def test_its_configuration_pools_show_where_there_are_any(
        self, plane: ControlPlane, adapter: Adapter
    ) -> None:
        await away(lambda: installed(plane, "machine-config"))
        await away(plane.apply, config_pool("worker", 3))
        key = (Kind.DEPLOYMENT_MANAGER, (await away(manager_of, adapter)).native_id)
        async with watching(adapter) as watch:

            def ready() -> int:
                found = watch.state[key]
                assert isinstance(found, DeploymentManager)
                return int(found.capabilities["machineConfigPools"]["worker"]["readyMachineCount"])

            assert ready() == 3
            await away(plane.apply, config_pool("worker", 2))
            await watch.until(lambda: ready() == 2)

    def test_a_cluster_without_openshift_is_of_another_type(self, plane: ControlPlane) -> None:
        plane.only_crds("cluster-api")
        plane.apply(node("n-1"))
        adapter = adapter_of(plane.kubeconfig())
        try:
            for call in (adapter.check, lambda: list(adapter.everything())):
                with pytest.raises(Misconfigured, match=r"clusterversions\.config\.openshift\.io"):
                    call()
        finally:
            adapter.close()
