"""One cluster as O2-IMS objects: Kubernetes objects go in, and what has changed of the mapped ones comes out.

    read(table, raw) ─► facts ─► put(ref, facts, version) ─► Store (who read what) ─► dirty
    drain() ─► resources ─► their pools and types, the deployment manager ─► objects changed, objects gone

A Node and its Machine are one resource, under the Machine's uid. A version is the resourceVersion as of which
an object is known: of the event that changed it or something it is joined from, and never lower than it was
before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from adapters.ims.kubernetes import joins, mapping, pools
from adapters.ims.kubernetes.discovery import (
    CLASSES,
    CLUSTER_VERSIONS,
    CONFIG_POOLS,
    INFRASTRUCTURES,
    MACHINES,
    NAMESPACES,
    NAMING,
    NODES,
    SETS,
    SYSTEM,
    VOLUMES,
)
from adapters.ims.kubernetes.facts import (
    UNREADABLE,
    Facts,
    Machine,
    MachineSet,
    Namespace,
    Naming,
    Node,
    StorageClass,
    Volume,
)
from adapters.ims.kubernetes.groups import Groups, Totals, check
from adapters.ims.kubernetes.platform import ClusterVersion, Infrastructure, MachineConfigPool, Platform
from adapters.ims.kubernetes.published import Published
from adapters.ims.kubernetes.store import Ref, Store
from adapters.types import DeploymentManager, Gone, InventoryObject, Kind, Resource, ResourcePool

_log = structlog.get_logger()
_MAKERS: dict[str, Callable[[Any], Facts]] = {
    NODES: Node.of,
    VOLUMES: Volume.of,
    CLASSES: StorageClass.of,
    NAMESPACES: Namespace.of,
    NAMING: Naming.of,
    CLUSTER_VERSIONS: ClusterVersion.of,
    INFRASTRUCTURES: Infrastructure.of,
    CONFIG_POOLS: MachineConfigPool.of,
    MACHINES[0]: Machine.of_openshift,
    MACHINES[1]: Machine.of_cluster_api,
}
_RESOURCE_TABLES = {NODES, VOLUMES, *MACHINES}
_PLATFORM_TABLES = (CLUSTER_VERSIONS, INFRASTRUCTURES, CONFIG_POOLS)
#: What can be written, and has its own uid for an id: whoever wrote it may tell of it after its end.
_WRITTEN = {**dict.fromkeys(SETS, Kind.RESOURCE_POOL), **dict.fromkeys(MACHINES, Kind.RESOURCE)}
_MANAGER = ("manager", "")
_DEFAULT = ("pool", pools.DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the API server and the configuration say of the cluster as a whole. `machine_apis` are
    group/version."""

    name: str
    server: str
    version: str
    machine_apis: tuple[str, ...] = ()
    pool_labels: tuple[str, ...] = pools.LABELS


@dataclass(frozen=True, slots=True)
class Changes:
    """What `drain` gives: objects parents first, gone ones children first, and how many objects could not be
    mapped."""

    objects: tuple[InventoryObject, ...]
    gone: tuple[Gone, ...]
    skipped: int
    unmapped: tuple[str, ...] = ()


class Cluster:
    """The joined state of one cluster. Not for several threads at once."""

    def __init__(self, source: str, identity: Identity) -> None:
        self._source, self._identity = source, identity
        self._store = Store(joins.index if identity.machine_apis else None)
        self._dirty: dict[Ref, int] = {}
        self._made: dict[Ref, InventoryObject] = {}
        self._changed: list[tuple[Ref, InventoryObject | None, int]] = []
        self._published = Published()
        # Of what can be written: what is new since the last `drain`, and what of that has gone again (when).
        self._came: set[tuple[Kind, str]] = set()
        self._passed: dict[tuple[Kind, str], int] = {}
        self._pools: set[Ref] = set()
        self._labels: dict[str, pools.LabelPool] = {}
        self._groups, self._totals = Groups(), Totals()
        self._skipped = 0
        self._unmapped: list[str] = []
        self._latest = 0

    def read(self, table: str, raw: Any) -> tuple[Ref, Facts] | None:
        """The facts of a raw object, for `put`; None for one that cannot be read, which is counted."""
        try:
            facts: Facts = MachineSet.of(raw, SETS[table]) if table in SETS else _MAKERS[table](raw)
            if isinstance(facts, Node):
                check(facts)
        except UNREADABLE as error:
            self._skip(table, raw, error)
            return None
        return (table, facts.meta.key), facts

    def put(self, ref: Ref, facts: Facts | None, version: int) -> None:
        """Takes an object in as it was at `version`, or (None) takes it out."""
        if ref[0] == NODES and self._totals.replace(_node(self._store.get(ref)), _node(facts)):
            self._touch(_MANAGER, version)
        self._latest = max(version, self._latest)
        for reader in self._store.put(ref, facts):
            self._touch(reader, version)
        if ref == (NAMESPACES, SYSTEM):
            self._touch(_MANAGER, version)

    def take(self, table: str, raw: Any, version: int, *, gone: bool) -> None:
        """Takes a raw object in (`read`, then `put`), or out."""
        ref = (table, _name(raw))
        written = {(_WRITTEN[table], uid) for uid in _uid(raw)} if table in _WRITTEN else set()
        if gone:
            self._passed |= dict.fromkeys(written & self._came, version)
            self.put(ref, None, version)
        elif read := self.read(table, raw):
            if self._store.get(ref) is None:
                self._came |= written
            self.put(*read, version)

    @property
    def store(self) -> Store:
        """What went in, for `joins` to look at."""
        return self._store

    @property
    def known(self) -> bool:
        """Whether there is what gives the cluster its identity."""
        return self._store.get((NAMESPACES, SYSTEM)) is not None

    def drain(self) -> Changes:
        """What has changed of the mapped objects since the last time. What came and went in between is
        gone."""
        for tables in (_RESOURCE_TABLES, {CLASSES, "type", *SETS}, {"pool"}):
            for ref in [ref for ref in self._dirty if ref[0] in tables]:
                self._make(ref)
        if self._pools != {_DEFAULT}:  # whether there is a default pool depends on whether there are others
            self._touch(_DEFAULT, self._latest)
            self._make(_DEFAULT)
        if _MANAGER in self._dirty:
            self._make(_MANAGER)
        self._dirty.clear()  # namespaces and the like: nothing is made of them alone
        changed, self._changed = self._changed, []
        objects, gone, clashes = self._published.update(changed, self._made)
        for ref in clashes:
            self._skip(ref[0], {"metadata": {"name": ref[1]}}, ValueError("its id is another object's"))
        told = {(end.kind, end.native_id) for end in gone}
        gone += tuple(
            Gone(*key, version=str(version))
            for key, version in self._passed.items()
            if key not in told and key not in self._published
        )
        self._came, self._passed = set(), {}
        skipped, self._skipped = self._skipped, 0
        unmapped, self._unmapped = tuple(self._unmapped), []
        return Changes(objects, gone, skipped, unmapped)

    def _touch(self, ref: Ref, version: int) -> None:
        self._dirty[ref] = max(version, self._dirty.get(ref, 0))

    def _make(self, ref: Ref) -> None:
        version, old = self._dirty.pop(ref), self._made.get(ref)
        try:
            with self._store.reading(ref):
                new = self._object(ref)
        except UNREADABLE as error:
            self._skip(ref[0], {"metadata": {"name": ref[1]}}, error)
            return
        if new == old:
            return
        self._changed.append((ref, old, version))
        if new is None:
            del self._made[ref]
            self._pools.discard(ref)
        else:
            self._made[ref] = new
        if isinstance(new, ResourcePool):
            self._pools.add(ref)
        if ref[0] in _RESOURCE_TABLES:
            for group in self._groups.move(ref, _resource(old), _resource(new)):
                for reader in (group, *self._store.readers(group)):
                    self._touch(reader, version)

    def _object(self, ref: Ref) -> InventoryObject | None:
        if ref == _MANAGER:
            return self._manager()
        if ref[0] == "pool":
            return self._derived_pool(ref[1])
        if ref[0] == "type":
            return self._derived_type(ref[1])
        return self._from(ref, self._store.get(ref))

    def _from(self, ref: Ref, facts: Facts | None) -> InventoryObject | None:
        match facts:
            case Node() as node:
                return self._node(node)
            case Machine() as machine:
                return self._machine(ref, machine)
            case Volume() as volume:
                return self._volume(volume)
            case MachineSet() as found if joins.top(self._store, found, ref[0].partition(".")[2]) is found:
                # Looked at, so that this is made again when its zones change.
                self._store.get(("pool", found.meta.uid))
                return pools.set_pool(found, self._groups.zones(found.meta.uid) or ())
            case StorageClass() as found:
                return mapping.class_type(found)
        return None

    def _node(self, node: Node) -> Resource:
        machines, pool, made = [], None, False
        if self._identity.machine_apis:
            machines = joins.machines_of(self._store, node.meta.name)
            sets = (joins.set_of(self._store, machine) for machine in machines)
            pool = next(filter(None, sets), None) or joins.pool_of_node(self._store, node.meta.name)
            made = not machines or any(joins.made(self._store, machine) for machine in machines)
        machine = machines[0] if machines else None
        if pool:
            return mapping.node_resource(node, machine, pool, made=made)
        label = pools.label_pool(node.labels, self._identity.pool_labels)
        if label:
            self._labels[label.native_id] = label
        return mapping.node_resource(node, machine, None, label.native_id if label else pools.DEFAULT)

    def _machine(self, ref: Ref, machine: Machine) -> Resource | None:
        """A Machine whose Node is there is that Node's resource; of two Machines of one Node only the first
        counts."""
        name = joins.node_of(self._store, ref, machine)
        if name and self._store.get((NODES, name)):
            return None
        if name and joins.machines_of(self._store, name)[0].meta.uid != machine.meta.uid:
            return None
        pool, made = joins.set_of(self._store, machine), joins.made(self._store, machine)
        return mapping.machine_resource(machine, pool, made=made, default=pools.DEFAULT)

    def _volume(self, volume: Volume) -> Resource:
        storage_class = self._store.get((CLASSES, volume.storage_class)) if volume.storage_class else None
        space = self._store.get((NAMESPACES, volume.claim.partition("/")[0])) if volume.claim else None
        assert isinstance(storage_class, StorageClass | None)
        return mapping.volume_resource(volume, storage_class, space.meta.tenant if space else None)

    def _derived_pool(self, native_id: str) -> ResourcePool | None:
        label, zones = self._labels.get(native_id), self._groups.zones(native_id)
        if not label and native_id not in {pools.DEFAULT, pools.STORAGE}:
            return None  # the pool of a set, which makes it itself
        if zones is None and (native_id != pools.DEFAULT or self._pools - {_DEFAULT}):
            return None
        return pools.derived_pool(native_id, label, zones or ())

    def _derived_type(self, native_id: str) -> InventoryObject | None:
        ref = self._groups.first(native_id)
        first = self._store.get(ref) if ref else None
        if isinstance(first, Volume):
            # Any other id is a class's, which makes its type itself.
            return mapping.classless_type(native_id) if native_id.startswith("storage-class/") else None
        if isinstance(first, Node):
            machines = joins.machines_of(self._store, first.meta.name) if self._identity.machine_apis else []
            return mapping.instance_type(native_id, first, machines[0] if machines else None)
        return mapping.instance_type(native_id, None, first) if isinstance(first, Machine) else None

    def _manager(self) -> DeploymentManager | None:
        system = self._store.get((NAMESPACES, SYSTEM))
        if not system:
            return None
        naming = next(map(self._store.get, self._store.refs(NAMING)), None)
        assert isinstance(naming, Naming | None)
        classes = sorted(name for _, name in self._store.refs(CLASSES))
        refs = [ref for table in _PLATFORM_TABLES for ref in self._store.refs(table)]
        platform = Platform.of(map(self._store.get, refs))
        return mapping.manager(
            system.meta.uid,
            naming,
            platform,
            name=self._identity.name,
            server=self._identity.server,
            capacity=self._totals.capacity,
            capabilities={
                "kubernetesVersion": self._identity.version,
                "machineApi": next(iter(self._identity.machine_apis), None),
                "architectures": self._totals.architectures,
                "storageClasses": classes,
            },
        )

    def _skip(self, table: str, raw: Any, error: Exception) -> None:
        self._skipped += 1
        self._unmapped += _uid(raw)
        _log.warning(
            "object skipped", source=self._source, table=table, object=_name(raw), reason=str(error)[:200]
        )


def _uid(raw: Any) -> list[str]:
    """The uid of a raw object, if it has one."""
    meta = raw.get("metadata") if isinstance(raw, dict) else None
    uid = meta.get("uid") if isinstance(meta, dict) else None
    return [uid] if isinstance(uid, str) and uid else []


def _name(raw: Any) -> str:
    """The key of a raw object, as far as it has one."""
    meta = raw.get("metadata") if isinstance(raw, dict) else None
    if not isinstance(meta, dict):
        return ""
    return f"{meta['namespace']}/{meta.get('name')}" if meta.get("namespace") else str(meta.get("name"))


def _node(facts: Facts | None) -> Node | None:
    return facts if isinstance(facts, Node) else None


def _resource(found: InventoryObject | None) -> Resource | None:
    return found if isinstance(found, Resource) else None
