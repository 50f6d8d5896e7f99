"""Pools: of a set of machines, of the nodes with one label, and the two that always have a place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.ims.kubernetes.facts import MachineSet
from adapters.ims.kubernetes.flavor import Flavor
from adapters.ims.kubernetes.meta import deleting, present
from adapters.types import Footprint, ResourcePool

#: Extensions of a pool: how large one of its machines is, where its set says.
CPU, MEMORY = "k8s.machineset.cpuCores", "k8s.machineset.memoryGB"
DEFAULT = "default"
STORAGE = "storage"
LABELS = (
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "karpenter.sh/nodepool",
    "node-role.kubernetes.io/*",
)


@dataclass(frozen=True, slots=True)
class LabelPool:
    """The pool of all nodes with the label `key` = `value`."""

    key: str
    value: str

    @property
    def native_id(self) -> str:
        """`node-pool/<key>/<value>`; a label without a value (a role) is its key."""
        return f"node-pool/{self.key}/{self.value}" if self.value else f"node-pool/{self.key}"


def label_pool(labels: Mapping[str, str], wanted: Iterable[str] = LABELS) -> LabelPool | None:
    """The pool that a node's labels name: the first of `wanted` that it has. `prefix/*` takes the first label
    below the prefix; there `worker` comes last, because a node with a second role is in that pool."""
    for key in wanted:
        if not key.endswith("/*"):
            if labels.get(key):
                return LabelPool(key, labels[key])
            continue
        below = [label for label in labels if label.startswith(key[:-1])]
        if below:
            chosen = min(below, key=lambda label: (label.endswith("/worker"), label))
            return LabelPool(chosen, "" if labels[chosen] in {"", "true"} else labels[chosen])
    return None


def set_pool(found: MachineSet, node_zones: Iterable[str]) -> ResourcePool:
    """A MachineSet, MachineDeployment or MachinePool, also one with no machines."""
    return ResourcePool(
        native_id=found.meta.uid,
        name=found.meta.called,
        description=found.meta.description,
        tenant=found.meta.tenant,
        location=", ".join(found.zones) or _location(node_zones),
        extensions=present(
            {
                "k8s.kind": found.kind,
                "k8s.machineset.name": found.meta.name,
                "k8s.machineset.namespace": found.meta.namespace,
                "k8s.machineset.replicas": found.replicas,
                **({CPU: found.flavor.cpu_cores, MEMORY: found.flavor.memory_gb} if found.flavor else {}),
                "k8s.machineTemplate": found.template,
                "k8s.instanceType": found.instance_type,
                "k8s.createdAt": found.meta.created,
                "k8s.tags": list(found.meta.tags),
                **deleting(found.meta),
            }
        ),
        takes=_taken(found),
    )


def _taken(found: MachineSet) -> Footprint:
    """As many machines as it is to have: they take nothing beside it, but what it does not say."""
    if found.flavor is None:
        return Footprint(pools=1, resources=found.replicas)
    return found.flavor.times(found.replicas, pools=1)


def flavor_in(extensions: Mapping[str, Any]) -> Flavor | None:
    """That of the machines of a pool with these extensions, if it says."""
    if CPU not in extensions or MEMORY not in extensions:
        return None
    return Flavor(extensions[CPU], extensions[MEMORY])


def derived_pool(native_id: str, label: LabelPool | None, node_zones: Iterable[str]) -> ResourcePool:
    """A pool that no object stands for: of a label, the default one, or the storage one."""
    of_label = {"k8s.nodePool.label": label.key, "k8s.nodePool.value": label.value} if label else {}
    return ResourcePool(
        native_id=native_id,
        name=(label.value or label.key.rpartition("/")[2]) if label else native_id,
        location=_location(node_zones),
        extensions=present({"k8s.nativeId": native_id, **of_label}),
    )


def _location(zones: Iterable[str]) -> str:
    return ", ".join(sorted(zones))
