"""The read model of one process: every present source's objects in memory, kept up by following the change
log.

Reads never wait for a backend or the database. `follow` runs once a second and at every wake-up; a source
whose log has a gap (pruned behind us) or whose generation rose is loaded again as a whole.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import structlog
from django.db import connection
from django.db.models import F, TextField
from django.db.models.functions import Cast, Extract, Now

from adapters.types import Kind
from o2ims import metrics
from o2ims.assets import Assets
from o2ims.entry import Entry, Facts
from o2ims.models import Change, Item, Source
from o2ims.shelf import Shelf

log = structlog.get_logger()

BATCH = 2000
AWAY_SECONDS = 4.0
FRESH_SECONDS = 20.0  # of this mirror itself
_ITEMS = """
    SELECT s.last_sequence, i.kind, i.tenant, i.body::text
    FROM o2ims_source s LEFT JOIN o2ims_item i ON i.source_id = s.id AND i.deleted_at IS NULL
    WHERE s.id = %s
"""


class Mirror:
    """The sources in the order of the configuration. One thread follows; any number read `shelves`."""

    def __init__(self) -> None:
        #: The sources that are read, and all that are followed: those of a group wait for their turn.
        self.shelves: tuple[Shelf, ...] = ()
        self.followed: tuple[Shelf, ...] = ()
        self.assets = Assets()
        self.ready = False
        self._caught_up = time.monotonic()
        self._following = threading.Lock()

    @property
    def age(self) -> float:
        """Seconds since this mirror last was as new as the log."""
        return time.monotonic() - self._caught_up

    def follow(self) -> None:
        """Brings the mirror up to the log's end. Raises the database's errors, and is then as it was, or
        newer.

        One thread at a time: the follower's, or a request's that missed something.
        """
        with self._following:
            self._follow()

    def _follow(self) -> None:
        started = time.monotonic()
        shelves = {shelf.source_id: shelf for shelf in self.followed}
        present: list[Shelf] = []
        for row in self._rows():
            facts = self._facts(row)
            shelf = shelves.get(row["id"])
            if shelf is None or shelf.facts.generation != facts.generation:
                shelf = self._load(row["id"], facts)
            else:
                shelf.facts = facts
                if shelf.position < row["last_sequence"] and not self._apply(shelf, row["last_sequence"]):
                    shelf = self._load(row["id"], facts)
            present.append(shelf)
            self._measure(shelf)
        for name in {shelf.facts.name for shelf in self.followed} - {shelf.facts.name for shelf in present}:
            metrics.forget(name)
        self.followed = tuple(present)
        self._show(tuple(shelf for shelf in present if shelf.facts.active))
        self._caught_up = started
        # Before any worker has ever said which sources there are, an empty list would be no answer.
        self.ready = self.ready or bool(present) or Source.objects.exists()

    def _show(self, shelves: tuple[Shelf, ...]) -> None:
        """Makes these the ones that are read."""
        if shelves != self.shelves:
            _tell_duplicates(shelves)
            clouds = Counter(shelf.facts.o_cloud for shelf in shelves)
            merged = [shelf for shelf in shelves if clouds[shelf.facts.o_cloud] > 1]
            for shelf in self.shelves:
                shelf.assets = None
            self.assets = Assets(entry for shelf in merged for entry in shelf.entries[Kind.RESOURCE].values())
            for shelf in merged:
                shelf.assets = self.assets
            self.shelves = shelves
        metrics.TWINS.set(len(self.assets.twice))

    def look_up(self, kind: Kind, id_: str) -> None:
        """One indexed look at the table for an object that is not here: another process may know it already.

        Not while the database is away: nobody should wait for that to be found out once more.
        """
        if self.age > AWAY_SECONDS:
            return
        mine = {shelf.source_id: shelf for shelf in self.followed}
        rows = Item.objects.filter(kind=kind, object_id=uuid.UUID(id_), deleted_at__isnull=True)
        known = any(id_ in shelf.entries[kind] for shelf in mine.values())
        if rows.filter(source_id__in=list(mine)).exists() and not known:
            self.follow()

    @staticmethod
    def _rows() -> Any:
        silent = Extract(Now() - F("contact_at"), "epoch")
        return (
            Source.objects.present()
            .annotate(silent=silent)
            .values(
                "id",
                "key",
                "name",
                "group",
                "active",
                "o_cloud",
                "order",
                "shared",
                "tenant",
                "state",
                "error_class",
                "generation",
                "last_sequence",
                "silent",
                "fresh_seconds",
            )
        )

    @staticmethod
    def _facts(row: dict[str, Any]) -> Facts:
        return Facts(**{name: row[name] for name in Facts.__slots__})

    def _load(self, source_id: int, facts: Facts) -> Shelf:
        """A whole source in one statement, and so in one snapshot."""
        shelf = Shelf(source_id, facts)
        entries: list[Entry] = []
        with connection.chunked_cursor() as cursor:
            cursor.execute(_ITEMS, [source_id])
            while rows := cursor.fetchmany(BATCH):
                for sequence, kind, tenant, body in rows:
                    shelf.position = sequence
                    if kind is not None:
                        values = orjson.loads(body)
                        values["o_cloud_id"] = facts.o_cloud
                        entries.append(Entry(Kind(kind), tenant, values, shelf))
        shelf.fill(entries)
        log.info("source_loaded", source=facts.name, objects=len(entries), position=shelf.position)
        return shelf

    @staticmethod
    def _apply(shelf: Shelf, last: int) -> bool:
        """Follows the log up to `last` at least. False if an entry on the way is gone already."""
        while True:
            changes = list(
                Change.objects.filter(source_id=shelf.source_id, sequence__gt=shelf.position)
                .order_by("sequence")
                .values_list("sequence", "kind", "object_id", "tenant", Cast("after", TextField()))[:BATCH]
            )
            for sequence, kind, object_id, tenant, body in changes:
                if sequence != shelf.position + 1:
                    return False
                if body is None:  # a DELETE
                    shelf.drop(Kind(kind), str(object_id))
                else:
                    shelf.put(Kind(kind), tenant, orjson.loads(body))  # as in `_load`
                shelf.position = sequence
            if len(changes) < BATCH:
                return shelf.position >= last

    @staticmethod
    def _measure(shelf: Shelf) -> None:
        name = shelf.facts.name
        metrics.SOURCE_UP.labels(name).set(1 if fresh(shelf.facts) else 0)
        metrics.failing(name, "" if up(shelf.facts) else shelf.facts.error_class)
        if shelf.facts.silent is not None:
            metrics.SOURCE_LAG.labels(name).set(shelf.facts.silent)
        for kind, entries in shelf.entries.items():
            metrics.ITEMS.labels(name, kind).set(len(entries))


def fresh(facts: Facts) -> bool:
    """Whether what we have of a source is what it has now."""
    return up(facts) and facts.silent is not None and facts.silent < facts.fresh_seconds


def up(facts: Facts) -> bool:
    """Whether a source was well when its collector last said anything."""
    return facts.state == Source.State.UP


def _tell_duplicates(shelves: Sequence[Shelf]) -> None:
    """An id in two sources is one thing served twice: somebody has configured a backend under two keys."""
    seen: set[str] = set()
    twice: set[str] = set()
    for shelf in shelves:
        mine = {id_ for entries in shelf.entries.values() for id_ in entries}
        if seen & mine:
            log.warning("duplicate_ids", source=shelf.facts.name, count=len(seen & mine))
        twice |= seen & mine
        seen |= mine
    metrics.DUPLICATES.set(len(twice))


mirror = Mirror()
