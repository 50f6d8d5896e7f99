"""What netweave stands on: the interface every backend implements, as one class called `Adapter` in its
module.

An adapter is given a name and options, holds a connection and nothing else. The constructor does no work;
`check` reaches out; `close` lets go. Abilities are data (`metadata().can`): what is not in it raises
`errors.Unsupported`. Foreign exceptions become those of `adapters/errors.py`, with `from`. Every call has a
time limit.

A write answers with a `Batch`: what has become of the backend, exactly as listing or watching will say it, so
that what the watch tells later is nothing new. It touches only what belongs to the owner it is told (`None`:
to no tenant; an object without a tenant of its own or of what it inherits from is `Options.tenant`'s),
checked in the very call that changes it: what is another's is `NotFound`, as if it were not there.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.errors import NotFound, Unsupported
from adapters.types import (
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the configuration says of one backend. `name` is its name there, `key` the immutable key its
    objects' ids are made with, `config` its own settings, unresolved: secrets are references (`env:NAME`,
    `file:/path`), resolved at connect. `tenant` owns what carries none (None: nobody does)."""

    name: str
    key: str
    config: Mapping[str, Any]
    tenant: str | None = None


class ImsAdapter(ABC):
    """A source of infrastructure (O2-IMS). Sync methods are called from threads, `watch` in an event loop."""

    #: Whether `Thing.version` grows with every change, so that an older state can be told from a newer one.
    ordered: ClassVar[bool] = False
    #: Raised by one when the mapping changes: Items are then rewritten without a Change.
    mapping_version: ClassVar[int] = 1
    #: The prefix of this backend's keys in `extensions`.
    prefix: ClassVar[str]

    def __init__(self, options: Options) -> None:
        self.options = options
        self.name = options.name

    @abstractmethod
    def metadata(self) -> Metadata:
        """Name, kind, version and abilities, without reaching out; what `check` discovered counts."""

    @abstractmethod
    def check(self) -> None:
        """Is it reachable, and may we read what we need? Raises the right `BackendError`, else returns."""

    @abstractmethod
    def deployment_managers(self) -> Iterator[DeploymentManager]:
        """Every deployment manager, paged inside."""

    @abstractmethod
    def types(self) -> Iterator[ResourceType]:
        """Every resource type."""

    @abstractmethod
    def pools(self) -> Iterator[ResourcePool]:
        """Every resource pool."""

    @abstractmethod
    def resources(self) -> Iterator[Resource]:
        """Every resource."""

    def everything(self) -> Iterator[InventoryObject]:
        """All objects, parents first; raises in the middle rather than give a partial list."""
        yield from self.deployment_managers()
        yield from self.types()
        yield from self.pools()
        yield from self.resources()

    def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:  # noqa: ARG002
        """First one full batch, then changes as they come, and an empty batch at least every 5 s while the
        backend answers.

        What came and went, or changed and changed back, between two looks is told as far as the backend lets
        one know: who wrote a part of it may tell of that last. `checkpoint` is the last batch's, or '':
        advice only. Ends by raising a `BackendError`; the caller starts again. Needs
        `Ability.REAL_TIME_EVENTS`.
        """
        raise Unsupported(self.name, Ability.REAL_TIME_EVENTS)

    def find(self, kind: Kind, *, tenant: str | None, native_id: str = "", native_name: str = "") -> Batch:
        """The pool or resource of that owner with this native id, or made under this native name, as a batch
        of that one object. Raises `NotFound`. By default it looks through the lists, and ids are names."""
        things: Iterator[InventoryObject] = self.pools() if kind is Kind.RESOURCE_POOL else self.resources()
        for thing in things:
            if thing.native_id == (native_id or native_name) and self.owner(thing) == tenant:
                return Batch(objects=(thing,))
        raise NotFound(self.name, f"has no {kind} {native_id or native_name}")

    def owner(self, thing: InventoryObject) -> str | None:
        """Whose an object is: its tenant's, else the source's, else nobody's."""
        return thing.tenant or self.options.tenant

    def footprint(
        self,
        wanted: ResourcePool | Resource,
        *,
        type_native_id: str = "",  # noqa: ARG002
        there: Mapping[str, Any] | None = None,
    ) -> Footprint:
        """What it would take of its tenant's quotas to make `wanted`, of that type if it is given; or to make
        the pool that has the extensions `there` what `wanted` says: then only what is more. For a resource,
        `there` are its pool's. A size that nobody can tell is None. May reach out."""
        return wanted.footprint if there is None or isinstance(wanted, Resource) else Footprint()

    def create_pool(
        self,
        native_name: str,  # noqa: ARG002
        pool: ResourcePool,  # noqa: ARG002
        *,
        type_native_id: str = "",  # noqa: ARG002
    ) -> Batch:
        """Makes a pool for the owner `pool.tenant`, of resources of that type if it is given, under the
        native name the caller decided, so that a repeat is found again. `Conflict` where that owner has one
        of that name; another owner's of that name is in nobody's way, nor told of. `Invalid` with the pointer
        for what is missing or refused. Needs its ability.
        """
        raise Unsupported(self.name, Ability.RESOURCE_POOL_CREATE)

    def update_pool(self, native_id: str, pool: ResourcePool) -> Batch:  # noqa: ARG002
        """Makes the owner's (`pool.tenant`) pool what `pool` says: description, location, extensions. What is
        not in its extensions stays. `Invalid` with the pointer for what cannot be changed. Needs its ability.
        """
        raise Unsupported(self.name, Ability.RESOURCE_POOL_UPDATE)

    def delete_pool(self, native_id: str, *, tenant: str | None, cascade: bool = False) -> Batch:  # noqa: ARG002
        """Takes the owner's pool away, with `cascade` the resources in it too; `Conflict` where it has some
        without. A second call raises `NotFound`. Where the backend only has begun, the batch holds what is
        still there. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_POOL_DELETE)

    def create_resource(self, native_name: str, resource: Resource) -> Batch:  # noqa: ARG002
        """Makes the resource for its owner, in a pool of the same owner, of the pool's type where
        `type_native_id` is ''; conflicts as for pools. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_CREATE)

    def delete_resource(self, native_id: str, *, tenant: str | None) -> Batch:  # noqa: ARG002
        """Takes the owner's resource away; where a pool has a size, that is one less afterwards, and no new
        one takes its place. Otherwise as `delete_pool`. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_DELETE)

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections. A closed adapter may be used again: it connects anew."""
