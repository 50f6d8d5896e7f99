"""What a write looks at: some tables of the cluster as they are just now, raw, and mapped as a list or a
watch maps them. So what a write answers is what they will say."""

from typing import Any

from adapters.ims.kubernetes import joins
from adapters.ims.kubernetes.cluster import Cluster, Identity
from adapters.ims.kubernetes.discovery import MACHINES, SETS
from adapters.ims.kubernetes.facts import Machine, MachineSet
from adapters.ims.kubernetes.store import Ref
from adapters.types import KINDS, InventoryObject, Kind, Resource, ResourcePool


class Scene:
    """Objects go in with `put`; `pool` and `resource` say what they are now. `version` is as of when the
    first table was read."""

    def __init__(self, source: str, apis: tuple[str, ...], pool_labels: tuple[str, ...]) -> None:
        identity = Identity(name="", server="", version="", machine_apis=apis, pool_labels=pool_labels)
        self._cluster = Cluster(source, identity)
        self._raw: dict[Ref, Any] = {}
        self._refs: dict[str, Ref] = {}
        self._mapped: dict[tuple[Kind, str], InventoryObject] = {}
        self.version = ""

    def put(self, table: str, raw: Any) -> None:
        """Takes an object in, at its own version."""
        read = self._cluster.read(table, raw)
        if read is None:
            return
        ref, facts = read
        self._cluster.put(ref, facts, int(raw["metadata"]["resourceVersion"]))
        if isinstance(facts, Machine | MachineSet):
            self._raw[ref] = raw
            self._refs[facts.meta.uid] = ref

    def drop(self, ref: Ref, version: str) -> None:
        """Takes an object out."""
        self._cluster.put(ref, None, int(version))

    def pool(self, native_id: str) -> ResourcePool | None:
        """A pool, or None."""
        found = self._all().get((Kind.RESOURCE_POOL, native_id))
        return found if isinstance(found, ResourcePool) else None

    def pools(self) -> list[ResourcePool]:
        """The pools of sets."""
        return [found for uid in self._refs if (found := self.pool(uid))]

    def resource(self, native_id: str) -> Resource | None:
        """A resource, or None."""
        found = self._all().get((Kind.RESOURCE, native_id))
        return found if isinstance(found, Resource) else None

    def ref(self, uid: str) -> Ref | None:
        """Where the Machine or the set of that uid is."""
        return self._refs.get(uid)

    def raw(self, ref: Ref) -> Any:
        """A Machine or a set as it was read."""
        return self._raw[ref]

    def set(self, ref: Ref) -> MachineSet:
        """The facts of a set."""
        found = self._cluster.store.get(ref)
        assert isinstance(found, MachineSet)
        return found

    def machine(self, ref: Ref) -> Machine:
        """The facts of a Machine."""
        found = self._cluster.store.get(ref)
        assert isinstance(found, Machine)
        return found

    def machines(self) -> list[Ref]:
        """Every Machine."""
        return [ref for table in MACHINES for ref in self._cluster.store.refs(table)]

    def pool_of(self, machine: Ref) -> str | None:
        """The uid of the set whose pool a Machine is in."""
        found = joins.set_of(self._cluster.store, self.machine(machine))
        return found.meta.uid if found else None

    def set_above(self, machine: Ref) -> Ref | None:
        """The set that makes a Machine, the topmost one; None where none does."""
        facts = self.machine(machine)
        found = joins.owning(self._cluster.store, facts.meta, facts.api)
        return self._refs[found.meta.uid] if found else None

    def sets_below(self, top: Ref) -> list[Ref]:
        """The sets that a set has made."""
        uid = self.set(top).meta.uid
        refs = [ref for table in SETS for ref in self._cluster.store.refs(table)]
        return [ref for ref in refs if (owner := self.set(ref).meta.owner) and owner[2] == uid]

    def _all(self) -> dict[tuple[Kind, str], InventoryObject]:
        changes = self._cluster.drain()
        for gone in changes.gone:
            self._mapped.pop((gone.kind, gone.native_id), None)
        for found in changes.objects:
            self._mapped[KINDS[type(found)], found.native_id] = found
        return self._mapped
