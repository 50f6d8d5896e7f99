"""Something seen in a backend, ready to be compared with what is known: public ids, the body to store, its
hash."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import orjson

from adapters.base import ImsAdapter
from adapters.configuration import Backend
from adapters.types import (
    KINDS,
    DeploymentManager,
    Footprint,
    InventoryObject,
    Kind,
    Resource,
    ResourcePool,
    ResourceType,
    object_id,
)

# PostgreSQL's jsonb cannot hold U+0000, and no backend means anything by it.
_TENANT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")  # a label's value
_VERSION = re.compile(r"[0-9]{1,40}\Z")
MOST_TAKEN = 10**6  # of anything, by one object
_NUL, _REPLACEMENT = b"\\u0000", b"\\ufffd"


@dataclass(frozen=True, slots=True)
class Origin:
    """The source something was seen in: `key` makes ids, `tenant` owns what carries none ('' for nobody),
    `prefix` is that of its extensions, `ordered` says that versions grow, `mapping_version` is the
    adapter's."""

    key: str
    tenant: str
    prefix: str
    ordered: bool
    mapping_version: int

    @classmethod
    def of(cls, backend: Backend, adapter: ImsAdapter) -> "Origin":
        """What a configured backend and its adapter make of it."""
        return cls(
            backend.ids, backend.tenant or "", adapter.prefix, adapter.ordered, adapter.mapping_version
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object as it is now. `body` is what `Item.body` holds; `parent` is the pool of a resource."""

    kind: Kind
    object_id: uuid.UUID
    native_id: str
    version: str
    tenant: str
    parent: uuid.UUID | None
    body: Mapping[str, Any] = field(repr=False)
    hash: bytes = field(repr=False)
    takes: tuple[float, ...] = ()

    @property
    def key(self) -> tuple[str, uuid.UUID]:
        """What it is known by in its source."""
        return self.kind, self.object_id


def sight(origin: Origin, thing: InventoryObject) -> Sighting:
    """What `thing` is for us. Raises `ValueError` or `TypeError` if it holds what cannot be stored."""
    _must_fit(origin, thing)
    kind = KINDS[type(thing)]
    id_ = object_id(origin.key, thing.native_id)
    extensions = dict(thing.extensions)
    if id_ != thing.native_id.lower():
        extensions.setdefault(f"{origin.prefix}.nativeId", thing.native_id)
    body = {
        "id": id_,
        "name": thing.name,
        "description": thing.description,
        **_own(origin.key, thing),
        "extensions": extensions,
    }
    encoded = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    if _NUL in encoded:
        encoded = encoded.replace(_NUL, _REPLACEMENT)
        body = orjson.loads(encoded)
    tenant = thing.tenant or origin.tenant
    parent = uuid.UUID(body["pool_id"]) if kind is Kind.RESOURCE else None
    takes = amounts(thing.footprint)
    what = b"\0".join((encoded, tenant.encode(), repr(takes).encode()))
    digest = hashlib.blake2b(what, digest_size=16).digest()
    return Sighting(kind, uuid.UUID(id_), thing.native_id, thing.version, tenant, parent, body, digest, takes)


def amounts(footprint: Footprint) -> tuple[float, ...]:
    """A footprint in the order of `tenancy.quotas.NAMES`; what nobody can tell, or mean, is nothing: backends
    say it."""
    found = (
        float(footprint.pools),
        float(footprint.resources),
        float(footprint.cpu_cores or 0),
        float(footprint.memory_gb or 0),
    )
    return tuple(round(amount, 3) if 0 <= amount <= MOST_TAKEN else 0.0 for amount in found)


def _must_fit(origin: Origin, thing: InventoryObject) -> None:
    if "\0" in thing.native_id or not thing.native_id:
        raise ValueError("its native id is empty or holds U+0000")
    if thing.tenant and not _TENANT.match(thing.tenant):
        raise ValueError("its tenant is no tenant's id")
    if origin.ordered and thing.version and not _VERSION.match(thing.version):
        raise ValueError("its version is no number")


def _own(key: str, thing: InventoryObject) -> dict[str, Any]:
    if isinstance(thing, DeploymentManager):
        return {
            "service_uri": thing.service_uri,
            "supported_locations": list(thing.supported_locations),
            "capabilities": dict(thing.capabilities),
            "capacity": dict(thing.capacity),
        }
    if isinstance(thing, ResourceType):
        return {
            "vendor": thing.vendor,
            "model": thing.model,
            "version": thing.model_version,
            "resource_kind": str(thing.resource_kind),
            "resource_class": str(thing.resource_class),
        }
    if isinstance(thing, ResourcePool):
        return {"location": thing.location, "global_location_id": thing.global_location_id}
    if isinstance(thing, Resource):
        return {
            "type_id": object_id(key, thing.type_native_id),
            "pool_id": object_id(key, thing.pool_native_id),
            "parent_id": object_id(key, thing.parent_native_id) if thing.parent_native_id else "",
            "global_asset_id": thing.global_asset_id,
            "tags": list(thing.tags),
            "groups": list(thing.groups),
        }
    assert_never(thing)
