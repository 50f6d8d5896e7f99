"""A caller's view of the inventory: what its scope shows, page by page, and how fresh it is.

Everything is answered from the mirror. The scope goes into the choice of index; a second, independent check
drops (and counts) any object whose tenant is foreign before it is encoded.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice, repeat

from django.db import Error as DatabaseError

from adapters.types import Kind
from api.pages import PageRequest
from o2ims import metrics
from o2ims.column import Index
from o2ims.entry import Entry, Facts, Owner
from o2ims.mirror import FRESH_SECONDS, Mirror, fresh, mirror, up
from o2ims.query import Filter
from o2ims.shelf import Shelf, after
from tenancy.scope import TenantScope

WINDOW = 2000  # how many objects of an index a filter looks at, at most, before it asks whether it has enough
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
SHARED_WITH_SEERS = frozenset({Kind.RESOURCE_TYPE, Kind.DEPLOYMENT_MANAGER})

Indexed = tuple[Shelf, str, Index]  # some sorted ids of one tenant in one source


class NotThere(Exception):
    """No such object in this scope: foreign and unknown are the same."""


class NotReady(Exception):
    """This process has not loaded the inventory yet."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `more` says whether anything follows it."""

    entries: list[Entry]
    more: bool


@dataclass(frozen=True, slots=True)
class Staleness:
    """A source that is not fresh: its name, the class of its last error, and for how many seconds nothing
    was heard of it (None: never)."""

    source: str
    error_class: str
    silent: float | None


class Inventory:
    """What `scope` shows. Made per request; holds nothing of its own."""

    def __init__(self, scope: TenantScope, of: Mirror = mirror) -> None:
        if not of.ready:
            raise NotReady
        self._scope = scope
        self._mirror = of

    def get(self, kind: Kind, id_: str, *, pool: str | None = None) -> Entry:
        """One object by id, in capitals or not. With `pool`, a resource of that very pool. Raises
        `NotThere`."""
        key = _canonical(id_)
        entry = self._find(kind, key)
        if entry is None:
            try:
                self._mirror.look_up(kind, key)
            except DatabaseError as error:
                raise NotThere from error
            entry = self._find(kind, key)
        if entry is None or (pool is not None and entry.pool != _canonical(pool)):
            raise NotThere
        return entry

    def page(
        self, kind: Kind, wanted: PageRequest, *, where: Filter | None = None, pool: str | None = None
    ) -> Page:
        """The wanted page of a list, in the order of ids; with `pool`, of the resources in it. Raises
        `NotThere` if the caller's scope has no such pool."""
        pool = self.get(Kind.RESOURCE_POOL, pool).id if pool is not None else self._pinned_pool(kind, where)
        indexes = list(self._indexes(kind, pool))
        skip = (wanted.number - 1) * wanted.limit
        if where is not None:
            return self._filtered(kind, indexes, wanted, where, pool)
        if skip:  # one past the end is answered with the last
            total = sum(len(index) for _, _, index in indexes)
            total -= 0 if pool is not None else self._left_out(kind)
            skip = min(skip, max(0, (total - 1) // wanted.limit * wanted.limit))
        shown = self._sees if pool is not None else self._shows
        found = filter(shown, self._walk(kind, indexes, wanted.after, skip + wanted.limit + 1))
        entries = list(islice(found, skip, skip + wanted.limit + 1))
        return Page(entries[: wanted.limit], more=len(entries) > wanted.limit)

    def _filtered(
        self, kind: Kind, indexes: Iterable[Indexed], wanted: PageRequest, where: Filter, pool: str | None
    ) -> Page:
        """Round by round, as far as the page needs it. A round takes a piece of every index, and of these
        what is not beyond the shortest one's end: all that there is up to there."""

        def shown(entry: Entry) -> bool:
            if pool is not None:
                return entry.pool == pool and self._sees(entry)
            return self._shows(entry)

        places = list(_narrowed(kind, indexes, where, wanted.after))
        skip = (wanted.number - 1) * wanted.limit
        found: list[Entry] = []
        marker, count, more = wanted.after, wanted.limit // max(1, len(places)) + 1, True
        while more and (skip or len(found) <= wanted.limit):  # past the end is answered with the last page
            pieces = [(shelf.entries[kind], after(index, marker, count)) for shelf, index in places]
            ends = [ids[-1] for _, ids in pieces if len(ids) == count]
            more, marker, count = bool(ends), min(ends, default=marker), max(count, min(2 * count, WINDOW))
            round_: list[Entry] = []
            for entries, ids in pieces:
                round_ += _matching(entries, ids[: bisect_right(ids, marker)] if more else ids, where, shown)
            found += sorted(round_, key=_place) if len(places) > 1 else round_
        skip = min(skip, max(0, (len(found) - 1) // wanted.limit * wanted.limit))
        return Page(found[skip : skip + wanted.limit], more=len(found) > skip + wanted.limit)

    def count(self, pool: Entry) -> int:
        """How many resources of a pool are in scope."""
        return sum(len(index) for _, _, index in self._indexes(Kind.RESOURCE, pool.id))

    def stale(self) -> list[Staleness]:
        """The sources in scope of which what is shown may be old."""
        late = self._mirror.age if self._mirror.age > FRESH_SECONDS else 0.0
        return [
            Staleness(facts.name, facts.error_class if not up(facts) else "", _silent(facts, late))
            for facts in (shelf.facts for shelf in self._mirror.shelves if self._concerns(shelf))
            if late or not fresh(facts)
        ]

    def _concerns(self, shelf: Shelf) -> bool:
        scope = self._scope
        if scope.tenant is None or (scope.shared and shelf.facts.shared):
            return True
        return scope.own and (shelf.facts.tenant == scope.tenant or shelf.holds(scope.tenant))

    def _pinned_pool(self, kind: Kind, where: Filter | None) -> str | None:
        """The pool a filter asks for, where it asks for exactly one: its index is shorter than all
        resources."""
        if kind is not Kind.RESOURCE or where is None:
            return None
        pools = where.equals.get("pool_id", frozenset())
        return next(iter(pools)).lower() if len(pools) == 1 else None

    def _tenants(self, shelf: Owner, kind: Kind) -> Iterable[str]:
        """Whose objects of one source are in scope ('' for those of nobody)."""
        tenant = self._scope.tenant
        if tenant is None:
            return shelf.tenants(kind)
        own, shared = self._scope.own, self._scope.shared and shelf.facts.shared
        if kind in SHARED_WITH_SEERS:
            shared = shared or (own and shelf.holds(tenant))
        return [*([tenant] if own else []), *([""] if shared else [])]

    def _indexes(self, kind: Kind, pool: str | None) -> Iterator[Indexed]:
        for shelf in self._mirror.shelves:
            for tenant in self._tenants(shelf, Kind.RESOURCE if pool else kind):
                index = shelf.pool(pool, tenant) if pool else shelf.ids(kind, tenant)
                if index:
                    yield shelf, tenant, index

    def _walk(self, kind: Kind, indexes: list[Indexed], marker: str, count: int) -> Iterator[Entry]:
        """The entries after `marker` in the order of ids; about `count` are needed."""
        if len(indexes) == 1:
            shelf, _, index = indexes[0]
            entries = shelf.entries[kind]
            found: Iterator[Entry | None] = (entries.get(id_) for id_ in _run(index, marker, count))
        else:
            # The order of sources decides between two of the same id; `number` keeps shelves from being
            # compared.
            runs = [zip(_run(index, marker, count), repeat(n)) for n, (_, _, index) in enumerate(indexes)]
            shelves = [shelf.entries[kind] for shelf, _, _ in indexes]
            found = (shelves[number].get(id_) for id_, number in merge(*runs))
        return (entry for entry in found if entry is not None)

    def _find(self, kind: Kind, id_: str) -> Entry | None:
        for shelf in self._mirror.shelves:
            entry = shelf.entries[kind].get(id_)
            if entry is not None and entry.tenant in self._tenants(shelf, kind) and self._sees(entry):
                return entry
        return None

    def _sees(self, entry: Entry) -> bool:
        """The second wall: nothing of another tenant passes, however it was found."""
        if self._scope.tenant is None or entry.tenant in {self._scope.tenant, ""}:
            return True
        metrics.FOREIGN.inc()
        return False

    def _shows(self, entry: Entry) -> bool:
        """Whether a list over several sources shows it: not where an earlier source, in this scope, has the
        same thing."""
        return self._sees(entry) and not self._is_twin(entry)

    def _is_twin(self, entry: Entry) -> bool:
        order = entry.source.facts.order
        return any(
            twin.source.facts.order < order and twin.tenant in self._tenants(twin.source, Kind.RESOURCE)
            for twin in self._mirror.assets.twins(entry)
        )

    def _left_out(self, kind: Kind) -> int:
        """How many of the scope's objects lists do not show."""
        if kind is not Kind.RESOURCE:
            return 0
        twins = [entry for entries in list(self._mirror.assets.twice.values()) for entry in entries]
        mine = (entry for entry in twins if entry.tenant in self._tenants(entry.source, kind))
        return sum(map(self._is_twin, mine))


def _canonical(id_: str) -> str:
    if not _UUID.match(id_):
        raise NotThere
    return id_.lower()


def _run(index: Index, marker: str, count: int) -> Iterator[str]:
    """The ids after `marker`, looked up in pieces of `count`: the index may change meanwhile."""
    while ids := after(index, marker, count):
        yield from ids
        if len(ids) < count or ids[-1] <= marker:
            return
        marker = ids[-1]


def _narrowed(
    kind: Kind, indexes: Iterable[Indexed], where: Filter, marker: str
) -> Iterator[tuple[Shelf, Index]]:
    """Where to search: what the filter leaves of each index, unless the index (of a pool) is shorter."""
    for shelf, tenant, index in indexes:
        less = shelf.narrowed(kind, tenant, where.pinned, marker) if where.pinned is not None else [index]
        for one in less if sum(map(len, less)) < len(index) else [index]:
            yield shelf, one


def _matching(
    entries: dict[str, Entry], ids: Index, where: Filter, shown: Callable[[Entry], bool]
) -> list[Entry]:
    """Those that match and are shown, in the order of `ids`. The hot loop of every filter: kept flat."""
    matches = where.matches
    some = [entry for id_ in ids if (entry := entries.get(id_)) is not None]
    return [entry for entry in some if matches(entry.body) and shown(entry)]


def _place(entry: Entry) -> tuple[str, int]:
    """Where it is in a list of several sources."""
    return entry.id, entry.source.facts.order


def _silent(facts: Facts, late: float) -> float | None:
    return None if facts.silent is None else facts.silent + late
