"""What a caller asks for: the body of a write, checked as far as that needs no backend.

The keys are those of `/o2ims/v1`. What the gateway decides (ids, the O-Cloud) may be there where it is as it
is, so that what was read can be sent back. What is absent stays as it is, or is the backend's default.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

NAME_MOST, TEXT_MOST = 253, 4000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (a JSON pointer), and what."""

    pointer: str
    detail: str


class Malformed(Exception):
    """The body cannot be used; `faults` are everything that is wrong with it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.pointer or 'the body'}: {fault.detail}" for fault in faults))
        self.faults = faults


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
    reading = _Reading(body)
    reading.only(_POOL)
    return _pool(reading, reading.text("name", NAME_MOST, needed=True))


def changed_pool(body: Any, current: Mapping[str, Any]) -> PoolDraft:
    """The draft of PUT resourcePools/{id}; `current` is the pool on the wire. Raises `Malformed`."""
    reading = _Reading(body)
    reading.only(_POOL, current)
    reading.same("name", current)
    return _pool(reading, None)


def new_resource(body: Any) -> ResourceDraft:
    """The draft of POST resources. Raises `Malformed`."""
    reading = _Reading(body)
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


def _pool(reading: "_Reading", name: str | None) -> PoolDraft:
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


class _Reading:
    """A body, read key by key; what is wrong is collected, so that a caller hears of all of it at once."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise Malformed(Fault("", "must be a JSON object"))
        self.body: Mapping[str, Any] = body
        self._faults: list[Fault] = []

    def only(self, keys: frozenset[str], current: Mapping[str, Any] | None = None) -> None:
        """Nothing but `keys`, and what is `current` anyway."""
        for key, value in self.body.items():
            if key in keys:
                continue
            if current is None or key not in current:
                self._fault(key, f"is not known here; there are {', '.join(sorted(keys))}")
            elif current[key] != value:
                self._fault(key, "cannot be changed")

    def text(self, key: str, most: int, *, needed: bool = False, empty: bool = False) -> str | None:
        value = self.body.get(key)
        if value is None:
            self._none(key, needed=needed)
            return None
        if not isinstance(value, str):
            self._fault(key, "must be a string")
        elif not empty and not value.strip():
            self._fault(key, "must not be empty")
        elif len(value) > most:
            self._fault(key, f"must not be longer than {most} characters")
        elif not all(char.isprintable() or (empty and char in "\n\t") for char in value):
            self._fault(key, "must not hold control characters")
        else:
            return value
        return None

    def same(self, key: str, current: Mapping[str, Any]) -> None:
        """What may be there, as it is."""
        if key in self.body and self.body[key] != current.get(key):
            self._fault(key, "cannot be changed")

    def id(self, key: str, *, needed: bool = False) -> str | None:
        value = self.body.get(key)
        if value is None:
            self._none(key, needed=needed)
            return None
        try:
            if isinstance(value, str) and len(value) == 36:
                return str(uuid.UUID(value))
        except ValueError:
            pass
        self._fault(key, "must be a UUID")
        return None

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.body.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._fault(key, "must be an object")
            return {}
        try:
            json.dumps(value, allow_nan=False)
            stored = orjson.dumps(value)
        except (ValueError, TypeError) as error:
            self._fault(key, f"cannot be stored: {error}")
        else:
            if b"\\u0000" in stored:
                self._fault(key, "cannot be stored: a string holds U+0000")
        return value

    def end(self) -> None:
        """Raises `Malformed` for all that was wrong."""
        if self._faults:
            raise Malformed(*self._faults)

    def _none(self, key: str, *, needed: bool) -> None:
        if needed:
            self._fault(key, "is needed")

    def _fault(self, key: str, detail: str) -> None:
        self._faults.append(Fault("/" + key.replace("~", "~0").replace("/", "~1"), detail))
