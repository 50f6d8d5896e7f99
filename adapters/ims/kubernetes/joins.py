"""Who belongs to whom: Node and Machine, Machine and set, set and MachineDeployment. Reads the store, keeps
nothing."""

from collections.abc import Iterator

from adapters.ims.kubernetes.discovery import MACHINES, NODES
from adapters.ims.kubernetes.facts import CLUSTER_API, OPENSHIFT, Facts, Machine, MachineSet, Node
from adapters.ims.kubernetes.meta import Meta
from adapters.ims.kubernetes.store import Ref, Store


def index(ref: Ref, facts: Facts) -> Iterator[Ref]:  # noqa: ARG001
    """Under which refs of an index the joins below look for an object."""
    match facts:
        case Machine(node="", provider_id=provider_id):
            if provider_id:
                yield ("machine-by-provider", provider_id)
        case Machine():
            yield ("machine-of-node", facts.node)
        case Node():
            if facts.provider_id:
                yield ("node-by-provider", facts.provider_id)
            for claimed in _claims(facts):
                yield ("node-claims", " ".join(claimed))
        case MachineSet():
            yield ("set-by-uid", facts.meta.uid)
            for name in facts.nodes:
                yield ("set-of-node", name)


def machines_of(store: Store, name: str) -> list[Machine]:
    """The Machines of the Node `name`, the one that counts first: two APIs may describe the same machine.

    Their nodeRef says so. Before a controller has set it, what the Node says of its Machine does, or that
    both have the same providerID: the resource must not have two ids in the meantime.
    """
    refs, node = store.find(("machine-of-node", name)), store.get((NODES, name))
    if isinstance(node, Node):
        refs += _claims(node)
        refs += store.find(("machine-by-provider", node.provider_id)) if node.provider_id else []
    found = {}
    for ref in refs:
        machine = store.get(ref)
        if isinstance(machine, Machine) and node_of(store, ref, machine) == name:
            found[ref] = machine
    return sorted(found.values(), key=lambda m: (m.api != OPENSHIFT, m.meta.created, m.meta.uid))


def node_of(store: Store, ref: Ref, machine: Machine) -> str:
    """The name of the one Node that a Machine is, or ''; of several that claim it, the first."""
    if machine.node:
        return machine.node
    claimants = store.find(("node-claims", " ".join(ref)))
    if not claimants and machine.provider_id:
        claimants = store.find(("node-by-provider", machine.provider_id))
    return claimants[0][1] if claimants else ""


def set_of(store: Store, machine: Machine) -> MachineSet | None:
    """The set whose pool a Machine is in: its owner's top, else the set whose id it carries as a label."""
    return owning(store, machine.meta, machine.api) or _set_by(store, "set-by-uid", machine.pool_id)


def made(store: Store, machine: Machine) -> bool:
    """Whether a set makes this Machine, rather than a label putting it into its pool."""
    return owning(store, machine.meta, machine.api) is not None


def pool_of_node(store: Store, name: str) -> MachineSet | None:
    """The MachinePool that says the Node is its own: its nodes may have no Machines."""
    return _set_by(store, "set-of-node", name)


def top(store: Store, found: MachineSet, api: str) -> MachineSet:
    """A MachineSet that a MachineDeployment owns is no pool, the MachineDeployment is; any other set is its
    own top."""
    return owning(store, found.meta, api) or found


def owning(store: Store, meta: Meta, api: str) -> MachineSet | None:
    """The topmost set that owns an object, if it is there and is the same one, not just one of the same
    name."""
    if not meta.owner:
        return None
    kind, name, uid = meta.owner
    found = store.get((f"{kind.lower()}s.{api}", f"{meta.namespace}/{name}"))
    if isinstance(found, MachineSet) and found.meta.uid == uid:
        return top(store, found, api)
    return None


def _set_by(store: Store, by: str, key: str) -> MachineSet | None:
    for ref in store.find((by, key)) if key else ():
        found = store.get(ref)
        if isinstance(found, MachineSet):
            return top(store, found, ref[0].partition(".")[2])
    return None


def _claims(node: Node) -> list[Ref]:
    """The Machines that a Node's annotations name."""
    says = node.annotations
    claimed = []
    if key := says.get("machine.openshift.io/machine"):
        claimed.append((MACHINES[0], key))
    if name := says.get(f"{CLUSTER_API}/machine"):
        claimed.append((MACHINES[1], f"{says.get(f'{CLUSTER_API}/cluster-namespace', 'default')}/{name}"))
    return claimed
