"""The adapter: what the state holds, told and changed as the contract wants it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from adapters.base import ImsAdapter, Options
from adapters.errors import Conflict, Invalid, NotFound, Unsupported
from adapters.ims.memory.sample import sample, visitor
from adapters.ims.memory.state import Row, State
from adapters.types import (
    KINDS,
    Ability,
    Batch,
    DeploymentManager,
    Footprint,
    InventoryObject,
    Kind,
    Metadata,
    Resource,
    ResourcePool,
    ResourceType,
)

_WATCH_SECONDS = 0.05
_HEARTBEAT_SECONDS = 2.0
_ID = "mock.nativeId"


class Adapter(ImsAdapter):
    """Its options: `objects` (size of the sample, 120), `live` (seconds between changes, 3; 0 or false:
    none), `poll` (with it, it can only be polled), `path` (keep the state in this file), `assets` (samples of
    the same one are the same things, seen twice; default: the source's id)."""

    ordered = True
    mapping_version = 2
    prefix = "mock"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._state: State | None = None
        self._next_tick = 0.0
        self._ticks = 0

    def metadata(self) -> Metadata:
        """Everything is supported; but with `poll` it cannot be watched, and a state that lies in the memory
        of another process cannot be written."""
        writable = self.options.config.get("path") or (self._state is not None and self._state.read)
        can = set(Ability) if writable else {Ability.REAL_TIME_EVENTS, Ability.SUBSCRIPTIONS}
        if self.options.config.get("poll"):
            can.discard(Ability.REAL_TIME_EVENTS)
        return Metadata(name=self.name, kind="mock", version="1", can=frozenset(can))

    def check(self) -> None:
        """Opens the state."""
        self._open()

    def close(self) -> None:
        """Lets go of the state; one that lies in memory ends when the last has let go."""
        self._state = None

    def deployment_managers(self) -> Iterator[DeploymentManager]:
        """The one mock cluster."""
        return self._list(DeploymentManager)

    def types(self) -> Iterator[ResourceType]:
        """The models of the sample."""
        return self._list(ResourceType)

    def pools(self) -> Iterator[ResourcePool]:
        """The pools, those made since included."""
        return self._list(ResourcePool)

    def resources(self) -> Iterator[Resource]:
        """The resources, those made since included."""
        return self._list(Resource)

    def everything(self) -> Iterator[InventoryObject]:
        """All objects; where nobody can watch, listing is what makes it tick."""
        self._open().read = True
        if Ability.REAL_TIME_EVENTS not in self.metadata().can:
            self._tick_if_due()
        return super().everything()

    async def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:  # noqa: ARG002
        """The list, then the log of changes; whoever watches makes it tick."""
        if Ability.REAL_TIME_EVENTS not in self.metadata().can:
            super().watch("")
        position = self._open().position()
        yield Batch(objects=tuple(self.everything()), full=True, reason="start", checkpoint=str(position))
        quiet_since = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._tick_if_due()
            batch, position = self._open().since(position)
            if batch.objects or batch.gone or time.monotonic() - quiet_since > _HEARTBEAT_SECONDS:
                quiet_since = time.monotonic()
                yield batch

    def find(self, kind: Kind, *, tenant: str | None, native_id: str = "", native_name: str = "") -> Batch:
        """By id; what was made under a name has that for an id, or that and its owner's."""
        for id_ in (native_id,) if native_id else (native_name, _apart(native_name, tenant)):
            try:
                return super().find(kind, tenant=tenant, native_id=id_)
            except NotFound:
                continue
        raise NotFound(self.name, f"has no {kind} {native_id or native_name}")

    def create_pool(self, native_name: str, pool: ResourcePool, *, type_native_id: str = "") -> Batch:
        """A new row."""
        state = self._writable(Ability.RESOURCE_POOL_CREATE)
        with state.changing():
            extensions = {"mock.capacity": 100, **_given(self.name, pool)}
            if type_native_id:
                self._must_have(ResourceType, type_native_id, "/resourceTypeId")
                extensions["mock.type"] = type_native_id.removeprefix("type-")
            return self._insert(state, native_name, replace(pool, extensions=extensions))

    def update_pool(self, native_id: str, pool: ResourcePool) -> Batch:
        """Description, location and extensions change; the name does not."""
        state = self._writable(Ability.RESOURCE_POOL_UPDATE)
        with state.changing():
            old = self._owned(ResourcePool, native_id, pool.tenant)
            extensions = {**old.extensions, **_given(self.name, pool, native_id)}
            new = replace(old, description=pool.description, location=pool.location, extensions=extensions)
            return Batch(objects=(state.put(new),))

    def delete_pool(self, native_id: str, *, tenant: str | None, cascade: bool = False) -> Batch:
        """The row goes, with `cascade` those of its resources too."""
        state = self._writable(Ability.RESOURCE_POOL_DELETE)
        with state.changing():
            self._owned(ResourcePool, native_id, tenant)
            members = [resource for resource in state.all(Resource) if resource.pool_native_id == native_id]
            if members and not cascade:
                raise Conflict(self.name, f"the pool {native_id} still has resources")
            if any(self.owner(resource) != tenant for resource in members):
                raise Conflict(self.name, f"the pool {native_id} has resources of another owner")
            gone = [state.drop(Kind.RESOURCE, resource.native_id) for resource in members]
            return Batch(gone=(*gone, state.drop(Kind.RESOURCE_POOL, native_id)))

    def create_resource(self, native_name: str, resource: Resource) -> Batch:
        """A new row in an existing pool, of an existing type."""
        state = self._writable(Ability.RESOURCE_CREATE)
        with state.changing():
            pool = self._must_have(ResourcePool, resource.pool_native_id, "/resourcePoolId")
            if self.owner(pool) != self.owner(resource):
                raise Invalid(self.name, "has no such pool", pointer="/resourcePoolId")
            type_id = resource.type_native_id or f"type-{pool.extensions.get('mock.type', '')}"
            self._must_have(ResourceType, type_id, "/resourceTypeId")
            takes = self.footprint(resource)
            extensions = _given(self.name, resource)
            made = replace(resource, type_native_id=type_id, extensions=extensions, takes=takes)
            return self._insert(state, native_name, made)

    def delete_resource(self, native_id: str, *, tenant: str | None) -> Batch:
        """The row goes."""
        state = self._writable(Ability.RESOURCE_DELETE)
        with state.changing():
            self._owned(Resource, native_id, tenant)
            return Batch(gone=(state.drop(Kind.RESOURCE, native_id),))

    def footprint(
        self,
        wanted: ResourcePool | Resource,
        *,
        type_native_id: str = "",
        there: Mapping[str, Any] | None = None,
    ) -> Footprint:
        """A resource's is that of its type, a pool's its own: it has no resources yet."""
        if isinstance(wanted, ResourcePool):
            return wanted.footprint if there is None else Footprint()
        pool = self._open().get(ResourcePool, wanted.pool_native_id)
        usual = f"type-{pool.extensions.get('mock.type', '')}" if pool else ""
        found = self._open().get(ResourceType, wanted.type_native_id or type_native_id or usual)
        facts = found.extensions if found else {}
        return Footprint(resources=1, cpu_cores=facts.get("mock.cpu"), memory_gb=facts.get("mock.memory"))

    def tick(self) -> None:
        """One change, as the living sample makes them: four resources change, then one comes or goes."""
        state = self._open()
        with state.changing():
            self._ticks += 1
            if self._ticks % 5 == 0:
                guest = visitor(self._assets)
                if state.get(Resource, guest.native_id):
                    state.drop(Kind.RESOURCE, guest.native_id)
                else:
                    state.put(guest)
                return
            living = state.all(Resource)
            if living:
                resource = living[self._ticks * 37 % len(living)]
                utilization = (resource.extensions.get("mock.utilization", 0) + 13) % 100
                state.put(
                    replace(resource, extensions={**resource.extensions, "mock.utilization": utilization})
                )

    @property
    def _assets(self) -> str:
        return str(self.options.config.get("assets") or self.options.key)

    def _tick_if_due(self) -> None:
        live = self.options.config.get("live", 3)
        if live and time.monotonic() >= self._next_tick:
            if self._next_tick:
                self.tick()
            self._next_tick = time.monotonic() + float(live)

    def _open(self) -> State:
        if self._state is None:
            size = int(self.options.config.get("objects", 120))
            self._state = State.of(self.options, sample(size, self._assets))
        return self._state

    def _writable(self, ability: Ability) -> State:
        state = self._open()
        if ability not in self.metadata().can:
            raise Unsupported(self.name, ability)
        return state

    def _list(self, cls: type[Row]) -> Iterator[Row]:
        return iter(self._open().all(cls))

    def _owned(self, cls: type[Row], native_id: str, tenant: str | None) -> Row:
        found = self._open().get(cls, native_id)
        if found is None or self.owner(found) != tenant:
            raise NotFound(self.name, f"has no {KINDS[cls]} {native_id}")
        return found

    def _must_have(self, cls: type[Row], native_id: str, pointer: str) -> Row:
        found = self._open().get(cls, native_id)
        if found is None:
            raise Invalid(self.name, f"has no such {KINDS[cls]}", pointer=pointer)
        return found

    def _insert(self, state: State, native_name: str, thing: ResourcePool | Resource) -> Batch:
        cls, owner = type(thing), self.owner(thing)
        if any(self.owner(other) == owner and other.name == thing.name for other in state.all(cls)):
            raise Conflict(self.name, f"has a {KINDS[cls]} named {thing.name} already")
        native_id, taken = native_name, state.get(cls, native_name)
        if taken is not None:
            native_id = _apart(native_name, owner)
            if self.owner(taken) == owner or state.get(cls, native_id) is not None:
                raise Conflict(self.name, f"has a {KINDS[cls]} {native_name} already")
        extensions = {**thing.extensions, _ID: native_id}
        return Batch(objects=(state.put(replace(thing, native_id=native_id, extensions=extensions)),))


def _apart(native_name: str, tenant: str | None) -> str:
    """The id where another owner has the name."""
    return f"{native_name}~{tenant or ''}"


def _given(name: str, thing: ResourcePool | Resource, native_id: str = "") -> dict[str, object]:
    """The extensions of a draft; the id is not for the caller to choose."""
    if thing.extensions.get(_ID, native_id) != native_id:
        raise Invalid(name, "cannot be chosen", pointer=f"/extensions/{_ID}")
    return dict(thing.extensions)
