"""An index over one place of the bodies, one or two steps deep (`type_id`; `extensions`, `k8s.instanceType`):
which objects of each tenant have which value there.

Made when a filter first asks for the place, kept up with every change after that. It only narrows: what it
gives is looked at again by the filter itself, so values that cannot be a key (lists, objects) are simply
always given.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import Any

from o2ims.entry import Entry
from o2ims.query.filter import Pinned

_UNHASHABLE = frozenset({list, dict})
_ALWAYS = object()  # the value of what is always given

Index = list[str]


class Column:
    """The sorted ids by tenant and value. Whoever looks into it or changes it holds its shelf's lock."""

    def __init__(self, place: tuple[str, str], entries: Iterable[Entry]) -> None:
        """`entries` come in the order of their ids, as far as those of one tenant go."""
        self._first, self._second = place
        self._ids: dict[tuple[str, Any], Index] = {}
        for entry in entries:
            self._ids.setdefault(self._key(entry), []).append(entry.id)

    def replace(self, old: Entry | None, new: Entry | None) -> None:
        """One object has changed, come (no `old`) or gone (no `new`). Where the change is somewhere else,
        nothing moves."""
        before, now = (None if entry is None else self._key(entry) for entry in (old, new))
        if before == now:
            return
        if old is not None and before is not None:
            remove(self._ids[before], old.id)
            if not self._ids[before]:
                del self._ids[before]
        if new is not None and now is not None:
            insort(self._ids.setdefault(now, []), new.id)

    def candidates(self, tenant: str, pinned: Pinned) -> list[Index]:
        """The ids of a tenant's objects that a filter may match: each in one of these, which change on."""
        found = (self._ids.get((tenant, value)) for value in (*pinned.wanted, _ALWAYS))
        return [index for index in found if index]

    def _key(self, entry: Entry) -> tuple[str, Any]:
        value = _value(entry.body.get(self._first), self._second)
        return entry.tenant, _ALWAYS if value.__class__ in _UNHASHABLE else value


def remove(index: Index, id_: str) -> None:
    """Takes an id out of a sorted index; one that is not there is nothing."""
    at = bisect_left(index, id_)
    if at < len(index) and index[at] == id_:
        del index[at]


def _value(found: Any, second: str) -> Any:
    return found.get(second) if second and isinstance(found, Mapping) else found
