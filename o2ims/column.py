"""An index over one place of the bodies, one or two steps deep (`type_id`; `extensions`, `k8s.instanceType`):
which objects have which value there.

Made when a filter first asks for the place, kept up with every change after that. It only narrows: what it
gives is looked at again by the filter itself, so values that cannot be a key (lists, objects) are simply
always given.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from o2ims.query.filter import Pinned

_UNHASHABLE = frozenset({list, dict})


class Column:
    """The ids by value. Whoever reads or changes it holds its shelf's lock."""

    def __init__(self, place: tuple[str, str], bodies: Iterable[Mapping[str, Any]]) -> None:
        self._first, self._second = place
        self._ids: dict[Any, set[str]] = {}
        self._always: set[str] = set()
        for body in bodies:
            self.add(body)

    def add(self, body: Mapping[str, Any]) -> None:
        """One object more."""
        self._bucket(body).add(body["id"])

    def remove(self, body: Mapping[str, Any]) -> None:
        """One object less, as it was when it was added."""
        bucket = self._bucket(body)
        bucket.discard(body["id"])
        if not bucket and bucket is not self._always:
            del self._ids[self._value(body)]

    def candidates(self, pinned: Pinned) -> set[str]:
        """The ids that a filter may match."""
        found = set(self._always)
        for value in pinned.wanted:
            found |= self._ids.get(value, set())
        return found

    def _bucket(self, body: Mapping[str, Any]) -> set[str]:
        value = self._value(body)
        return self._always if value.__class__ in _UNHASHABLE else self._ids.setdefault(value, set())

    def _value(self, body: Mapping[str, Any]) -> Any:
        value = body.get(self._first)
        return value.get(self._second) if self._second and isinstance(value, dict) else value


def narrowed(ids: list[str], candidates: set[str]) -> list[str]:
    """Those of the sorted `ids` that are candidates, in their order, at the cost of the smaller of both."""
    if len(candidates) * 16 > len(ids):
        return [id_ for id_ in ids if id_ in candidates]
    return [id_ for id_ in sorted(candidates) if (at := bisect_left(ids, id_)) < len(ids) and ids[at] == id_]
