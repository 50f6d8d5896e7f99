"""What a backend's things become: the O2-IMS inventory objects (O-RAN.WG6.O2IMS-INTERFACE 3.2.6), by native
id.

Adapters speak in native ids only. `object_id` makes the public id of one: a native UUID as it is, anything
else a UUIDv5 of the source's key and the native id; it is called where something seen becomes a fact
(`o2ims/record.py`).
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha1
from typing import Any, TypeAlias

_NAMESPACE = uuid.UUID("5f6c1b1e-0f6c-5c0e-9a37-6e65747765a0")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


class Kind(StrEnum):
    """The kinds of inventory object, parents first: the order in which they are created."""

    DEPLOYMENT_MANAGER = "DeploymentManager"
    RESOURCE_TYPE = "ResourceType"
    RESOURCE_POOL = "ResourcePool"
    RESOURCE = "Resource"


class Ability(StrEnum):
    """What a backend may be able to do. What is not claimed raises `errors.Unsupported`."""

    RESOURCE_POOL_CREATE = "resource-pool-create"
    RESOURCE_POOL_UPDATE = "resource-pool-update"
    RESOURCE_POOL_DELETE = "resource-pool-delete"
    RESOURCE_CREATE = "resource-create"
    RESOURCE_DELETE = "resource-delete"
    SUBSCRIPTIONS = "subscriptions"
    REAL_TIME_EVENTS = "real-time-events"  # it can be watched; without it, it is polled and compared


class ResourceKind(StrEnum):
    """O-RAN.WG6.O2IMS-INTERFACE, ResourceTypeInfo.resourceKind."""

    UNDEFINED = "UNDEFINED"
    PHYSICAL = "PHYSICAL"
    LOGICAL = "LOGICAL"


class ResourceClass(StrEnum):
    """O-RAN.WG6.O2IMS-INTERFACE, ResourceTypeInfo.resourceClass."""

    UNDEFINED = "UNDEFINED"
    COMPUTE = "COMPUTE"
    NETWORKING = "NETWORKING"
    STORAGE = "STORAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a thing takes of its tenant's quotas: pools, resources, CPU in cores, memory in GB (2^30 bytes).
    None: nobody can tell."""

    pools: int = 0
    resources: int = 0
    cpu_cores: float | None = 0
    memory_gb: float | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What every inventory object has.

    `native_id` names it in its backend (for life; unique within a kind). `version` is the native version
    *as of which* this state is known: where the adapter is `ordered` a decimal integer that grows, else ''.
    `tenant` is the tenant's id, or None: the platform's (the source's default tenant is applied by the
    caller, not by the adapter). `extensions` are the backend's own facts under its prefix (`k8s.…`), JSON
    values only. `takes` is told where it is more than one pool or one resource of no size.
    """

    native_id: str
    name: str
    description: str = ""
    tenant: str | None = None
    version: str = ""
    extensions: Mapping[str, Any] = field(default_factory=dict)
    takes: Footprint | None = None

    @property
    def footprint(self) -> Footprint:
        """What it takes of its tenant's quotas."""
        return self.takes or Footprint()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentManager(Thing):
    """A place that takes deployments (a cluster). `service_uri` is its own API's root; `capacity` and
    `capabilities` map a name to a JSON value (`cpu` in cores, `memory` and `storage` in bytes, extended
    resources as counts)."""

    service_uri: str = ""
    supported_locations: tuple[str, ...] = ()
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    capacity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType(Thing):
    """A model of resource. `characteristics` beyond vendor, model and version go to `extensions`."""

    vendor: str = ""
    model: str = ""
    model_version: str = ""
    resource_kind: ResourceKind = ResourceKind.UNDEFINED
    resource_class: ResourceClass = ResourceClass.UNDEFINED


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePool(Thing):
    """A group of resources at one place. `location` is free text; `global_location_id` the SMO's name of
    the place, or ''."""

    location: str = ""
    global_location_id: str = ""

    @property
    def footprint(self) -> Footprint:
        """One pool, unless more is told."""
        return self.takes or Footprint(pools=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Thing):
    """One resource in one pool. `type_native_id`, `pool_native_id` and `parent_native_id` (or '') name
    objects of the same source; `global_asset_id` is the same in every source that sees this very thing, or
    ''."""

    type_native_id: str
    pool_native_id: str
    parent_native_id: str = ""
    global_asset_id: str = ""
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def footprint(self) -> Footprint:
        """One resource, unless more is told."""
        return self.takes or Footprint(resources=1)


InventoryObject: TypeAlias = DeploymentManager | ResourceType | ResourcePool | Resource

KINDS: dict[type[Thing], Kind] = {
    DeploymentManager: Kind.DEPLOYMENT_MANAGER,
    ResourceType: Kind.RESOURCE_TYPE,
    ResourcePool: Kind.RESOURCE_POOL,
    Resource: Kind.RESOURCE,
}


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that a backend said it no longer has. `version` as in `Thing`: as of when that is known."""

    kind: Kind
    native_id: str
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What `ImsAdapter.watch` yields.

    `full`: `objects` is a complete and healthy list of everything; what is not in it is gone. `reason` says
    why it was listed (`start`, `expired`, `broken`, `silent`). Where the adapter is `ordered` and the list's
    `checkpoint` is a number, that is the version as of which the list is. Otherwise `objects` and `gone`
    are what changed. `skipped` counts objects that could not be
    mapped; `unmapped` are the native ids of those that are there all the same, as far as they are known. An
    empty batch says that there is nothing new up to its `checkpoint`; without one, only that the backend
    answered just now (a list may be under way). One comes at least every 5 s.
    """

    objects: tuple[InventoryObject, ...] = ()
    gone: tuple[Gone, ...] = ()
    full: bool = False
    reason: str = ""
    checkpoint: str = ""
    skipped: int = 0
    unmapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Who a backend is. `version` is the backend's own ('' until `check` has asked it)."""

    name: str
    kind: str
    version: str
    can: frozenset[Ability]


def object_id(source_key: str, native_id: str) -> str:
    """The public id (lower-case UUID text) of the object `native_id` in the source whose immutable key is
    `source_key`: a native UUID as it is, else UUIDv5 (RFC 9562 5.5)."""
    # Only the canonical text of a UUID is one: '{...}', 'urn:uuid:' or 32 bare digits would make two names
    # one object.
    if _UUID.match(native_id):
        return native_id.lower()
    # As `uuid.uuid5` does it, in a third of the time: each relist asks for some ids of every object.
    digest = bytearray(sha1(_space(source_key) + native_id.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(1024)
def _space(source_key: str) -> bytes:
    return uuid.uuid5(_NAMESPACE, source_key).bytes
