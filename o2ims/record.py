"""How something seen becomes a fact: the only writer of Item and Change.

    seen ──► compare with its Item, under the Source row's lock and epoch ──► the same: nothing
                                                                         └──► else: Item + one Change + the
                                                                         source's position

One transaction a call, of at most `BATCH` objects. A repeat, whoever sends it, is nothing; an older state
never replaces a newer one; a deleted object is not revived by what was seen before its end. Lock order
everywhere: Source, then quotas, then subscriptions.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from adapters.types import Gone, Kind, object_id
from o2ims import held
from o2ims.models import Change, Item, Source
from o2ims.sighting import Origin, Sighting
from tenancy.quotas import NOTHING, Usage

BATCH = 500
KIND_ORDER = {kind: number for number, kind in enumerate(Kind)}
_UPDATED = (
    "native_id",
    "native_version",
    "parent",
    "tenant",
    "body",
    "hash",
    "mapping_version",
    "takes",
    "sequence",
    "seen_at",
    "deleted_at",
)


class Fenced(Exception):
    """Another collector owns the source now: what we saw is not ours to record."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is recorded: the request, or the watch, that led to it, and its W3C trace."""

    request_id: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class Known:
    """What an Item says, without its body."""

    row: int
    version: str
    tenant: str
    hash: bytes
    mapping_version: int
    takes: list[float]
    sequence: int
    deleted: bool


Key = tuple[str, uuid.UUID]


class Record:
    """One source's facts, written by whoever holds `epoch`; without one, by somebody who writes down what a
    backend answered to their own write."""

    def __init__(self, source_id: int, epoch: int | None, origin: Origin) -> None:
        self._source_id = source_id
        self._epoch = epoch
        self.origin = origin

    def sightings(
        self, seen: Sequence[Sighting], cause: Cause, *, since: int | None = None, begins: bool = True
    ) -> list[Change]:
        """Records objects as they are now. Returns the Changes; raises `Fenced`.

        `since` is the source's sequence when a list began: where versions do not tell, what changed after
        it is left alone. Without `begins`, so is what has ended.
        """
        changes: list[Change] = []
        for part in parts(seen):
            with transaction.atomic():
                source = self._locked()
                known = self._known(sighting.object_id for sighting in part)
                news = [s for s in part if self._news(s, known.get(s.key), since)]
                if not begins:
                    news = [s for s in news if (was := known.get(s.key)) is None or not was.deleted]
                if since is None:
                    news = [s for s in news if not self._listed_since(s.version, source)]
                    self._confirm(part, known)
                changes += self._write(source, news, known, cause)
        return changes

    def gone(
        self, keys: Iterable[tuple[Key, str]], cause: Cause, *, since: int | None = None
    ) -> list[Change]:
        """Records that objects (key, version as of when) are no more, children first; with `since`, not those
        that changed after that sequence, where no version tells. Of one that nobody has shown yet, the end is
        remembered: its beginning may be on its way. Returns the Changes; raises `Fenced`.
        """
        ordered = sorted(keys, key=lambda pair: -KIND_ORDER[Kind(pair[0][0])])
        changes: list[Change] = []
        for part in parts(ordered):
            with transaction.atomic():
                source, ends = self._locked(), dict(part)
                if since is None:
                    ends = {key: v for key, v in ends.items() if not self._listed_since(v, source)}
                changes += self._bury(source, ends, cause, since)
        return changes

    def missing(self, seen: set[Key], since: int, *, as_of: str = "") -> tuple[list[tuple[Key, str]], int]:
        """Which living Items a complete list lacks, for `gone`; and how many live. Left out are those that
        changed after sequence `since`, unless the list is newer: `as_of` is its version, '' where that does
        not tell."""
        living = Item.objects.filter(source_id=self._source_id, deleted_at__isnull=True)
        rows = list(living.values_list("kind", "object_id", "sequence", "native_version"))
        lacking = [row for row in rows if row[:2] not in seen]
        ends = [((kind, id_), "") for kind, id_, sequence, _ in lacking if sequence <= since]
        if as_of and self.origin.ordered:
            ends += [
                ((kind, id_), as_of)
                for kind, id_, sequence, version in lacking
                if sequence > since and version and int(version) <= int(as_of)
            ]
        return ends, len(rows)

    def key_of(self, gone: Gone) -> Key:
        """The key of what a backend said is gone."""
        return gone.kind, uuid.UUID(object_id(self.origin.key, gone.native_id))

    def keys_of(self, *native_ids: str) -> set[Key]:
        """The keys that objects of these native ids have, whatever their kind."""
        ids = [uuid.UUID(object_id(self.origin.key, native_id)) for native_id in native_ids]
        return {(kind, id_) for kind in Kind for id_ in ids}

    def sequence(self) -> int:
        """The newest Change's sequence."""
        return Source.objects.values_list("last_sequence", flat=True).get(pk=self._source_id)

    def version(self, kind: str, id_: uuid.UUID | None) -> str:
        """The version as of which an object, or its end, is known; '' where there is none to compare with."""
        if id_ is None or not self.origin.ordered:
            return ""
        rows = Item.objects.filter(source_id=self._source_id, kind=kind, object_id=id_)
        return rows.values_list("native_version", flat=True).first() or ""

    def checkpoint(self) -> str:
        """What the last batch left as advice for the next watch."""
        return Source.objects.values_list("checkpoint", flat=True).get(pk=self._source_id)

    def settle(self, **facts: Any) -> None:
        """Writes what is known about the source itself (state, checkpoint, times). Raises `Fenced`."""
        mine = Source.objects.filter(pk=self._source_id, retired_at__isnull=True)
        if self._epoch is None or not mine.filter(epoch=self._epoch).update(**facts):
            raise Fenced

    def _locked(self) -> Source:
        source = Source.objects.select_for_update(no_key=True).get(pk=self._source_id)
        if source.retired_at is not None or self._epoch not in {None, source.epoch}:
            raise Fenced
        return source

    def _known(self, ids: Iterable[uuid.UUID]) -> dict[Key, Known]:
        rows = Item.objects.filter(source_id=self._source_id, object_id__in=list(ids)).values_list(
            "kind",
            "object_id",
            "row",
            "native_version",
            "tenant",
            "hash",
            "mapping_version",
            "takes",
            "sequence",
            "deleted_at",
        )
        return {
            (kind, id_): Known(
                row, version, tenant, bytes(hash_), mapping, takes, sequence, deleted is not None
            )
            for kind, id_, row, version, tenant, hash_, mapping, takes, sequence, deleted in rows
        }

    def _bodies(self, rows: Iterable[int]) -> dict[int, Any]:
        return dict(Item.objects.filter(row__in=list(rows)).values_list("row", "body"))

    def _news(self, sighting: Sighting, was: Known | None, since: int | None) -> bool:
        """Whether this says anything that is not known better already."""
        if was is None:
            return True
        # A complete list is the truth about everything but what changed after it began, whatever the versions
        # say: a backend that was restored from a backup counts from lower down.
        changed_since = since is None or was.sequence > since
        if changed_since and (
            self._older(sighting.version, was) or (since is not None and not self.origin.ordered)
        ):
            return False
        return was.deleted or was.hash != sighting.hash or self._outdated(was)

    def _older(self, version: str, known: Known) -> bool:
        if not self.origin.ordered or not version or not known.version:
            return False
        # A deletion is the newest thing there is as of its version; a living object may be seen twice as of
        # one.
        return int(version) <= int(known.version) if known.deleted else int(version) < int(known.version)

    def _listed_since(self, version: str, source: Source) -> bool:
        """Whether an own write is told so late that a complete list, made after it, knows better: that there
        is no such object, that there is one again, or that it is as it was once more."""
        own = self._epoch is None and self.origin.ordered
        return bool(own and version and source.listed_version and int(version) <= int(source.listed_version))

    def _confirm(self, part: Sequence[Sighting], known: dict[Key, Known]) -> None:
        """What is seen just as it is known is so as of a newer version: made again, an object must not be
        ended by the end it had before, nor one that was changed back be changed by what is told late. (Not
        worth a row for each object of a list: that has a version itself.)"""
        for sighting in part if self.origin.ordered else ():
            was = known.get(sighting.key)
            if was is None or was.deleted or was.hash != sighting.hash or was.version == sighting.version:
                continue
            if not self._older(sighting.version, was):
                Item.objects.filter(row=was.row).update(native_version=sighting.version)

    def _age(self, sighting: Sighting) -> int:
        return int(sighting.version) if self.origin.ordered and sighting.version else 0

    def _write(
        self, source: Source, part: Sequence[Sighting], known: dict[Key, Known], cause: Cause
    ) -> list[Change]:
        fresh = {sighting.key: sighting for sighting in sorted(part, key=self._age)}  # of two, the newer
        before = self._bodies(known[key].row for key in fresh if key in known and not known[key].deleted)
        changes: list[Change] = []
        silent, usage = False, Usage()
        items: list[Item] = []
        for key, sighting in fresh.items():
            was = known.get(key)
            usage.add(sighting.tenant, sighting.takes)
            if was is not None and not was.deleted:
                usage.subtract(was.tenant, was.takes)
            if was is not None and not was.deleted and self._says_nothing_new(sighting, was, before):
                silent = True
            else:
                changes += self._changes(source, sighting, was, before.get(was.row) if was else None, cause)
            items.append(self._item(sighting, sequence=source.last_sequence))
        Item.objects.bulk_create(
            items,
            update_conflicts=True,
            unique_fields=["source", "kind", "object_id"],
            update_fields=_UPDATED,
        )
        new = [sighting for key, sighting in fresh.items() if (was := known.get(key)) is None or was.deleted]
        tenants = {s.tenant for s in fresh.values()} | {known[key].tenant for key in fresh if key in known}
        held.arrived(source.pk, new, beside=tenants)
        self._append(source, changes, usage, silent=silent)
        return changes

    def _says_nothing_new(self, sighting: Sighting, was: Known, before: dict[int, Any]) -> bool:
        """Whether only our own idea of an object has changed: how it is mapped, or what it takes."""
        same = was.tenant == sighting.tenant and before.get(was.row) == sighting.body
        return self._outdated(was) or same

    def _outdated(self, known: Known) -> bool:
        return known.mapping_version != self.origin.mapping_version

    def _changes(
        self, source: Source, sighting: Sighting, was: Known | None, before: Any, cause: Cause
    ) -> list[Change]:
        """One Change; two where the object moved to another tenant: it ends in the old scope and begins in
        the new."""
        if was is None or was.deleted:
            return [
                self._change(
                    source, sighting.key, sighting.tenant, Change.Type.CREATE, None, sighting.body, cause
                )
            ]
        if was.tenant != sighting.tenant:
            return [
                self._change(source, sighting.key, was.tenant, Change.Type.DELETE, before, None, cause),
                self._change(
                    source, sighting.key, sighting.tenant, Change.Type.CREATE, None, sighting.body, cause
                ),
            ]
        return [
            self._change(
                source, sighting.key, sighting.tenant, Change.Type.MODIFY, before, sighting.body, cause
            )
        ]

    def _bury(self, source: Source, part: dict[Key, str], cause: Cause, since: int | None) -> list[Change]:
        known = self._known(object_id for _, object_id in part)
        dying = {
            key: known[key]
            for key, version in part.items()
            if key in known
            and not known[key].deleted
            and not self._older(version, known[key])
            and (since is None or version or known[key].sequence <= since)
        }
        before = self._bodies(was.row for was in dying.values())
        changes, tombs, now, usage = [], [], timezone.now(), Usage()
        for key, was in dying.items():
            usage.subtract(was.tenant, was.takes)
            changes.append(
                self._change(source, key, was.tenant, Change.Type.DELETE, before[was.row], None, cause)
            )
            tombs.append(
                Item(row=was.row, deleted_at=now, sequence=source.last_sequence, native_version=part[key])
            )
        Item.objects.bulk_update(tombs, ["deleted_at", "sequence", "native_version"])
        self._remember({key: end for key, end in part.items() if key not in dying}, known, source)
        self._append(source, changes, usage, silent=False)
        return changes

    def _remember(self, ends: dict[Key, str], known: dict[Key, Known], source: Source) -> None:
        """The newest end of what was never shown, or has ended before: it may have begun once more in
        between, and who made it may tell so only now. A tombstone keeps it, where a version will tell what
        was before."""
        tombs = [
            Item(
                source_id=self._source_id,
                kind=key[0],
                object_id=key[1],
                native_version=version,
                body={},
                hash=b"",
                mapping_version=self.origin.mapping_version,
                sequence=source.last_sequence,
                deleted_at=timezone.now(),
            )
            for key, version in ends.items()
            if version and self.origin.ordered
            if (was := known.get(key)) is None or (was.deleted and not self._older(version, was))
        ]
        Item.objects.bulk_create(
            tombs,
            update_conflicts=True,
            unique_fields=["source", "kind", "object_id"],
            update_fields=["native_version", "deleted_at"],
        )

    def _change(  # noqa: PLR0917 - one row's worth
        self, source: Source, key: Key, tenant: str, type_: Change.Type, before: Any, after: Any, cause: Cause
    ) -> Change:
        source.last_sequence += 1
        return Change(
            source_id=self._source_id,
            sequence=source.last_sequence,
            kind=key[0],
            object_id=key[1],
            tenant=tenant,
            type=type_,
            before=before,
            after=after,
            request_id=cause.request_id,
            traceparent=cause.traceparent,
            announced=source.active,
        )

    def _item(self, sighting: Sighting, sequence: int) -> Item:
        return Item(
            source_id=self._source_id,
            kind=sighting.kind,
            object_id=sighting.object_id,
            native_id=sighting.native_id,
            native_version=sighting.version,
            parent=sighting.parent,
            tenant=sighting.tenant,
            body=sighting.body,
            hash=sighting.hash,
            mapping_version=self.origin.mapping_version,
            takes=[] if sighting.takes == NOTHING else list(sighting.takes),
            sequence=sequence,
        )

    def _append(self, source: Source, changes: list[Change], usage: Usage, *, silent: bool) -> None:
        Change.objects.bulk_create(changes)
        usage.record()
        facts: dict[str, Any] = {"last_sequence": source.last_sequence} if changes else {}
        if silent:
            facts["generation"] = F("generation") + 1  # Items changed without a Change: mirrors load again
        if facts:
            Source.objects.filter(pk=source.pk).update(**facts)


def parts(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """`things` in pieces of one transaction each."""
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]
