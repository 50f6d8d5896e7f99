"""What netweave stands on: the interface every backend implements, as one class called `Adapter` in its
module.

An adapter is given a name and options, holds a connection and nothing else. The constructor does no work;
`check` reaches out; `close` lets go. Abilities are data (`metadata().can`): what is not in it raises
`errors.Unsupported`. Foreign exceptions become those of `adapters/errors.py`, with `from`. Every call has a
time limit.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.errors import Unsupported
from adapters.types import (
    Ability,
    Batch,
    DeploymentManager,
    InventoryObject,
    Metadata,
    Resource,
    ResourcePool,
    ResourceType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the configuration says of one backend. `name` is its name there, `key` the immutable key its
    objects' ids are made with, `config` its own settings, unresolved: secrets are references (`env:NAME`,
    `file:/path`), resolved at connect."""

    name: str
    key: str
    config: Mapping[str, Any]


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

        `checkpoint` is the last batch's, or '': advice only. Ends by raising a `BackendError`; the caller
        starts again. Needs `Ability.REAL_TIME_EVENTS`.
        """
        raise Unsupported(self.name, Ability.REAL_TIME_EVENTS)

    def create_pool(self, native_name: str, pool: ResourcePool) -> ResourcePool:  # noqa: ARG002
        """Makes the pool under the native name the caller decided, so that a repeat is found again. Needs
        its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_POOL_CREATE)

    def update_pool(self, native_id: str, pool: ResourcePool) -> ResourcePool:  # noqa: ARG002
        """Changes what may change of a pool; the answer is the pool as it is now. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_POOL_UPDATE)

    def delete_pool(self, native_id: str) -> None:  # noqa: ARG002
        """Takes the pool away; a second call raises `NotFound`. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_POOL_DELETE)

    def create_resource(self, native_name: str, resource: Resource) -> Resource:  # noqa: ARG002
        """Makes the resource under the native name the caller decided. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_CREATE)

    def delete_resource(self, native_id: str) -> None:  # noqa: ARG002
        """Takes the resource away; a second call raises `NotFound`. Needs its ability."""
        raise Unsupported(self.name, Ability.RESOURCE_DELETE)

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections. A closed adapter may be used again: it connects anew."""
