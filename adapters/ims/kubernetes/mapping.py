"""From Kubernetes facts to O2-IMS objects: pure functions, the same for lists and for watching.

Native ids are uids where there is one; what we derive has a path for an id (`instance-type/…`, `node-pool/…`)
and says so in `k8s.nativeId`. Nothing here moves by itself, and nothing here is secret.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.ims.kubernetes.facts import Machine, MachineSet, Naming, Node, StorageClass, Volume
from adapters.ims.kubernetes.meta import deleting, present
from adapters.ims.kubernetes.platform import Platform
from adapters.ims.kubernetes.pools import STORAGE
from adapters.ims.kubernetes.quantity import number, quantity
from adapters.types import (
    DeploymentManager,
    Footprint,
    Resource,
    ResourceClass,
    ResourceKind,
    ResourceType,
)

_ROLE = "node-role.kubernetes.io/"
_INSTANCE_TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
#: Labels that say again what has a field of its own.
_NOISE = (
    "beta.kubernetes.io/",
    "failure-domain.beta.kubernetes.io/",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)
#: Providers whose instances are machines of metal, as their providerID says. Every other Node is a machine
#: that somebody's software made, or one about which nothing is known: LOGICAL, since a Node itself is a
#: logical view of a machine.
_METAL = {"metal3", "baremetalhost"}
_GIB = 1024**3


def node_zone(node: Node) -> str:
    """The zone a node says it is in, or ''."""
    return _label(node, _ZONE_LABELS)


def node_type(node: Node, machine: Machine | None = None) -> str:
    """The native id of a node's type: its instance type, or one derived from what it can do."""
    if named := instance_type_name(node, machine):
        return f"instance-type/{named}"
    cpu, memory = _amount(node.capacity, "cpu"), _amount(node.capacity, "memory")
    if not cpu and not memory:
        return "node/unknown"
    return f"node/{node.architecture or 'unknown'}-{cpu}c-{round(memory / _GIB)}Gi"


def machine_type(machine: Machine) -> str:
    """The native id of the type of a Machine that is no node yet."""
    if machine.instance_type:
        return f"instance-type/{machine.instance_type}"
    return f"machine/{machine.infrastructure or 'unknown'}"


def instance_type_name(node: Node | None, machine: Machine | None) -> str:
    """The instance type that the node, or else its Machine, names; or ''."""
    named = _label(node, _INSTANCE_TYPE_LABELS) if node else ""
    return named or (machine.instance_type if machine else "")


def volume_type(volume: Volume, storage_class: StorageClass | None) -> str:
    """The native id of a volume's type: its class, or the name of one that is gone, or none."""
    if storage_class:
        return storage_class.meta.uid
    return f"storage-class/name/{volume.storage_class}" if volume.storage_class else "storage-class/none"


def node_resource(
    node: Node, machine: Machine | None, pool: MachineSet | None, label_pool: str = "", *, made: bool = False
) -> Resource:
    """A Node in the pool of a set (that has `made` it), or of a label; with its Machine if it has one: then
    it is that Machine, for life."""
    meta = machine.meta if machine else node.meta
    zone, roles = node_zone(node), _roles(node)
    return Resource(
        native_id=meta.uid,
        name=node.meta.name,
        description=node.meta.description or meta.description,
        tenant=node.meta.tenant or meta.tenant or (pool.meta.tenant if pool else None),
        type_native_id=node_type(node, machine),
        pool_native_id=pool.meta.uid if pool else label_pool,
        global_asset_id=_asset(node.system_uuid),
        tags=node.meta.tags or meta.tags,
        groups=tuple(sorted([*(f"role/{role}" for role in roles), *([f"zone/{zone}"] if zone else [])])),
        extensions=present(
            {
                "k8s.node.name": node.meta.name,
                **_machine_facts(machine),
                "k8s.createdAt": meta.created,
                "k8s.ready": node.ready,
                "k8s.unschedulable": node.unschedulable,
                "k8s.instanceType": instance_type_name(node, machine),
                "k8s.zone": zone or (machine.zone if machine else ""),
                "k8s.region": _label(node, _REGION_LABELS) or (machine.region if machine else ""),
                "k8s.capacity": node.capacity,
                "k8s.allocatable": node.allocatable,
                "k8s.architecture": node.architecture,
                "k8s.osImage": node.os_image,
                "k8s.kernelVersion": node.kernel,
                "k8s.kubeletVersion": node.kubelet,
                "k8s.providerId": node.provider_id,
                "k8s.labels": {
                    key: value for key, value in node.labels.items() if not key.startswith(_NOISE)
                },
                "k8s.taints": list(node.taints),
                **deleting(node.meta, meta),
            }
        ),
        takes=_taken(pool, _amount(node.capacity, "cpu"), _amount(node.capacity, "memory") / _GIB, made=made),
    )


def _taken(pool: MachineSet | None, cpu: float | None, memory: float | None, *, made: bool) -> Footprint:
    """What a machine takes of quotas beside its pool. One that a set makes was counted with the set, as far
    as that says how large it is."""
    counted = made and pool is not None
    if counted and pool and pool.flavor:
        return Footprint()
    return Footprint(resources=0 if counted else 1, cpu_cores=cpu, memory_gb=memory)


def machine_resource(machine: Machine, pool: MachineSet | None, *, made: bool, default: str) -> Resource:
    """A Machine that is no node (yet, or any more), in the pool of a set (that has `made` it) or the default
    one."""
    flavor = pool.flavor if pool else None
    return Resource(
        native_id=machine.meta.uid,
        name=machine.meta.called,
        description=machine.meta.description,
        tenant=machine.meta.tenant or (pool.meta.tenant if pool else None),
        type_native_id=machine_type(machine),
        pool_native_id=pool.meta.uid if pool else default,
        tags=machine.meta.tags,
        groups=(f"zone/{machine.zone}",) if machine.zone else (),
        extensions=present(
            {
                **_machine_facts(machine),
                "k8s.createdAt": machine.meta.created,
                "k8s.ready": False,
                "k8s.instanceType": machine.instance_type,
                "k8s.zone": machine.zone,
                "k8s.region": machine.region,
                "k8s.providerId": machine.provider_id,
                **deleting(machine.meta),
            }
        ),
        takes=_taken(
            pool, flavor.cpu_cores if flavor else None, flavor.memory_gb if flavor else None, made=made
        ),
    )


def volume_resource(volume: Volume, storage_class: StorageClass | None, claim_tenant: str | None) -> Resource:
    """A PersistentVolume; without a tenant of its own it is its claim's namespace's."""
    if volume.capacity:
        quantity(volume.capacity)
    return Resource(
        native_id=volume.meta.uid,
        name=volume.meta.name,
        description=volume.meta.description,
        tenant=volume.meta.tenant or claim_tenant,
        type_native_id=volume_type(volume, storage_class),
        pool_native_id=STORAGE,
        tags=volume.meta.tags,
        extensions=present(
            {
                "k8s.createdAt": volume.meta.created,
                "k8s.capacity": {"storage": volume.capacity} if volume.capacity else {},
                "k8s.storageClass": volume.storage_class,
                "k8s.phase": volume.phase,
                "k8s.claim": volume.claim,
                "k8s.accessModes": list(volume.access_modes),
                "k8s.reclaimPolicy": volume.reclaim,
                "k8s.driver": volume.driver,
            }
        ),
    )


def instance_type(native_id: str, node: Node | None, machine: Machine | None) -> ResourceType:
    """The type `native_id`, as `node` (or `machine`, where none of it is a node yet) shows it."""
    kind, _, name = native_id.partition("/")
    provider = ((node and node.provider_id) or (machine and machine.provider_id) or "").partition("://")[0]
    shown: dict[str, Any] = {}
    if node:
        extended = {key: _amount(node.capacity, key) for key in sorted(node.capacity) if "/" in key}
        shown = {
            "k8s.cpu": _amount(node.capacity, "cpu"),
            "k8s.memoryGiB": round(_amount(node.capacity, "memory") / _GIB),
            "k8s.architecture": node.architecture,
            "k8s.extendedResources": {key: amount for key, amount in extended.items() if amount},
        }
    return ResourceType(
        native_id=native_id,
        name=name,
        vendor=provider,
        model=name,
        resource_kind=ResourceKind.PHYSICAL if provider in _METAL else ResourceKind.LOGICAL,
        resource_class=ResourceClass.COMPUTE,
        extensions=present(
            {"k8s.nativeId": native_id, "k8s.instanceType": name if kind == "instance-type" else "", **shown}
        ),
    )


def class_type(found: StorageClass) -> ResourceType:
    """A StorageClass."""
    return ResourceType(
        native_id=found.meta.uid,
        name=found.meta.name,
        description=found.meta.description,
        vendor=found.provisioner,
        model=found.meta.name,
        resource_kind=ResourceKind.LOGICAL,
        resource_class=ResourceClass.STORAGE,
        extensions=present(
            {
                "k8s.storageClass": found.meta.name,
                "k8s.provisioner": found.provisioner,
                "k8s.reclaimPolicy": found.reclaim,
                "k8s.volumeBindingMode": found.binding,
                "k8s.allowVolumeExpansion": found.expandable,
                "k8s.default": found.default,
                "k8s.createdAt": found.meta.created,
            }
        ),
    )


def classless_type(native_id: str) -> ResourceType:
    """The type of volumes whose class is gone, or that never had one."""
    name = native_id.removeprefix("storage-class/").removeprefix("name/")
    return ResourceType(
        native_id=native_id,
        name=name,
        model=name,
        resource_kind=ResourceKind.LOGICAL,
        resource_class=ResourceClass.STORAGE,
        extensions={"k8s.nativeId": native_id},
    )


def manager(
    native_id: str,
    naming: Naming | None,
    platform: Platform,
    *,
    name: str,
    server: str,
    capacity: Mapping[str, Any],
    capabilities: Mapping[str, Any],
) -> DeploymentManager:
    """The cluster; the operator's ConfigMap names it, if there is one, else its platform does. Nothing of our
    credentials is in it."""
    return DeploymentManager(
        native_id=native_id,
        name=(naming and naming.name) or platform.name or name,
        description=naming.description if naming else "",
        service_uri=platform.service_uri or server,
        supported_locations=(naming and naming.locations) or platform.locations,
        capabilities={**capabilities, **platform.capabilities},
        capacity=capacity,
        extensions=present({"k8s.version": capabilities["kubernetesVersion"], **platform.extensions}),
    )


def _machine_facts(machine: Machine | None) -> dict[str, Any]:
    if not machine:
        return {}
    return {
        "k8s.machine.name": machine.meta.name,
        "k8s.machine.namespace": machine.meta.namespace,
        "k8s.machine.phase": machine.phase,
    }


def _label(node: Node, keys: Iterable[str]) -> str:
    return next((node.labels[key] for key in keys if node.labels.get(key)), "")


def _roles(node: Node) -> list[str]:
    return [key.removeprefix(_ROLE) for key in node.labels if key.startswith(_ROLE)]


def _asset(system_uuid: str) -> str:
    try:
        return f"urn:uuid:{uuid.UUID(system_uuid)}" if len(system_uuid) == 36 else ""
    except ValueError:
        return ""


def _amount(amounts: Mapping[str, str], key: str) -> int | float:
    return number(quantity(amounts[key])) if key in amounts else 0
