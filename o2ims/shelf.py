"""One source's objects in memory, ready to be answered: encoded, indexed by id, pool and tenant.

One thread writes, any number read, without a lock but for columns: entries are replaced, never changed, and
a reader takes a slice of an index (one atomic step) and then looks each id up, leaving out what has gone
since.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from typing import Any

from adapters.types import Kind
from o2ims.assets import Assets
from o2ims.column import Column, narrowed
from o2ims.entry import Entry, Facts
from o2ims.query.filter import Pinned

COLUMNS = 16  # a source keeps at most this many; the oldest makes room


Index = list[str]


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
        old = self.entries[kind].get(entry.id)
        if old is not None and (old.tenant, old.pool) != (tenant, entry.pool):
            self.drop(kind, entry.id)
            old = None
        with self._lock:
            self.entries[kind][entry.id] = entry
            for column in self._of(kind):
                if old is not None:
                    column.remove(old.body)
                column.add(body)
        if self.assets is not None:
            self.assets.replace(old, entry)
        if old is None:
            for index in self._indexes(entry):
                insort(index, entry.id)

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
            entry = self.entries[kind].pop(id_, None)
            if entry is None:
                return
            for column in self._of(kind):
                column.remove(entry.body)
        if self.assets is not None:
            self.assets.replace(entry, None)
        for index in self._indexes(entry):
            at = bisect_left(index, id_)
            if at < len(index) and index[at] == id_:
                del index[at]

    def ids(self, kind: Kind, tenant: str) -> Index:
        """The sorted ids of one tenant's objects ('' for nobody's)."""
        return self._ids.get((kind, tenant), [])

    def pool(self, pool: str, tenant: str) -> Index:
        """The sorted ids of one tenant's resources in one pool."""
        return self._pools.get((pool, tenant), [])

    def narrowed(self, kind: Kind, ids: Index, pinned: Pinned) -> Index:
        """Those of the sorted `ids` that a filter may match, by an index that is made on first use."""
        key = (kind, pinned.first, pinned.second)
        with self._lock:
            column = self._columns.get(key)
            if column is None:
                if len(self._columns) >= COLUMNS:
                    del self._columns[next(iter(self._columns))]
                bodies = (entry.body for entry in self.entries[kind].values())
                column = self._columns[key] = Column(key[1:], bodies)
            candidates = column.candidates(pinned)
        return narrowed(ids, candidates)

    def tenants(self, kind: Kind) -> list[str]:
        """Whose objects of a kind there are."""
        return [tenant for (of, tenant), index in list(self._ids.items()) if of is kind and index]

    def holds(self, tenant: str) -> bool:
        """Whether any pool or resource here is the tenant's."""
        return bool(self.ids(Kind.RESOURCE, tenant) or self.ids(Kind.RESOURCE_POOL, tenant))

    def _of(self, kind: Kind) -> list[Column]:
        return [column for (of, _, _), column in self._columns.items() if of is kind]

    def _indexes(self, entry: Entry) -> list[Index]:
        found = [self._ids.setdefault((entry.kind, entry.tenant), [])]
        if entry.pool is not None:
            found.append(self._pools.setdefault((entry.pool, entry.tenant), []))
        return found


def after(index: Index, marker: str, count: int) -> Index:
    """The `count` ids that follow `marker` ('' for the start)."""
    start = bisect_right(index, marker) if marker else 0
    return index[start : start + count]
