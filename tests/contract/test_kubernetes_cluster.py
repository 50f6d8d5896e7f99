"""What only a Kubernetes cluster does: machines that become nodes, permissions by kind, names, tenants,
sizes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import ImsAdapter
from adapters.errors import Forbidden
from adapters.types import DeploymentManager, Kind, Resource, ResourceClass, ResourcePool
from tests.adapters.kubernetes_objects import (
    MACHINES,
    OPENSHIFT,
    becomes,
    capi_machine,
    capi_set,
    deployment,
    machine,
    machine_pool,
    machine_set,
    namespace,
    naming,
    node,
    storage_class,
    volume,
)
from tests.contract.ims import assert_whole, away, keyed, watching
from tests.contract.kubernetes_backend import NAMING_RULES, NODES, RULES, Somebody, adapter_of
from tests.peers.kubernetes import ControlPlane


@pytest.fixture
def backend(cluster: ControlPlane) -> Somebody:
    return Somebody(cluster)


@pytest.fixture
def adapter(cluster: ControlPlane) -> Any:
    adapter = adapter_of(cluster.kubeconfig())
    yield adapter
    adapter.close()


def uid(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["uid"])


def the_manager(adapter: ImsAdapter) -> DeploymentManager:
    (manager,) = adapter.deployment_managers()
    return manager


class TestMachinesAndNodes:
    async def test_a_machine_is_one_resource_for_life_when_the_test_plays_the_controller_that_makes_it_a_node(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        pool = await away(cluster.apply, machine_set("workers", tenant="acme"))
        async with watching(adapter) as watch:
            made = await away(cluster.apply, machine("workers-1", owner=pool))
            key = (Kind.RESOURCE, uid(made))
            await watch.until(lambda: key in watch.state)
            before = watch.state[key]
            assert isinstance(before, Resource)
            assert (before.pool_native_id, before.tenant) == (uid(pool), "acme")
            assert before.extensions["k8s.ready"] is False

            await away(cluster.apply, node("worker-1") | {"spec": {"providerID": "lab://1"}})
            await away(cluster.apply, becomes(machine("workers-1", owner=pool), "worker-1"))
            await watch.until(lambda: watch.state[key].name == "worker-1")
            after = watch.state[key]
            assert isinstance(after, Resource)
            assert (after.pool_native_id, after.tenant) == (uid(pool), "acme")
            assert after.extensions["k8s.ready"] is True
            assert after.extensions["k8s.machine.name"] == "workers-1"

            await away(cluster.delete, node("worker-1"))
            await watch.until(lambda: watch.state[key].name == "workers-1")
            assert [kind for kind, _ in watch.state].count(Kind.RESOURCE) == 1
            await away(cluster.delete, machine("workers-1"))
            await watch.until(lambda: key not in watch.state)

    async def test_a_node_that_names_its_machine_never_has_an_id_of_its_own(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        made = await away(cluster.apply, machine("m-1"))
        async with watching(adapter) as watch:
            named = node("worker-1")
            named["metadata"]["annotations"] = {"machine.openshift.io/machine": f"{MACHINES}/m-1"}
            await away(cluster.apply, named)
            batch = await watch.next()
            assert [found.native_id for found in batch.objects if isinstance(found, Resource)] == [uid(made)]
            assert not [gone for gone in batch.gone if gone.kind is Kind.RESOURCE]

    def test_cluster_api_machines_are_in_the_pool_of_their_deployment_when_the_test_plays_their_controllers(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        pool = cluster.apply(deployment("md", tenant="acme"))
        owner = cluster.apply(capi_set("md-x", owner=pool))
        made = cluster.apply(capi_machine("md-x-1", owner=owner))
        cluster.apply(node("worker-1"))
        cluster.apply(becomes(capi_machine("md-x-1", owner=owner), "worker-1"))
        cluster.apply(node("pooled"))
        other = cluster.apply(machine_pool("mp", ("pooled",)))
        found = keyed(adapter.everything())
        resource = found[Kind.RESOURCE, uid(made)]
        assert isinstance(resource, Resource)
        assert (resource.pool_native_id, resource.tenant, resource.name) == (uid(pool), "acme", "worker-1")
        pools = {key for kind, key in found if kind is Kind.RESOURCE_POOL}
        assert pools == {uid(pool), uid(other)}, "the MachineSet of a MachineDeployment is no pool"
        (member,) = (
            thing for thing in found.values() if isinstance(thing, Resource) and thing.name == "pooled"
        )
        assert member.pool_native_id == uid(other)
        assert found[Kind.RESOURCE_POOL, uid(pool)].extensions["k8s.kind"] == "MachineDeployment"

    async def test_a_set_gone_leaves_its_node_to_the_default_pool(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        pool = await away(cluster.apply, machine_set("workers", tenant="acme"))
        made = await away(cluster.apply, machine("workers-1", owner=pool))
        await away(cluster.apply, node("worker-1"))
        await away(cluster.apply, becomes(machine("workers-1", owner=pool), "worker-1"))
        async with watching(adapter) as watch:
            version = watch.versions[Kind.RESOURCE, uid(made)]
            await away(cluster.delete, machine_set("workers"))
            await watch.until(lambda: (Kind.RESOURCE_POOL, uid(pool)) not in watch.state)
            resource = watch.state[Kind.RESOURCE, uid(made)]
            assert isinstance(resource, Resource)
            assert (resource.pool_native_id, resource.tenant) == ("default", None)
            gone = watch.versions[Kind.RESOURCE_POOL, uid(pool)]
            assert int(gone) == int(watch.versions[Kind.RESOURCE, uid(made)]) > int(version)
            assert_whole(watch.state)


class TestVolumes:
    async def test_a_volume_is_its_claims_namespaces_and_follows_it(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        await away(cluster.apply, namespace("ns-a", "acme"))
        fast = await away(cluster.apply, storage_class("fast"))
        made = await away(cluster.apply, volume("pv-1", storage_class="fast", claim="ns-a/data"))
        async with watching(adapter) as watch:
            found = watch.state[Kind.RESOURCE, uid(made)]
            assert isinstance(found, Resource)
            assert (found.tenant, found.type_native_id, found.pool_native_id) == (
                "acme",
                uid(fast),
                "storage",
            )
            await away(cluster.apply, namespace("ns-a", "globex"))
            batch = await watch.next()
            assert [(thing.native_id, thing.tenant) for thing in batch.objects] == [(uid(made), "globex")]
            await away(cluster.delete, storage_class("fast"))
            await watch.until(lambda: (Kind.RESOURCE_TYPE, uid(fast)) not in watch.state)
            assert_whole(watch.state)
            await away(cluster.delete, volume("pv-1"))
            # The controller that lets go of it is not here.
            path, freed = "/api/v1/persistentvolumes/pv-1", {"metadata": {"finalizers": None}}
            await away(Somebody(cluster).patch, path, freed)
            await watch.until(lambda: (Kind.RESOURCE_POOL, "storage") not in watch.state)

    def test_what_a_class_is_called_with_stays_there(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        fast = cluster.apply(storage_class("fast"))
        found = {thing.native_id: thing for thing in adapter.types()}[uid(fast)]
        assert (found.name, found.vendor, found.resource_class) == (
            "fast",
            "lab.test/csi",
            ResourceClass.STORAGE,
        )
        assert "SECRET" not in str(found)


class TestTheCluster:
    async def test_the_operator_names_it_in_a_config_map(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        assert (await away(the_manager, adapter)).name == "test"  # the kubeconfig's
        async with watching(adapter) as watch:
            await away(cluster.apply, naming("Edge 7", "Under the mast", "GLI-1, GLI-2"))
            batch = await watch.next()
            (found,) = batch.objects
            assert isinstance(found, DeploymentManager)
            assert (found.name, found.description) == ("Edge 7", "Under the mast")
            assert found.supported_locations == ("GLI-1", "GLI-2")
            await away(cluster.delete, naming(""))
            await watch.until(lambda: any(thing.name == "test" for thing in watch.state.values()))

    def test_it_says_what_it_is_and_how_to_reach_it_but_not_how_to_enter(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        adapter.check()
        manager = the_manager(adapter)
        assert manager.native_id == uid(cluster.request("GET", "/api/v1/namespaces/kube-system"))
        assert manager.service_uri == cluster.url
        assert manager.capabilities["kubernetesVersion"] == adapter.metadata().version == "v1.37.2"
        assert manager.capabilities["machineApi"] == OPENSHIFT
        said = str(list(adapter.everything()))
        for secret in (cluster.token("admin"), "PRIVATE KEY", "CERTIFICATE"):
            assert secret not in said

    async def test_its_capacity_is_that_of_all_nodes_also_when_they_come_change_and_go(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        big = node("n-2")
        big["status"]["capacity"] |= {"cpu": "7500m", "nvidia.com/gpu": "8"}
        await away(cluster.apply, node("n-1"))
        async with watching(adapter) as watch:
            await away(cluster.apply, big)
            await away(
                Somebody(cluster).patch, f"{NODES}/n-1/status", {"status": {"capacity": {"cpu": "32"}}}
            )
            await away(cluster.apply, node("n-3"))
            await away(cluster.delete, node("n-3"))
            there = await away(the_manager, adapter)
            assert there.capacity == {
                "cpu": 39.5,
                "memory": 2 * 263829484 * 1024,
                "nodes": 2,
                "nvidia.com/gpu": 8,
                "pods": 500,
                "storage": 2 * 1024**4,
            }
            key = (Kind.DEPLOYMENT_MANAGER, there.native_id)
            await watch.until(lambda: watch.state[key] == replace(there, version=""))

    async def test_more_than_a_page_is_read_whole(self, cluster: ControlPlane, adapter: ImsAdapter) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(lambda number: cluster.request("POST", NODES, node(f"n-{number:04}")), range(1_100))
            )
        found = await away(lambda: keyed(adapter.everything()))
        assert len([key for key in found if key[0] is Kind.RESOURCE]) == 1_100
        async with watching(adapter) as watch:
            assert watch.state == found

    async def test_an_object_that_makes_no_sense_is_skipped_and_counted_alone(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        absurd = node("absurd")
        absurd["status"]["capacity"]["cpu"] = "1e30"
        await away(cluster.apply, node("fine"))
        async with watching(adapter) as watch:
            await away(cluster.request, "POST", NODES, absurd)
            batch = await watch.next()
            assert (batch.skipped, batch.objects, batch.gone) == (1, (), ())
            await away(cluster.apply, node("fine-too"))
            assert [f.name for f in (await watch.next()).objects if isinstance(f, Resource)] == ["fine-too"]
        names = {found.name for found in await away(lambda: list(adapter.resources()))}
        assert names == {"fine", "fine-too"}


class TestPermissions:
    def test_the_documented_rights_are_enough(self, cluster: ControlPlane) -> None:
        cluster.apply(naming("Edge 7"))
        cluster.grant("reader", RULES)
        cluster.apply(node("n-1"))
        adapter = adapter_of(cluster.kubeconfig("reader"))
        try:
            adapter.check()
            assert [found.name for found in adapter.resources()] == ["n-1"]
            assert the_manager(adapter).name == "test"
            cluster.grant("reader", RULES + NAMING_RULES)
            assert the_manager(adapter).name == "Edge 7"
        finally:
            adapter.close()

    async def test_the_documented_rights_are_enough_to_watch(self, cluster: ControlPlane) -> None:
        await away(cluster.grant, "reader", RULES)
        adapter = adapter_of(cluster.kubeconfig("reader"))
        try:
            async with watching(adapter) as watch:
                await away(cluster.apply, node("n-1"))
                await watch.until(lambda: any(thing.name == "n-1" for thing in watch.state.values()))
        finally:
            adapter.close()

    @pytest.mark.parametrize(
        ("group", "kind"),
        [
            ("", "nodes"),
            ("", "persistentvolumes"),
            ("", "namespaces"),
            ("storage.k8s.io", "storageclasses"),
            ("machine.openshift.io", "machines"),
            ("cluster.x-k8s.io", "machinedeployments"),
        ],
    )
    @pytest.mark.parametrize("verb", ["list", "watch"])
    def test_a_right_that_is_missing_is_named(
        self, cluster: ControlPlane, group: str, kind: str, verb: str
    ) -> None:
        rules = []
        for rule in RULES:
            if rule["apiGroups"] != [group]:
                rules.append(rule)
                continue
            others = [resource for resource in rule["resources"] if resource != kind]
            verbs = [found for found in rule["verbs"] if found != verb]
            rules += [{**rule, "resources": others}] if others else []
            rules.append({**rule, "resources": [kind], "verbs": verbs})
        cluster.grant("reader", rules)
        adapter = adapter_of(cluster.kubeconfig("reader"))
        try:
            with pytest.raises(Forbidden, match=rf"^lab: .* {verb} {kind}\b"):
                adapter.check()
        finally:
            adapter.close()


class TestPoolsOfLabels:
    def test_a_node_is_in_the_pool_its_label_names_unless_a_set_has_it(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        cluster.apply(node("n-1", labels={"eks.amazonaws.com/nodegroup": "blue"}))
        cluster.apply(
            node("n-2", labels={"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/infra": ""})
        )
        cluster.apply(node("n-3"))
        pools = {found.name: found.pool_native_id for found in adapter.resources()}
        assert pools == {
            "n-1": "node-pool/eks.amazonaws.com/nodegroup/blue",
            "n-2": "node-pool/node-role.kubernetes.io/infra",
            "n-3": "default",
        }
        assert {pool.native_id for pool in adapter.pools()} == set(pools.values())

    def test_the_labels_are_the_operators_choice(self, cluster: ControlPlane) -> None:
        cluster.apply(node("n-1", labels={"eks.amazonaws.com/nodegroup": "blue", "rack": "r-1"}))
        adapter = adapter_of(cluster.kubeconfig(), nodePoolLabels=["rack"])
        try:
            (found,) = adapter.pools()
            assert (found.native_id, found.name, found.location) == ("node-pool/rack/r-1", "r-1", "z1")
        finally:
            adapter.close()

    async def test_an_empty_cluster_has_the_default_pool_until_there_is_another(
        self, cluster: ControlPlane, adapter: ImsAdapter
    ) -> None:
        async with watching(adapter) as watch:
            assert (Kind.RESOURCE_POOL, "default") in watch.state
            await away(cluster.apply, machine_set("workers", replicas=0))
            await watch.until(lambda: (Kind.RESOURCE_POOL, "default") not in watch.state)
            (pool,) = (thing for thing in watch.state.values() if isinstance(thing, ResourcePool))
            assert (pool.name, pool.location, pool.extensions["k8s.machineset.replicas"]) == (
                "workers",
                "z7",
                0,
            )
