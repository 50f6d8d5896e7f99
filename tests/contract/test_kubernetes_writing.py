"""What only a Kubernetes cluster's writes do: sets and machines as they lie in the API server, other hands
on them at the same time, names, templates, and rights."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import ImsAdapter
from adapters.errors import Conflict, Invalid, Misconfigured, NotFound, Unsupported
from adapters.ims.kubernetes import Adapter
from adapters.ims.kubernetes.machine_api import MachineApi
from adapters.types import Ability, Kind, Resource, ResourcePool
from tests.adapters.kubernetes_objects import (
    MACHINES,
    OPENSHIFT,
    TENANT,
    machine,
    machine_set,
    namespace,
    node,
    provider_spec,
    volume,
)
from tests.contract.hostile import Handler
from tests.contract.kubernetes_backend import SETS, TEMPLATES, Somebody, adapter_of
from tests.contract.writing import draft, listed, pool_of, resource_of
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import Manifest
from tests.peers.lying_api import LyingApi

pytestmark = pytest.mark.xdist_group("openshift")

POOL_ID = "o2ims.oran.org/resource-pool-id"
MACHINE_PATH = f"/apis/{OPENSHIFT}/namespaces/{MACHINES}/machines"


@pytest.fixture
def cluster(plane: ControlPlane) -> ControlPlane:
    plane.only_crds("openshift")
    plane.apply(namespace(MACHINES))
    return plane


@pytest.fixture
def backend(cluster: ControlPlane) -> Somebody:
    return Somebody(cluster)


@pytest.fixture
def adapter(cluster: ControlPlane) -> Iterator[Adapter]:
    adapter = adapter_of(cluster.kubeconfig(), machineTemplates=TEMPLATES)
    yield adapter
    adapter.close()


def sized(backend: Somebody, size: int) -> ResourcePool:
    """A draft of a pool of so many machines."""
    wanted = draft(backend, "pool-n")
    return replace(wanted, extensions={**wanted.extensions, "k8s.machineset.replicas": size})


def in_pool(pool: ResourcePool, name: str = "resource-n", tenant: str | None = "acme") -> Resource:
    return Resource(native_id="", name=name, tenant=tenant, type_native_id="", pool_native_id=pool.native_id)


def replicas(backend: Somebody, pool_id: str) -> int:
    return int(backend.set(pool_id)["spec"]["replicas"])


class TestPools:
    def test_a_set_and_its_machines_carry_tenant_and_pool(
        self, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        wanted = sized(backend, 3)
        made = pool_of(adapter.create_pool("pool-n", wanted))
        found = backend.set(made.native_id)
        for labels in (found["metadata"]["labels"], found["spec"]["template"]["metadata"]["labels"]):
            assert (labels[TENANT], labels[POOL_ID]) == ("acme", made.native_id)
        assert found["spec"]["replicas"] == made.extensions["k8s.machineset.replicas"] == 3
        assert found["spec"]["template"]["spec"] == provider_spec("m5.large")
        assert made.location == "z7"

    def test_a_second_pool_selects_none_of_the_firsts_machines(
        self, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        made = [pool_of(adapter.create_pool(name, draft(backend, name))) for name in ("one", "two")]
        selectors = [backend.set(pool.native_id)["spec"]["selector"]["matchLabels"] for pool in made]
        labels = [backend.set(pool.native_id)["spec"]["template"]["metadata"]["labels"] for pool in made]
        assert selectors[0].items() <= labels[0].items()
        assert not selectors[0].items() <= labels[1].items()

    @pytest.mark.parametrize(
        ("extensions", "pointer"),
        [
            ({"k8s.machineTemplate": "no-such"}, "/extensions/k8s.machineTemplate"),
            ({"k8s.machineTemplate": 7}, "/extensions/k8s.machineTemplate"),
            ({"k8s.machineset.replicas": -1}, "/extensions/k8s.machineset.replicas"),
            ({"k8s.machineset.replicas": "3"}, "/extensions/k8s.machineset.replicas"),
            ({"k8s.machineset.replicas": True}, "/extensions/k8s.machineset.replicas"),
            ({"k8s.machineset.replicas": 1001}, "/extensions/k8s.machineset.replicas"),
            ({"k8s.instanceType": "m5.large"}, "/extensions/k8s.instanceType"),
        ],
    )
    def test_what_cannot_be_wanted_is_refused_where_it_is_and_nothing_is_made(
        self, adapter: ImsAdapter, backend: Somebody, extensions: dict[str, Any], pointer: str
    ) -> None:
        with pytest.raises(Invalid) as raised:
            adapter.create_pool("pool-n", draft(backend, "pool-n", **extensions))
        assert raised.value.pointer == pointer
        assert backend.cluster.request("GET", SETS)["items"] == []

    @pytest.mark.parametrize("name", ["Pool", "pool_1", "-pool", "p" * 64, "pool n", "Zürich"])
    def test_a_name_that_kubernetes_does_not_take_is_refused(
        self, adapter: ImsAdapter, backend: Somebody, name: str
    ) -> None:
        with pytest.raises(Invalid) as raised:
            adapter.create_pool(name, draft(backend, name))
        assert raised.value.pointer == "/name"

    def test_the_template_is_chosen_by_the_type_where_none_is_named(
        self, cluster: ControlPlane, backend: Somebody
    ) -> None:
        big = {"spec": provider_spec("m5.huge")}
        adapter = adapter_of(cluster.kubeconfig(), machineTemplates={**TEMPLATES, "big": big})
        try:
            wanted = ResourcePool(native_id="", name="pool-n", tenant="acme")
            with pytest.raises(Invalid) as raised:
                adapter.create_pool("pool-n", wanted)
            assert raised.value.pointer == "/extensions/k8s.machineTemplate"
            with pytest.raises(Invalid) as raised:
                adapter.create_pool("pool-n", wanted, type_native_id="instance-type/other")
            assert raised.value.pointer == "/resourceTypeId"
            made = pool_of(adapter.create_pool("pool-n", wanted, type_native_id="instance-type/m5.huge"))
            assert made.extensions["k8s.machineTemplate"] == "big"
            assert made.extensions["k8s.instanceType"] == "m5.huge"
        finally:
            adapter.close()

    @pytest.mark.parametrize(
        ("templates", "said"),
        [
            ([], "machineTemplates must be a mapping"),
            ({"w": {}}, r"machineTemplates\.w\.spec is needed"),
            ({"w": {"spec": {"a": 1}, "replicas": 3}}, r"machineTemplates\.w\.replicas is no key"),
            ({"w": {"spec": {"a": 1}, "api": "aws"}}, r"machineTemplates\.w\.api must be"),
            ({"w": {"spec": {"a": 1}, "labels": {TENANT: "x"}}}, r"may not have o2ims\.oran\.org/tenant"),
        ],
    )
    def test_a_template_that_cannot_work_fails_the_check(
        self, cluster: ControlPlane, templates: object, said: str
    ) -> None:
        adapter = adapter_of(cluster.kubeconfig(), machineTemplates=templates)
        try:
            with pytest.raises(Misconfigured, match=said):
                adapter.check()
        finally:
            adapter.close()

    def test_without_templates_no_pool_can_be_made_and_those_there_can_be_changed(
        self, cluster: ControlPlane, backend: Somebody
    ) -> None:
        adapter = adapter_of(cluster.kubeconfig())
        try:
            adapter.check()
            assert Ability.RESOURCE_POOL_CREATE not in adapter.metadata().can
            native_id = backend.add_pool("pool-a", tenant="acme")
            found = pool_of(adapter.find(Kind.RESOURCE_POOL, tenant="acme", native_id=native_id))
            adapter.update_pool(native_id, replace(found, extensions={"k8s.machineset.replicas": 9}))
            assert replicas(backend, native_id) == 9
        finally:
            adapter.close()

    @pytest.mark.parametrize("native_id", ["default", "storage", "node-pool/rack/r-1"])
    def test_a_pool_that_no_set_makes_cannot_be_changed(self, cluster: ControlPlane, native_id: str) -> None:
        cluster.apply(node("n-1", labels={"rack": "r-1"}))
        cluster.apply(node("n-2"))
        cluster.apply(volume("pv-1"))
        adapter = adapter_of(cluster.kubeconfig(), nodePoolLabels=["rack"])
        try:
            with pytest.raises(Unsupported):
                adapter.delete_pool(native_id, tenant=None, cascade=True)
            with pytest.raises(NotFound):
                adapter.delete_pool(native_id, tenant="acme", cascade=True)
        finally:
            adapter.close()


class TestMachines:
    def test_a_standalone_machine_is_of_the_pools_template_and_not_the_sets(
        self, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        pool = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        made = resource_of(adapter.create_resource("resource-n", in_pool(pool)))
        found = backend.cluster.request("GET", f"{MACHINE_PATH}/resource-n")
        labels, set_ = found["metadata"]["labels"], backend.set(pool.native_id)
        assert (labels[TENANT], labels[POOL_ID]) == ("acme", pool.native_id)
        assert not set_["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert found["spec"] == set_["spec"]["template"]["spec"]
        assert "ownerReferences" not in found["metadata"]
        assert made.type_native_id == "instance-type/m5.large"

    def test_a_sets_machine_goes_with_its_place_and_once(
        self, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        wanted = sized(backend, 2)
        pool = pool_of(adapter.create_pool("pool-n", wanted))
        goes, stays = (backend.add_member(pool.native_id, name) for name in ("m-1", "m-2"))
        batch = adapter.delete_resource(goes, tenant="acme")
        assert [gone.native_id for gone in batch.gone] == [goes]
        assert pool_of(batch).extensions["k8s.machineset.replicas"] == 1
        assert (replicas(backend, pool.native_id), listed(adapter, goes)) == (1, None)
        assert listed(adapter, stays) is not None
        with pytest.raises(NotFound):
            adapter.delete_resource(goes, tenant="acme")
        assert replicas(backend, pool.native_id) == 1

    def test_one_that_its_sets_controller_deletes_first_is_gone_as_wanted(
        self, cluster: ControlPlane, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        pool = pool_of(adapter.create_pool("pool-n", sized(backend, 2)))
        goes = backend.add_member(pool.native_id, "m-1")

        def controller_is_faster(_: LyingApi, handler: Handler) -> bool:
            if handler.command == "DELETE":
                cluster.request("DELETE", handler.path)
            return False

        with LyingApi(cluster) as lying:
            lying.lie = controller_is_faster
            beside = adapter_of(lying.kubeconfig(), machineTemplates=TEMPLATES)
            batch = beside.delete_resource(goes, tenant="acme")
            beside.close()
        assert [gone.native_id for gone in batch.gone] == [goes]
        assert pool_of(batch).extensions["k8s.machineset.replicas"] == 1
        assert (replicas(backend, pool.native_id), listed(adapter, goes)) == (1, None)

    def test_one_that_a_finalizer_holds_is_on_its_way_and_lowers_its_set_once(
        self, adapter: ImsAdapter, backend: Somebody
    ) -> None:
        wanted = sized(backend, 2)
        pool = pool_of(adapter.create_pool("pool-n", wanted))
        held = backend.add_member(pool.native_id, "m-1")
        path = f"{MACHINE_PATH}/m-1"
        backend.patch(path, {"metadata": {"finalizers": ["lab.test/held"]}})
        for _ in range(2):
            batch = adapter.delete_resource(held, tenant="acme")
            assert batch.gone == ()
            assert resource_of(batch).extensions["k8s.deleting"] is True
            assert replicas(backend, pool.native_id) == 1
        backend.patch(path, {"metadata": {"finalizers": None}})
        assert listed(adapter, held) is None

    def test_what_no_machine_api_made_cannot_be_deleted(self, adapter: ImsAdapter, backend: Somebody) -> None:
        loose = backend.add_resource("n-1", tenant="acme")
        made = volume("pv-1")
        made["metadata"]["labels"] = {TENANT: "acme"}
        kept = str(backend.cluster.apply(made)["metadata"]["uid"])
        for native_id in (loose, kept):
            with pytest.raises(Unsupported) as raised:
                adapter.delete_resource(native_id, tenant="acme")
            assert raised.value.ability == Ability.RESOURCE_DELETE
            with pytest.raises(NotFound):
                adapter.delete_resource(native_id, tenant="globex")


class TestOtherHands:
    """Somebody else changes the object between our looking and our writing: the API server says so, and we
    look again."""

    @pytest.fixture
    def api(self, adapter: Adapter) -> MachineApi:
        return adapter._machine_api()

    @pytest.fixture
    def seen(self, cluster: ControlPlane) -> Manifest:
        return cluster.apply(machine_set("pool-a", tenant="acme"))

    REF = (f"machinesets.{OPENSHIFT.partition('/')[0]}", f"{MACHINES}/pool-a")

    def test_a_change_looks_again_at_what_has_changed(
        self, api: MachineApi, backend: Somebody, seen: Manifest
    ) -> None:
        backend.patch(f"{SETS}/pool-a", {"metadata": {"labels": {TENANT: "globex"}}})
        looked = []

        def patch(raw: Manifest) -> Manifest:
            looked.append(raw["metadata"]["labels"][TENANT])
            if looked[-1] != "acme":
                raise NotFound("lab", "has no such pool")
            return {"spec": {"replicas": 9}}

        with pytest.raises(NotFound):
            api.change(self.REF, seen, patch)
        assert looked == ["acme", "globex"]
        assert backend.set(seen["metadata"]["uid"])["spec"]["replicas"] == 3

    def test_a_deletion_looks_again_too(self, api: MachineApi, backend: Somebody, seen: Manifest) -> None:
        backend.patch(f"{SETS}/pool-a", {"metadata": {"labels": {TENANT: "globex"}}})

        def check(raw: Manifest) -> None:
            if raw["metadata"]["labels"][TENANT] != "acme":
                raise NotFound("lab", "has no such pool")

        with pytest.raises(NotFound):
            api.delete(self.REF, seen, check)
        assert backend.set(seen["metadata"]["uid"])

    def test_another_object_of_the_same_name_is_another(
        self, api: MachineApi, cluster: ControlPlane, seen: Manifest
    ) -> None:
        cluster.delete(machine_set("pool-a"))
        again = cluster.apply(machine_set("pool-a", tenant="acme"))
        with pytest.raises(NotFound):
            api.change(self.REF, seen, lambda _: {"spec": {"replicas": 9}})
        with pytest.raises(NotFound):
            api.delete(self.REF, seen, lambda _: None)
        assert cluster.request("GET", f"{SETS}/pool-a")["metadata"]["uid"] == again["metadata"]["uid"]

    def test_a_pool_that_gets_a_foreign_machine_is_not_deleted(
        self, adapter: Adapter, backend: Somebody
    ) -> None:
        pool = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        stranger = machine("m-g")
        stranger["metadata"]["labels"] = {TENANT: "globex", POOL_ID: pool.native_id}
        backend.cluster.apply(stranger)
        with pytest.raises(Conflict):
            adapter.delete_pool(pool.native_id, tenant="acme", cascade=True)
        assert backend.set(pool.native_id)
