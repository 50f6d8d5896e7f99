"""What a caller asks for: the body of a write, checked as far as that needs no backend.

The keys are those of `/o2ims/v1`. What the gateway decides (ids, the O-Cloud) may be there where it is as it
is, so that what was read can be sent back. What is absent stays as it is, or is the backend's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.bodies import Reading

NAME_MOST, TEXT_MOST = 253, 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDraft:
    """A resource pool as somebody wants it; None is what was not said. `given` is the body itself."""

    name: str | None
    description: str | None
    location: str | None
    resource_type: str | None
    extensions: Mapping[str, Any]
    given: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDraft:
    """A resource as somebody wants it."""

    name: str | None
    description: str | None
    pool: str
    resource_type: str | None
    extensions: Mapping[str, Any]
    given: Mapping[str, Any] = field(repr=False)


_POOL = frozenset({"name", "description", "location", "resourceTypeId", "extensions"})
_RESOURCE = frozenset({"name", "description", "resourcePoolId", "resourceTypeId", "extensions"})


def new_pool(body: Any) -> PoolDraft:
    """The draft of POST resourcePools. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(_POOL)
    return _pool(reading, reading.text("name", NAME_MOST, needed=True))


def changed_pool(body: Any, current: Mapping[str, Any]) -> PoolDraft:
    """The draft of PUT resourcePools/{id}; `current` is the pool on the wire. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(_POOL, current)
    reading.same("name", current)
    return _pool(reading, None)


def new_resource(body: Any) -> ResourceDraft:
    """The draft of POST resources. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(_RESOURCE)
    draft = ResourceDraft(
        name=reading.text("name", NAME_MOST),
        description=reading.text("description", TEXT_MOST, empty=True),
        pool=reading.id("resourcePoolId", needed=True) or "",
        resource_type=reading.id("resourceTypeId"),
        extensions=reading.mapping("extensions"),
        given=reading.body,
    )
    reading.end()
    return draft


def _pool(reading: Reading, name: str | None) -> PoolDraft:
    draft = PoolDraft(
        name=name,
        description=reading.text("description", TEXT_MOST, empty=True),
        location=reading.text("location", TEXT_MOST, empty=True),
        resource_type=reading.id("resourceTypeId"),
        extensions=reading.mapping("extensions"),
        given=reading.body,
    )
    reading.end()
    return draft
