"""The Kubernetes adapter passes the contract, against a real API server and against servers that misbehave:
with both Machine APIs, with either, and with none.

Tests that want the same definitions installed are of one group: to change them takes seconds.
"""

from collections.abc import Iterator

import pytest

from adapters.base import ImsAdapter
from adapters.errors import Unsupported
from adapters.ims.kubernetes import Adapter
from adapters.types import Ability, Resource
from tests.adapters.kubernetes_objects import MACHINES, namespace, node
from tests.contract.ims import WRITES, Backend, Make, RemoteImsContract, Trouble, WatchedImsContract
from tests.contract.kubernetes_backend import (
    TEMPLATES,
    Somebody,
    SomebodyOfClusterApi,
    adapter_of,
    deployed,
)
from tests.contract.kubernetes_troubles import troubles
from tests.contract.writing import WritesPools, WritesResources
from tests.peers.kubernetes import ControlPlane


class TestKubernetes(RemoteImsContract):
    """With both Machine APIs."""

    @pytest.fixture
    def make(self, cluster: ControlPlane) -> Make:
        path = cluster.kubeconfig()
        return lambda: adapter_of(path)

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return Somebody(cluster)

    @pytest.fixture
    def troubled(self, kube: ControlPlane) -> Iterator[Trouble]:
        with troubles(kube, adapter_of) as found:
            yield found


@pytest.mark.xdist_group("openshift")
class TestTheMachineApiOfOpenshift(WritesPools, WritesResources):
    @pytest.fixture
    def cluster(self, plane: ControlPlane) -> ControlPlane:
        plane.only_crds("openshift")
        plane.apply(namespace(MACHINES))
        return plane

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return Somebody(cluster)

    @pytest.fixture
    def adapter(self, cluster: ControlPlane) -> Iterator[ImsAdapter]:
        adapter = adapter_of(deployed(cluster), machineTemplates=TEMPLATES)
        yield adapter
        adapter.close()


@pytest.mark.xdist_group("cluster-api")
class TestClusterApi(WritesPools, WatchedImsContract):
    @pytest.fixture
    def cluster(self, plane: ControlPlane) -> ControlPlane:
        plane.only_crds("cluster-api")
        plane.apply(namespace("capi"))
        return plane

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return SomebodyOfClusterApi(cluster)

    @pytest.fixture
    def make(self, cluster: ControlPlane) -> Make:
        path = deployed(cluster)
        return lambda: adapter_of(path, machineTemplates=SomebodyOfClusterApi.templates)

    def test_only_a_set_makes_machines(self, adapter: ImsAdapter, backend: Backend) -> None:
        pool = backend.add_pool("pool-a", tenant="acme")
        wanted = Resource(native_id="", name="r", type_native_id="", pool_native_id=pool, tenant="acme")
        with pytest.raises(Unsupported) as raised:
            adapter.create_resource("r", wanted)
        assert raised.value.ability == Ability.RESOURCE_CREATE
        assert Ability.RESOURCE_CREATE not in adapter.metadata().can


@pytest.mark.xdist_group("no-machine-api")
class TestNoMachineApi:
    @pytest.fixture
    def cluster(self, plane: ControlPlane) -> ControlPlane:
        plane.only_crds()
        return plane

    @pytest.fixture
    def adapter(self, cluster: ControlPlane) -> Iterator[Adapter]:
        adapter = adapter_of(cluster.kubeconfig(), machineTemplates=TEMPLATES)
        yield adapter
        adapter.close()

    def test_nodes_are_in_the_default_pool(self, cluster: ControlPlane, adapter: Adapter) -> None:
        cluster.apply(node("n-1"))
        assert [(thing.name, thing.pool_native_id) for thing in adapter.resources()] == [("n-1", "default")]
        (manager,) = adapter.deployment_managers()
        assert manager.capabilities["machineApi"] is None

    @pytest.mark.parametrize("ability", WRITES)
    def test_it_can_be_watched_and_nothing_else(self, adapter: Adapter, ability: Ability) -> None:
        adapter.check()
        assert adapter.metadata().can == {Ability.REAL_TIME_EVENTS}
        with pytest.raises(Unsupported) as raised:
            WRITES[ability](adapter)
        assert raised.value.ability == ability
