"""What we keep of a Kubernetes object: the fields that the mapping reads, checked, and nothing that moves by
itself.

Heartbeats, resource versions, managed fields and lists of images are dropped here; so two facts that are
equal are an object that has not changed, and 10,000 nodes stay small. Each class is made `of` raw JSON, or
raises `ValueError` (or what Python raises for a wrong type, see `UNREADABLE`): such an object cannot be
mapped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, Self, TypeAlias

from adapters.ims.kubernetes.flavor import Flavor
from adapters.ims.kubernetes.meta import TAGS, TEMPLATE, Meta, mapping, tag_list, text, texts
from adapters.ims.kubernetes.platform import ClusterVersion, Infrastructure, MachineConfigPool

POOL_ID = "o2ims.oran.org/resource-pool-id"
#: What selects the machines of a set that we made, and nothing else.
MACHINE_SET = "o2ims.oran.org/machine-set"
OPENSHIFT = "machine.openshift.io"
CLUSTER_API = "cluster.x-k8s.io"
CLUSTER_NAME = f"{CLUSTER_API}/cluster-name"
#: What making facts of a malformed object raises.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)

_NODE_ANNOTATIONS = {
    "description",
    TAGS,
    "machine.openshift.io/machine",
    "cluster.x-k8s.io/machine",
    "cluster.x-k8s.io/cluster-namespace",
}
_INSTANCE_TYPE_KEYS = ("instanceType", "machineType", "vmSize", "flavor", "profile")
_ZONE_KEYS = ("zone", "availabilityZone", "zoneId")
_REGION_KEYS = ("region", "location", "regionId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node. `taints` are those somebody set, without the ones that only repeat a condition."""

    meta: Meta
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    provider_id: str
    unschedulable: bool
    ready: bool
    taints: tuple[Mapping[str, str], ...]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    architecture: str
    os_image: str
    kernel: str
    kubelet: str
    system_uuid: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw Node."""
        spec, status = mapping(raw, "spec"), mapping(raw, "status")
        info, labels = mapping(status, "nodeInfo"), texts(raw["metadata"], "labels")
        annotations = mapping(raw["metadata"], "annotations")
        return cls(
            meta=Meta.of(raw),
            labels=labels,
            annotations={key: text(annotations, key) for key in annotations.keys() & _NODE_ANNOTATIONS},
            provider_id=text(spec, "providerID"),
            unschedulable=spec.get("unschedulable") is True,
            ready=any(
                condition.get("type") == "Ready" and condition.get("status") == "True"
                for condition in status.get("conditions") or ()
            ),
            taints=_taints(spec.get("taints")),
            capacity=texts(status, "capacity"),
            allocatable=texts(status, "allocatable"),
            architecture=intern(text(info, "architecture") or labels.get("kubernetes.io/arch", "")),
            os_image=intern(text(info, "osImage")),
            kernel=intern(text(info, "kernelVersion")),
            kubelet=intern(text(info, "kubeletVersion")),
            system_uuid=text(info, "systemUUID"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A Machine of either API (`api` is its group). `infrastructure` is the kind of what it is made with,
    `pool_id` the pool it says it is in (`POOL_ID`), `control_plane` where it says so."""

    meta: Meta
    api: str
    node: str
    provider_id: str
    phase: str
    instance_type: str
    zone: str
    region: str
    infrastructure: str
    pool_id: str

    @classmethod
    def of_openshift(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw machine.openshift.io Machine."""
        labels, provider = mapping(raw["metadata"], "labels"), _provider(mapping(raw, "spec"))
        return cls(
            **cls._both(raw, OPENSHIFT),
            instance_type=_first(provider, _INSTANCE_TYPE_KEYS)
            or text(labels, "machine.openshift.io/instance-type"),
            zone=_zone(provider) or text(labels, "machine.openshift.io/zone"),
            region=_region(provider) or text(labels, "machine.openshift.io/region"),
            infrastructure=text(provider, "kind"),
        )

    @classmethod
    def of_cluster_api(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw cluster.x-k8s.io Machine."""
        spec = mapping(raw, "spec")
        return cls(
            **cls._both(raw, CLUSTER_API),
            instance_type="",
            zone=text(spec, "failureDomain"),
            region="",
            infrastructure=text(mapping(spec, "infrastructureRef"), "kind"),
        )

    @staticmethod
    def _both(raw: Mapping[str, Any], api: str) -> dict[str, Any]:
        status = mapping(raw, "status")
        return {
            "meta": Meta.of(raw),
            "api": api,
            "node": text(mapping(status, "nodeRef"), "name"),
            "provider_id": text(mapping(raw, "spec"), "providerID"),
            "phase": text(status, "phase"),
            "pool_id": text(mapping(raw["metadata"], "labels"), POOL_ID),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSet:
    """A MachineSet of either API, a MachineDeployment or a MachinePool. `nodes` are those a MachinePool says
    are its own; `template` names the configuration's machine template it was made from."""

    meta: Meta
    kind: str
    replicas: int
    instance_type: str
    zones: tuple[str, ...]
    nodes: tuple[str, ...]
    template: str
    flavor: Flavor | None

    @classmethod
    def of(cls, raw: Mapping[str, Any], kind: str) -> Self:
        """The facts of a raw set of that kind."""
        spec, status = mapping(raw, "spec"), mapping(raw, "status")
        template = mapping(mapping(spec, "template"), "spec")
        provider, replicas = _provider(template), spec.get("replicas", 1)
        zones = [_zone(provider), text(template, "failureDomain"), *(spec.get("failureDomains") or ())]
        return cls(
            meta=Meta.of(raw),
            kind=kind,
            replicas=replicas if isinstance(replicas, int) else 1,
            instance_type=_first(provider, _INSTANCE_TYPE_KEYS),
            zones=tuple(sorted({str(zone) for zone in zones if zone})),
            nodes=tuple(sorted(text(ref, "name") for ref in status.get("nodeRefs") or ())),
            template=text(mapping(raw["metadata"], "annotations"), TEMPLATE),
            flavor=Flavor.of(mapping(raw["metadata"], "annotations")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A PersistentVolume. `claim` is `namespace/name` of its claim, or ''."""

    meta: Meta
    storage_class: str
    capacity: str
    access_modes: tuple[str, ...]
    reclaim: str
    driver: str
    phase: str
    claim: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw PersistentVolume."""
        spec, claim = mapping(raw, "spec"), mapping(mapping(raw, "spec"), "claimRef")
        return cls(
            meta=Meta.of(raw),
            storage_class=intern(text(spec, "storageClassName")),
            capacity=intern(text(mapping(spec, "capacity"), "storage")),
            access_modes=tuple(intern(str(mode)) for mode in spec.get("accessModes") or ()),
            reclaim=intern(text(spec, "persistentVolumeReclaimPolicy")),
            driver=intern(text(mapping(spec, "csi"), "driver")),
            phase=intern(text(mapping(raw, "status"), "phase")),
            claim=f"{text(claim, 'namespace')}/{text(claim, 'name')}" if claim else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageClass:
    """A StorageClass, without its parameters: they may name secrets."""

    meta: Meta
    provisioner: str
    reclaim: str
    binding: str
    expandable: bool
    default: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw StorageClass."""
        annotations = mapping(raw["metadata"], "annotations")
        return cls(
            meta=Meta.of(raw),
            provisioner=text(raw, "provisioner"),
            reclaim=text(raw, "reclaimPolicy"),
            binding=text(raw, "volumeBindingMode"),
            expandable=raw.get("allowVolumeExpansion") is True,
            default=annotations.get("storageclass.kubernetes.io/is-default-class") == "true",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A Namespace: whose its claims are."""

    meta: Meta

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw Namespace."""
        return cls(meta=Meta.of(raw))


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The ConfigMap in which the operator names the cluster."""

    meta: Meta
    name: str
    description: str
    locations: tuple[str, ...]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw ConfigMap."""
        data = mapping(raw, "data")
        return cls(
            meta=Meta.of(raw),
            name=text(data, "name").strip(),
            description=text(data, "description").strip(),
            locations=tag_list(text(data, "location")),
        )


Facts: TypeAlias = (
    Node
    | Machine
    | MachineSet
    | Volume
    | StorageClass
    | Namespace
    | Naming
    | ClusterVersion
    | Infrastructure
    | MachineConfigPool
)


def _provider(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(spec, "providerSpec"), "value")


def _first(raw: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((str(raw[key]) for key in keys if isinstance(raw.get(key), (str, int)) and raw[key]), "")


def _zone(provider: Mapping[str, Any]) -> str:
    return _first(provider, _ZONE_KEYS) or _first(_placement(provider), _ZONE_KEYS)


def _region(provider: Mapping[str, Any]) -> str:
    return _first(provider, _REGION_KEYS) or _first(_placement(provider), _REGION_KEYS)


def _placement(provider: Mapping[str, Any]) -> Mapping[str, Any]:
    found = provider.get("placement")
    return found if isinstance(found, dict) else {}


def _taints(raw: Any) -> tuple[Mapping[str, str], ...]:
    """Sorted; those under node.kubernetes.io only repeat a condition (not ready, under pressure)."""
    found = [
        {part: text(taint, part) for part in ("key", "value", "effect") if text(taint, part)}
        for taint in raw or ()
    ]
    noise = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
    return tuple(
        sorted(
            (taint for taint in found if not taint["key"].startswith(noise)),
            key=lambda taint: sorted(taint.items()),
        )
    )
