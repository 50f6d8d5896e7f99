"""Kubernetes objects become O2-IMS objects: every join and every rule, without an API server."""

from collections.abc import Iterable
from typing import Any

import pytest

from adapters.ims.kubernetes.cluster import Changes, Cluster, Identity
from adapters.ims.kubernetes.facts import Node
from adapters.ims.kubernetes.mapping import node_type
from adapters.ims.kubernetes.pools import LabelPool, label_pool
from adapters.types import DeploymentManager, Gone, Kind, Resource, ResourceKind, ResourcePool, ResourceType
from tests.adapters.kubernetes_objects import (
    TENANT,
    Manifest,
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
    stored,
    volume,
)

BOTH = ("machine.openshift.io/v1beta1", "cluster.x-k8s.io/v1beta2")
SYSTEM = stored(namespace("kube-system"))


def table(manifest: Manifest) -> str:
    plural = {"StorageClass": "storageclasses"}.get(manifest["kind"], f"{manifest['kind'].lower()}s")
    group = manifest["apiVersion"].rpartition("/")[0]
    return f"{plural}.{group}" if group in {"machine.openshift.io", "cluster.x-k8s.io"} else plural


class World:
    """A cluster that tests put objects into, and what it has told so far."""

    def __init__(self, *found: Manifest, apis: tuple[str, ...] = BOTH, **identity: Any) -> None:
        given = {
            "name": "lab",
            "server": "https://lab:6443",
            "version": "v1.37.2",
            "machine_apis": apis,
            **identity,
        }
        self.cluster = Cluster("lab", Identity(**given))
        self.version = 100
        self.first = self.put(SYSTEM, *found)

    def put(self, *found: Manifest) -> Changes:
        self.version += 1
        for manifest in found:
            self.cluster.take(table(manifest), manifest, self.version, gone=False)
        return self.cluster.drain()

    def remove(self, *found: Manifest) -> Changes:
        self.version += 1
        for manifest in found:
            self.cluster.take(table(manifest), manifest, self.version, gone=True)
        return self.cluster.drain()


def of(kind: type[Any], objects: Iterable[Any]) -> dict[str, Any]:
    """The objects of a kind, by name."""
    return {found.name: found for found in objects if isinstance(found, kind)}


def uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])


class TestNodes:
    def test_a_node_says_what_it_is(self) -> None:
        raw = stored(
            node("n-1", labels={"node-role.kubernetes.io/worker": "", "team": "ran"}, unschedulable=True)
        )
        raw["metadata"]["annotations"] = {"description": "Rack 7", "o2ims.oran.org/tags": "edge, gpu,edge"}
        raw["spec"]["taints"] = [
            {
                "key": "node.kubernetes.io/not-ready",
                "effect": "NoSchedule",
                "timeAdded": "2026-01-01T00:00:00Z",
            },
            {"key": "ran", "value": "yes", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
        ]
        found = of(Resource, World(raw).first.objects)["n-1"]
        assert (found.native_id, found.description, found.tenant) == (uid(raw), "Rack 7", None)
        assert found.global_asset_id == "urn:uuid:" + raw["status"]["nodeInfo"]["systemUUID"].lower()
        assert (found.tags, found.groups) == (("edge", "gpu"), ("role/worker", "zone/z1"))
        assert found.extensions == {
            "k8s.node.name": "n-1",
            "k8s.createdAt": "2026-01-01T00:00:00Z",
            "k8s.ready": True,
            "k8s.unschedulable": True,
            "k8s.zone": "z1",
            "k8s.region": "r1",
            "k8s.capacity": raw["status"]["capacity"],
            "k8s.allocatable": raw["status"]["allocatable"],
            "k8s.architecture": "amd64",
            "k8s.osImage": "Lab Linux 1",
            "k8s.kernelVersion": "6.12",
            "k8s.kubeletVersion": "v1.37.2",
            "k8s.providerId": "lab://n-1",
            "k8s.labels": {"node-role.kubernetes.io/worker": "", "team": "ran"},
            "k8s.taints": [{"key": "ran", "value": "yes", "effect": "NoExecute"}],
        }

    @pytest.mark.parametrize(
        "system_uuid", ["", "s", "Not Settable", "{12345678-1234-1234-1234-123456789012}"]
    )
    def test_a_system_uuid_that_is_none_is_no_asset(self, system_uuid: str) -> None:
        raw = stored(node("n-1"))
        raw["status"]["nodeInfo"]["systemUUID"] = system_uuid
        assert of(Resource, World(raw).first.objects)["n-1"].global_asset_id == ""

    def test_a_node_that_has_just_registered_is_one_already(self) -> None:
        bare = stored({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n-1"}})
        found = World(bare).first.objects
        resource = of(Resource, found)["n-1"]
        assert (resource.type_native_id, resource.pool_native_id) == ("node/unknown", "default")
        assert resource.extensions["k8s.ready"] is False

    def test_heartbeats_and_annotations_are_no_change(self) -> None:
        raw = stored(node("n-1"))
        world = World(raw)
        raw = stored(node("n-1"), 7, managedFields=[{"manager": "kubelet"}], annotations={"beat": "1"})
        raw["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-02-01T00:00:00Z"
        raw["status"]["images"] = [{"names": ["x"]}]
        assert world.put(raw) == Changes((), (), 0)

    def test_a_version_is_that_of_the_event_and_never_falls(self) -> None:
        world = World(stored(node("n-1")))
        changed = world.put(stored(node("n-1", labels={"a": "1"})))
        assert {found.version for found in changed.objects} == {"102"}
        world.version = 50
        late = world.put(stored(node("n-1", labels={"a": "2"})))
        assert {found.version for found in late.objects} == {"102"}


class TestTypes:
    def test_the_label_names_it_and_the_first_node_shows_it(self) -> None:
        label = {"node.kubernetes.io/instance-type": "m5.large"}
        first, second = stored(node("a", labels=label)), stored(node("b", labels=label))
        first["status"]["capacity"] |= {"nvidia.com/gpu": "2", "hugepages-1Gi": "0"}
        world = World(second)
        (changed,) = (found for found in world.put(first).objects if isinstance(found, ResourceType))
        assert (changed.native_id, changed.name, changed.model) == (
            "instance-type/m5.large",
            "m5.large",
            "m5.large",
        )
        assert (changed.vendor, changed.resource_kind) == ("lab", ResourceKind.LOGICAL)
        assert changed.extensions == {
            "k8s.nativeId": "instance-type/m5.large",
            "k8s.instanceType": "m5.large",
            "k8s.cpu": 64,
            "k8s.memoryGiB": 252,
            "k8s.architecture": "amd64",
            "k8s.extendedResources": {"nvidia.com/gpu": 2},
        }
        again = world.remove(second)
        assert not of(ResourceType, again.objects), "another node of it went: nothing changes"

    def test_the_next_node_by_name_shows_it_when_the_first_is_gone(self) -> None:
        nodes = [stored(node(name, labels={"node.kubernetes.io/instance-type": "m5"})) for name in "abc"]
        for raw, count in zip(nodes, "123", strict=True):
            raw["status"]["capacity"]["nvidia.com/gpu"] = count
        world = World(*reversed(nodes))
        for raw, now in ((nodes[0], 2), (nodes[1], 3)):
            (shown,) = of(ResourceType, world.remove(raw).objects).values()
            assert shown.extensions["k8s.extendedResources"] == {"nvidia.com/gpu": now}

    def test_without_a_name_the_size_is_one(self) -> None:
        assert node_type(Node.of(stored(node("n-1")))) == "node/amd64-64c-252Gi"

    @pytest.mark.parametrize(
        ("provider_id", "kind"),
        [
            ("metal3://ns/host/uid", ResourceKind.PHYSICAL),
            ("baremetalhost:///ns/host/uid", ResourceKind.PHYSICAL),
            ("aws:///zone/i-1", ResourceKind.LOGICAL),
            ("", ResourceKind.LOGICAL),
        ],
    )
    def test_only_what_is_known_to_be_metal_is_physical(self, provider_id: str, kind: ResourceKind) -> None:
        (found,) = of(ResourceType, World(stored(node("n-1", providerID=provider_id))).first.objects).values()
        assert found.resource_kind is kind

    def test_a_type_goes_with_its_last_node(self) -> None:
        raw = stored(node("n-1"))
        world = World(raw)
        gone = world.remove(raw).gone
        assert Gone(Kind.RESOURCE_TYPE, "node/amd64-64c-252Gi", "102") in gone
        assert gone[0].kind is Kind.RESOURCE, "children first"


class TestMachines:
    def test_a_machine_without_a_node_is_a_resource_of_its_sets_pool(self) -> None:
        pool = stored(machine_set("workers", tenant="acme"))
        world = World(pool)
        (found,) = of(Resource, world.put(stored(machine("m-1", owner=pool))).objects).values()
        assert (found.pool_native_id, found.tenant) == (uid(pool), "acme")
        assert found.type_native_id == "instance-type/m5.large"
        assert found.extensions["k8s.ready"] is False
        assert (found.extensions["k8s.zone"], found.extensions["k8s.region"]) == ("z7", "r7")

    def test_the_node_that_its_machine_becomes_has_its_machines_id(self) -> None:
        pool = stored(machine_set("workers"))
        made, joined = stored(machine("m-1", owner=pool)), stored(node("n-1"))
        world = World(pool, made)
        (early,) = of(Resource, world.put(joined).objects).values()
        assert early.native_id == uid(joined), "nobody knows yet that they are one"
        changed = world.put(becomes(made, "n-1"))
        (found,) = of(Resource, changed.objects).values()
        assert (found.native_id, found.name, found.pool_native_id) == (uid(made), "n-1", uid(pool))
        assert [gone.native_id for gone in changed.gone if gone.kind is Kind.RESOURCE] == [uid(joined)]

    @pytest.mark.parametrize("by", ["annotation", "providerID"])
    def test_a_node_that_tells_its_machine_is_never_a_second_resource(self, by: str) -> None:
        made, joined = stored(machine("m-1")), stored(node("n-1"))
        if by == "annotation":
            joined["metadata"]["annotations"] = {"machine.openshift.io/machine": "openshift-machine-api/m-1"}
        else:
            made["spec"]["providerID"] = joined["spec"]["providerID"]
        world = World(made)
        changed = world.put(joined)
        assert [found.native_id for found in of(Resource, changed.objects).values()] == [uid(made)]
        assert not [gone for gone in changed.gone if gone.kind is Kind.RESOURCE]

    def test_two_nodes_that_claim_one_machine_are_two_resources(self) -> None:
        claims = {"machine.openshift.io/machine": "openshift-machine-api/m-1"}
        both = [stored(node(name), annotations=claims) for name in ("n-1", "n-2")]
        made = stored(machine("m-1"))
        found = of(Resource, World(made, *both).first.objects)
        assert {name: resource.native_id for name, resource in found.items()} == {
            "n-1": uid(made),
            "n-2": uid(both[1]),
        }

    def test_a_machine_that_both_apis_describe_is_one_resource(self) -> None:
        pool = stored(machine_set("workers"))
        ours, theirs = stored(machine("m-1", owner=pool)), stored(capi_machine("m-1"))
        world = World(pool, becomes(ours, "n-1"), becomes(theirs, "n-1"))
        (found,) = of(Resource, world.first.objects).values()
        assert found.native_id == uid(ours), "also while its node is not there"
        (found,) = of(Resource, world.put(stored(node("n-1"))).objects).values()
        assert (found.native_id, found.pool_native_id) == (uid(ours), uid(pool))

    def test_cluster_api_goes_up_to_the_deployment(self) -> None:
        top = stored(deployment("md", tenant="acme"))
        middle = stored(capi_set("md-x", owner=top))
        world = World(
            top, middle, becomes(stored(capi_machine("md-x-1", owner=middle)), "n-1"), stored(node("n-1"))
        )
        assert set(of(ResourcePool, world.first.objects)) == {"md"}
        found = of(Resource, world.first.objects)["n-1"]
        assert (found.pool_native_id, found.tenant) == (uid(top), "acme")
        changed = world.remove(top)
        assert of(ResourcePool, changed.objects)["md-x"].native_id == uid(middle), (
            "a set without one is a pool"
        )
        assert of(Resource, changed.objects)["n-1"].pool_native_id == uid(middle)

    def test_an_owner_of_the_same_name_is_not_the_owner(self) -> None:
        pool = stored(machine_set("workers"))
        made = stored(machine("m-1", owner=pool))
        another = stored(machine_set("workers"), uid="00000000-0000-4000-8000-000000000000")
        found = of(Resource, World(another, made).first.objects)["m-1"]
        assert found.pool_native_id == "default"

    def test_a_machine_outside_the_set_is_in_the_pool_that_its_label_names(self) -> None:
        pool, made = stored(machine_set("workers")), machine("m-1")
        made["metadata"]["labels"] = {"o2ims.oran.org/resource-pool-id": uid(pool)}
        assert of(Resource, World(pool, stored(made)).first.objects)["m-1"].pool_native_id == uid(pool)

    def test_a_machine_pool_has_the_nodes_it_names(self) -> None:
        pool = stored(machine_pool("mp", ("n-1",)))
        world = World(pool, stored(node("n-1")))
        assert of(Resource, world.first.objects)["n-1"].pool_native_id == uid(pool)
        changed = world.put(stored(machine_pool("mp")))
        assert of(Resource, changed.objects)["n-1"].pool_native_id == "default"

    def test_without_a_machine_api_nothing_is_looked_up(self) -> None:
        found = of(Resource, World(stored(node("n-1")), apis=()).first.objects)
        assert found["n-1"].pool_native_id == "default"


class TestPools:
    @pytest.mark.parametrize(
        ("labels", "pool"),
        [
            (
                {"eks.amazonaws.com/nodegroup": "a", "agentpool": "b"},
                "node-pool/eks.amazonaws.com/nodegroup/a",
            ),
            ({"agentpool": "b"}, "node-pool/agentpool/b"),
            ({"karpenter.sh/nodepool": "c"}, "node-pool/karpenter.sh/nodepool/c"),
            ({"node-role.kubernetes.io/worker": ""}, "node-pool/node-role.kubernetes.io/worker"),
            (
                {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/storage": ""},
                "node-pool/node-role.kubernetes.io/storage",
            ),
            ({"node-role.kubernetes.io/gpu": "true"}, "node-pool/node-role.kubernetes.io/gpu"),
            ({"agentpool": ""}, None),
            ({}, None),
        ],
    )
    def test_a_label_names_one(self, labels: dict[str, str], pool: str | None) -> None:
        found = label_pool(labels)
        assert (found.native_id if found else None) == pool

    def test_a_label_is_asked_in_the_given_order(self) -> None:
        assert label_pool({"a": "1", "b": "2"}, ["b", "a"]) == LabelPool("b", "2")

    def test_a_pool_without_zones_of_its_own_is_where_its_nodes_are(self) -> None:
        first, second = stored(node("n-1")), stored(node("n-2", labels={"topology.kubernetes.io/zone": "z2"}))
        world = World(first)
        assert of(ResourcePool, world.first.objects)["default"].location == "z1"
        (changed,) = of(ResourcePool, world.put(second).objects).values()
        assert changed.location == "z1, z2"
        assert not of(ResourcePool, world.put(stored(node("n-3"))).objects)
        (changed,) = of(ResourcePool, world.remove(first, stored(node("n-3"))).objects).values()
        assert changed.location == "z2"

    def test_a_set_of_no_zone_is_where_its_nodes_are(self) -> None:
        pool = stored(deployment("md"))
        pool["spec"]["template"]["spec"].pop("failureDomain")
        made = becomes(stored(capi_machine("m", owner=pool)), "n-1")
        world = World(pool, made)
        assert of(ResourcePool, world.first.objects)["md"].location == "z9", (
            "as the Machine that is no node yet says"
        )
        assert of(ResourcePool, world.put(stored(node("n-1"))).objects)["md"].location == "z1"

    def test_a_set_says_what_it_is(self) -> None:
        raw = stored(machine_set("workers", tenant="acme"), annotations={"description": "For RAN"})
        found = of(ResourcePool, World(raw).first.objects)["workers"]
        assert (found.native_id, found.description, found.tenant) == (uid(raw), "For RAN", "acme")
        assert found.location == "z7"
        assert found.extensions == {
            "k8s.kind": "MachineSet",
            "k8s.machineset.name": "workers",
            "k8s.machineset.namespace": "openshift-machine-api",
            "k8s.machineset.replicas": 3,
            "k8s.instanceType": "m5.large",
            "k8s.createdAt": "2026-01-01T00:00:00Z",
        }

    def test_the_default_pool_is_there_if_somebody_is_in_it_or_nothing_else_is(self) -> None:
        world = World()
        assert set(of(ResourcePool, world.first.objects)) == {"default"}
        changed = world.put(stored(machine_set("workers")))
        assert [gone.native_id for gone in changed.gone] == ["default"]
        assert set(of(ResourcePool, world.put(stored(node("n-1"))).objects)) == {"default"}
        changed = world.remove(stored(node("n-1")))
        assert "default" in {gone.native_id for gone in changed.gone}


class TestTenants:
    @pytest.mark.parametrize(
        ("own", "machines", "sets", "tenant"),
        [
            ("acme", "globex", "initech", "acme"),
            ("", "globex", "initech", "globex"),
            ("", "", "initech", "initech"),
            ("", "", "", None),
        ],
    )
    def test_a_node_is_its_own_or_its_machines_or_its_pools(
        self, own: str, machines: str, sets: str, tenant: str | None
    ) -> None:
        pool = stored(machine_set("workers", tenant=sets))
        made = machine("m-1", owner=pool)
        made["metadata"]["labels"] = {TENANT: machines}
        joined = stored(node("n-1", labels={TENANT: own}))
        world = World(pool, becomes(stored(made), "n-1"), joined)
        assert of(Resource, world.first.objects)["n-1"].tenant == tenant

    def test_the_pools_label_changes_all_that_inherit_it(self) -> None:
        pool = stored(machine_set("workers", tenant="acme"))
        world = World(
            pool,
            *(becomes(stored(machine(f"m-{n}", owner=pool)), f"n-{n}") for n in range(3)),
            *(stored(node(f"n-{n}")) for n in range(3)),
        )
        changed = world.put(stored(machine_set("workers", tenant="globex")))
        assert {found.tenant for found in changed.objects} == {"globex"}
        assert set(of(Resource, changed.objects)) == {"n-0", "n-1", "n-2"}

    def test_a_volume_is_its_own_or_its_claims_namespaces(self) -> None:
        world = World(stored(namespace("ns-a", "acme")), stored(volume("pv-1", claim="ns-a/data")))
        assert of(Resource, world.first.objects)["pv-1"].tenant == "acme"
        own = volume("pv-1", claim="ns-a/data")
        own["metadata"]["labels"] = {TENANT: "globex"}
        assert of(Resource, world.put(stored(own)).objects)["pv-1"].tenant == "globex"


class TestVolumes:
    def test_a_volume_says_what_it_is(self) -> None:
        raw, fast = (
            stored(volume("pv-1", storage_class="fast", claim="ns-a/data")),
            stored(storage_class("fast")),
        )
        found = of(Resource, World(fast, raw).first.objects)["pv-1"]
        assert (found.native_id, found.pool_native_id, found.type_native_id) == (
            uid(raw),
            "storage",
            uid(fast),
        )
        assert found.extensions == {
            "k8s.createdAt": "2026-01-01T00:00:00Z",
            "k8s.capacity": {"storage": "10Gi"},
            "k8s.storageClass": "fast",
            "k8s.claim": "ns-a/data",
            "k8s.accessModes": ["ReadWriteOnce"],
            "k8s.reclaimPolicy": "Retain",
        }

    @pytest.mark.parametrize(
        ("name", "kind"), [("", "storage-class/none"), ("none", "storage-class/name/none")]
    )
    def test_one_without_a_class_has_a_type_all_the_same(self, name: str, kind: str) -> None:
        objects = World(stored(volume("pv-1", storage_class=name))).first.objects
        assert of(Resource, objects)["pv-1"].type_native_id == kind
        assert [found.native_id for found in of(ResourceType, objects).values()] == [kind]

    def test_a_class_that_comes_later_takes_its_volumes_over(self) -> None:
        world = World(stored(volume("pv-1", storage_class="fast")))
        changed = world.put(stored(storage_class("fast")))
        assert of(Resource, changed.objects)["pv-1"].type_native_id == uid(stored(storage_class("fast")))
        assert [gone.native_id for gone in changed.gone] == ["storage-class/name/fast"]


class TestTheManager:
    def test_it_says_what_the_cluster_is(self) -> None:
        raw = stored(node("n-1"))
        raw["status"]["capacity"] |= {"cpu": "500m", "nvidia.com/gpu": "8", "hugepages-1Gi": "4Gi"}
        found = World(raw, stored(storage_class("fast")), stored(naming("Edge", "d", "b,a"))).first.objects
        (manager,) = of(DeploymentManager, found).values()
        assert (manager.native_id, manager.name, manager.description) == (uid(SYSTEM), "Edge", "d")
        assert (manager.service_uri, manager.supported_locations) == ("https://lab:6443", ("a", "b"))
        assert manager.capabilities == {
            "kubernetesVersion": "v1.37.2",
            "machineApi": "machine.openshift.io/v1beta1",
            "architectures": ["amd64"],
            "storageClasses": ["fast"],
        }
        assert manager.capacity == {
            "cpu": 0.5,
            "memory": 263829484 * 1024,
            "nodes": 1,
            "nvidia.com/gpu": 8,
            "pods": 250,
            "storage": 1024**4,
        }

    def test_a_class_that_comes_is_a_capability(self) -> None:
        (manager,) = of(DeploymentManager, World().put(stored(storage_class("fast"))).objects).values()
        assert manager.capabilities["storageClasses"] == ["fast"]

    def test_without_nodes_it_has_no_capacity(self) -> None:
        world = World(stored(node("n-1")))
        (manager,) = of(DeploymentManager, world.remove(stored(node("n-1"))).objects).values()
        assert (manager.capacity, manager.capabilities["architectures"]) == ({}, [])


class TestWhatMakesNoSense:
    @pytest.mark.parametrize(
        "damage",
        [
            {"metadata": None},
            {"metadata": {"name": "n-2"}},
            {"metadata": {"uid": "u"}},
            {"metadata": {"name": 7, "uid": "u"}},
            {"metadata": {"name": "n-2", "uid": "u", "labels": ["a"]}},
            {"metadata": {"name": "n-2", "uid": "u", "labels": {"a": 1}}},
            {"metadata": {"name": "n-2", "uid": "u", "ownerReferences": {"kind": "x"}}},
            {"spec": []},
            {"spec": {"taints": [{"effect": "NoSchedule"}]}},
            {"status": {"capacity": {"cpu": "many"}}},
            {"status": {"capacity": {"cpu": 4}}},
            {"status": {"conditions": [None]}},
            {"status": {"nodeInfo": {"architecture": ["amd64"]}}},
        ],
    )
    def test_it_is_skipped_and_counted_alone(self, damage: Manifest) -> None:
        world = World(stored(node("n-1")))
        changes = world.put({**stored(node("n-2")), **damage}, stored(node("n-3")))
        assert (changes.skipped, set(of(Resource, changes.objects))) == (1, {"n-3"})
        assert world.put().skipped == 0

    def test_nothing_at_all_is_too(self) -> None:
        world = World()
        nothing: tuple[Any, ...] = (None, [], "x", 7)
        for raw in nothing:
            world.cluster.take("nodes", raw, 5, gone=False)
            world.cluster.take("nodes", raw, 5, gone=True)
        assert world.cluster.drain().skipped == 4

    def test_one_that_made_sense_before_stays_as_it_was(self) -> None:
        raw = stored(node("n-1"))
        world = World(raw)
        broken = {**raw, "status": {"capacity": {"cpu": "many"}}}
        assert world.put(broken) == Changes((), (), 1, (raw["metadata"]["uid"],))
        assert of(Resource, world.put(stored(node("n-1", labels={"a": "1"}))).objects)

    def test_an_id_that_is_anothers_is_not_told_twice(self) -> None:
        world = World(stored(node("n-1")))
        changes = world.put(stored(node("n-2"), uid=uid(stored(node("n-1")))))
        assert (changes.skipped, of(Resource, changes.objects), changes.gone) == (1, {}, ())
