"""The body of a write, read key by key: what cannot be used is told with its place (a JSON pointer), all of
it at once. A key that nobody reads is a mistake, never ignored."""

import json
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

MOST = 100  # faults that are told of one body


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


class Absent(Malformed):
    """The body is well-formed, and names something that is not there for this caller."""


class Reading:
    """A body, read key by key; what is wrong is collected, so that a caller hears of all of it at once.

    Each reader gives the value, or None where there is none or it is wrong; `end` raises for all that was.
    """

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
                self.fault(key, f"is not known here; there are {', '.join(sorted(keys))}")
            elif current[key] != value:
                self.fault(key, "cannot be changed")

    def text(self, key: str, most: int, *, needed: bool = False, empty: bool = False) -> str | None:
        """A string of at most `most` printable characters; with `empty`, it may be empty and have lines."""
        value = self.body.get(key)
        if value is None:
            self._none(key, needed=needed)
            return None
        if not isinstance(value, str):
            self.fault(key, "must be a string")
        elif not empty and not value.strip():
            self.fault(key, "must not be empty")
        elif len(value) > most:
            self.fault(key, f"must not be longer than {most} characters")
        elif not all(char.isprintable() or (empty and char in "\n\t") for char in value):
            self.fault(key, "must not hold control characters")
        else:
            return value
        return None

    def same(self, key: str, current: Mapping[str, Any]) -> None:
        """What may be there, as it is."""
        if key in self.body and self.body[key] != current.get(key):
            self.fault(key, "cannot be changed")

    def id(self, key: str, *, needed: bool = False) -> str | None:
        """A UUID."""
        value = self.body.get(key)
        if value is None:
            self._none(key, needed=needed)
            return None
        try:
            if isinstance(value, str) and len(value) == 36:
                return str(uuid.UUID(value))
        except ValueError:
            pass
        self.fault(key, "must be a UUID")
        return None

    def choice(self, key: str, choices: Collection[str]) -> str | None:
        """One of `choices`."""
        value = self.body.get(key)
        if value is None or value in choices:
            return value
        self.fault(key, f"must be one of {', '.join(choices)}")
        return None

    def time(self, key: str) -> datetime | None:
        """A date and time with its offset (RFC 3339)."""
        value = self.body.get(key)
        if value is None:
            return None
        with suppress(TypeError, ValueError):
            found = datetime.fromisoformat(value)
            if found.utcoffset() is not None:
                return found.astimezone(UTC)
        self.fault(key, "must be a date and time with its offset, such as 2027-01-31T12:00:00Z")
        return None

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A JSON object that can be stored; an empty one where there is none."""
        value = self.body.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(key, "must be an object")
            return {}
        try:
            json.dumps(value, allow_nan=False)
            stored = orjson.dumps(value)
        except (ValueError, TypeError) as error:
            self.fault(key, f"cannot be stored: {error}")
        else:
            if b"\\u0000" in stored:
                self.fault(key, "cannot be stored: a string holds U+0000")
        return value

    def end(self) -> None:
        """Raises `Malformed` for all that was wrong."""
        if self._faults:
            raise Malformed(*self._faults)

    def _none(self, key: str, *, needed: bool) -> None:
        if needed:
            self.fault(key, "is needed")

    def fault(self, key: str, detail: str, *within: object) -> None:
        """Notes what is wrong with the value of `key`, or what is `within` it: the first `MOST` of all."""
        if len(self._faults) >= MOST:
            return
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in (key, *within))
        self._faults.append(Fault("".join(f"/{step}" for step in steps), detail))
