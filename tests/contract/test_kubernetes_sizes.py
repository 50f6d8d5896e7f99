"""What sets and machines of a Kubernetes cluster take of quotas: a set what it is to have, what it makes
nothing beside it, everything else what it is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Misconfigured
from adapters.ims.kubernetes import Adapter
from adapters.types import Footprint, Resource, ResourcePool
from tests.adapters.kubernetes_objects import machine_set, node
from tests.contract.kubernetes_backend import TEMPLATES, Somebody, adapter_of
from tests.contract.test_kubernetes_writing import backend, cluster
from tests.contract.writing import draft, listed, pool_of, resource_of
from tests.peers.kubernetes import ControlPlane

pytestmark = pytest.mark.xdist_group("openshift")
__all__ = ["backend", "cluster"]  # fixtures

SIZED = {"worker": {**TEMPLATES["worker"], "cpuCores": 4, "memoryGb": 16}}
REPLICAS = "k8s.machineset.replicas"


@pytest.fixture
def adapter(cluster: ControlPlane) -> Iterator[Adapter]:
    adapter = adapter_of(cluster.kubeconfig(), machineTemplates=SIZED)
    yield adapter
    adapter.close()


def times(replicas: int, pools: int = 0) -> Footprint:
    return Footprint(pools=pools, resources=replicas, cpu_cores=4.0 * replicas, memory_gb=16.0 * replicas)


def of_size(backend: Somebody, size: int) -> ResourcePool:
    wanted = draft(backend, "pool-n")
    return replace(wanted, extensions={**wanted.extensions, REPLICAS: size})


def test_a_set_takes_what_it_is_to_have_and_its_machines_nothing_beside_it(
    adapter: Adapter, backend: Somebody
) -> None:
    wanted = of_size(backend, 3)
    assert adapter.footprint(wanted) == times(3, pools=1)
    made = pool_of(adapter.create_pool("pool-n", wanted))
    assert made.footprint == times(3, pools=1)
    member = backend.add_member(made.native_id, "resource-m")
    found = listed(adapter, member)
    assert found is not None
    assert found.footprint == Footprint()
    larger = replace(made, extensions={REPLICAS: 5})
    assert adapter.footprint(larger, there=made.extensions) == times(2)
    assert adapter.footprint(replace(made, extensions={REPLICAS: 1}), there=made.extensions) == times(0)
    assert pool_of(adapter.update_pool(made.native_id, larger)).footprint == times(5, pools=1)


def test_a_machine_beside_its_set_takes_what_one_of_the_set_is(adapter: Adapter, backend: Somebody) -> None:
    made = pool_of(adapter.create_pool("pool-n", of_size(backend, 0)))
    wanted = Resource(
        native_id="", name="one", tenant="acme", type_native_id="", pool_native_id=made.native_id
    )
    assert adapter.footprint(wanted, there=made.extensions) == times(1)
    assert resource_of(adapter.create_resource("one", wanted)).footprint == times(1)


def test_of_a_set_that_does_not_say_nobody_can_tell(cluster: ControlPlane, backend: Somebody) -> None:
    adapter = adapter_of(cluster.kubeconfig(), machineTemplates=TEMPLATES)
    try:
        unknown = Footprint(pools=1, resources=1, cpu_cores=None, memory_gb=None)
        assert adapter.footprint(draft(backend, "pool-n")) == unknown
        assert adapter.footprint(of_size(backend, 0)) == Footprint(pools=1)
    finally:
        adapter.close()


def test_a_node_takes_its_capacity_and_one_of_an_unsized_set_no_place_of_its_own(
    adapter: Adapter, cluster: ControlPlane, backend: Somebody
) -> None:
    cluster.apply(node("alone"))
    cluster.apply(machine_set("plain", replicas=2))
    (found,) = [one for one in adapter.resources() if one.name == "alone"]
    assert (found.footprint.resources, found.footprint.cpu_cores) == (1, 64)
    assert round(found.footprint.memory_gb or 0, 2) == 251.61
    (pool,) = [one for one in adapter.pools() if one.name == "plain"]
    assert pool.footprint == Footprint(pools=1, resources=2)
    member = listed(adapter, backend.add_member(pool.native_id, "resource-m"))
    assert member is not None
    assert member.footprint.resources == 0


@pytest.mark.parametrize(
    ("annotations", "size"),
    [
        ({"machine.openshift.io/vCPU": "4", "machine.openshift.io/memoryMb": "16384"}, (4.0, 16.0)),
        ({"capacity.cluster-autoscaler.kubernetes.io/cpu": "3500m",
          "capacity.cluster-autoscaler.kubernetes.io/memory": "8Gi"}, (3.5, 8.0)),
        ({"machine.openshift.io/vCPU": "4"}, (0, 0)),
        ({"machine.openshift.io/vCPU": "many", "machine.openshift.io/memoryMb": "16384"}, (0, 0)),
        ({"machine.openshift.io/vCPU": "nan", "machine.openshift.io/memoryMb": "16384"}, (0, 0)),
        ({"machine.openshift.io/vCPU": "-4", "machine.openshift.io/memoryMb": "16384"}, (0, 0)),
    ],
)  # fmt: skip
def test_the_annotations_that_autoscalers_read_say_how_large_a_machine_is(
    adapter: Adapter, cluster: ControlPlane, annotations: dict[str, str], size: tuple[float, float]
) -> None:
    found = machine_set("plain", replicas=1)
    found["metadata"]["annotations"] = annotations
    cluster.apply(found)
    (pool,) = [one for one in adapter.pools() if one.name == "plain"]
    assert (pool.footprint.cpu_cores, pool.footprint.memory_gb) == size


@pytest.mark.parametrize(
    "sizes",
    [
        {"cpuCores": 4},
        {"cpuCores": 4, "memoryGb": 0},
        {"cpuCores": "4", "memoryGb": 16},
        {"cpuCores": True, "memoryGb": float("inf")},
    ],
)
def test_a_template_with_half_a_size_is_refused(cluster: ControlPlane, sizes: dict[str, Any]) -> None:
    adapter = adapter_of(cluster.kubeconfig(), machineTemplates={"worker": {**TEMPLATES["worker"], **sizes}})
    try:
        with pytest.raises(Misconfigured, match="cpuCores and memoryGb go together"):
            adapter.check()
    finally:
        adapter.close()
