"""One source's objects in memory, ready to be answered: encoded, indexed by id, pool and tenant.

One thread writes, any number read, without a lock but to find a column: entries are replaced, never changed,
and a reader takes a slice of an index (one atomic step) and then looks each id up, leaving out what has gone
since. What moves is in its new index before it leaves the old one.
"""

import threading
from bisect import bisect_right, insort
from typing import Any

from adapters.types import Kind
from o2ims.assets import Assets
from o2ims.column import Column, Index, remove
from o2ims.entry import Entry, Facts
from o2ims.query.filter import Pinned

COLUMNS = 16  # a source keeps at most this many; the oldest makes room


class Shelf:
    """The objects of one source, up to `position` of its change log."""

    def __init__(self, source_id: int, facts: Facts) -> None:
        self.source_id = source_id
        self.facts = facts
        self.position = 0
        self.entries: dict[Kind, dict[str, Entry]] = {kind: {} for kind in Kind}
        self._ids: dict[tuple[Kind, str], Index] = {}
        self._columns: dict[tuple[Kind, str, str], Column] = {}
        self._lock = threading.Lock()
        #: Where twins in other sources are found; None while this source is not read, or is the only one.
        self.assets: Assets | None = None
        self._pools: dict[tuple[str, str], Index] = {}

    def put(self, kind: Kind, tenant: str, body: dict[str, Any]) -> None:
        """Adds or replaces one object."""
        body["o_cloud_id"] = self.facts.o_cloud
        entry = Entry(kind, tenant, body, self)
        with self._lock:
            old = self.entries[kind].get(entry.id)
            self.entries[kind][entry.id] = entry
            self._replace(kind, old, entry)

    def fill(self, entries: list[Entry]) -> None:
        """Adds many to an empty shelf at once."""
        for entry in entries:
            self.entries[entry.kind][entry.id] = entry
            for index in self._indexes(entry):
                index.append(entry.id)
        for index in (*self._ids.values(), *self._pools.values()):
            index.sort()

    def drop(self, kind: Kind, id_: str) -> None:
        """Takes one object away; one that is not there is nothing."""
        with self._lock:
            self._replace(kind, self.entries[kind].pop(id_, None), None)

    def ids(self, kind: Kind, tenant: str) -> Index:
        """The sorted ids of one tenant's objects ('' for nobody's)."""
        return self._ids.get((kind, tenant), [])

    def pool(self, pool: str, tenant: str) -> Index:
        """The sorted ids of one tenant's resources in one pool."""
        return self._pools.get((pool, tenant), [])

    def narrowed(self, kind: Kind, tenant: str, pinned: Pinned, marker: str) -> list[Index]:
        """The sorted ids of one tenant's objects that a filter may match, after `marker`, each in one of
        these. By an index that is made on first use."""
        key = (kind, pinned.first, pinned.second)
        with self._lock:
            column = self._columns.get(key)
            if column is None:
                if len(self._columns) >= COLUMNS:
                    del self._columns[next(iter(self._columns))]
                column = self._columns[key] = Column(key[1:], self._in_order(kind))
            found = column.candidates(tenant, pinned)
            if len(pinned.wanted) > 1:  # what moves from one value to another is not to be missed
                found = [after(index, marker, len(index)) for index in found]
        return found

    def tenants(self, kind: Kind) -> list[str]:
        """Whose objects of a kind there are."""
        return [tenant for (of, tenant), index in list(self._ids.items()) if of is kind and index]

    def holds(self, tenant: str) -> bool:
        """Whether any pool or resource here is the tenant's."""
        return bool(self.ids(Kind.RESOURCE, tenant) or self.ids(Kind.RESOURCE_POOL, tenant))

    def _replace(self, kind: Kind, old: Entry | None, new: Entry | None) -> None:
        """Brings the indexes up to date; its twins first, or a list could show both."""
        if self.assets is not None:
            self.assets.replace(old, new)
        for (of, _, _), column in self._columns.items():
            if of is kind:
                column.replace(old, new)
        before, now = ([] if entry is None else self._indexes(entry) for entry in (old, new))
        for index in now:
            if new is not None and not any(index is one for one in before):
                insort(index, new.id)
        for index in before:
            if old is not None and not any(index is one for one in now):
                remove(index, old.id)

    def _in_order(self, kind: Kind) -> list[Entry]:
        entries = self.entries[kind]
        return [entries[id_] for (of, _), index in self._ids.items() if of is kind for id_ in index]

    def _indexes(self, entry: Entry) -> list[Index]:
        found = [self._ids.setdefault((entry.kind, entry.tenant), [])]
        if entry.pool is not None:
            found.append(self._pools.setdefault((entry.pool, entry.tenant), []))
        return found


def after(index: Index, marker: str, count: int) -> Index:
    """The `count` ids that follow `marker` ('' for the start)."""
    start = bisect_right(index, marker) if marker else 0
    return index[start : start + count]
