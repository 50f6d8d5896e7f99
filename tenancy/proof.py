"""Whether the audit trail is whole: every seal against its signature and the seal before, every entry
against its seal.

What an edit, a deletion, an insertion or a reordering touched is named: the seal, the entry's id. What is
not sealed yet, and what was pruned, is counted.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from tenancy.sealing import Keys
from tenancy.trail import FIELDS, AuditEntry, AuditSeal, digest, moment, unpacked

PRUNE = "prune"
VERIFY = "verify"
SHOWN = 1000
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as it was sealed; `entry` is an id."""

    seal: int
    entry: int | None
    what: str

    def __str__(self) -> str:
        where = f"seal {self.seal}" if self.entry is None else f"entry {self.entry} (seal {self.seal})"
        return f"{where}: {self.what}"


@dataclass(slots=True)
class Proof:
    """What was found. `head` (number and hash of the newest seal) is for an auditor to note down: a trail
    that later lacks it was cut off."""

    seals: int = 0
    entries: int = 0
    pruned: int = 0
    unsealed: int = 0
    unsealed_since: datetime | None = None
    head: str = ""
    count: int = 0
    faults: list[Fault] = field(default_factory=list)
    heads: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def whole(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.count

    def finds(self, seal: int, entry: int | None, what: str) -> None:
        """Notes a fault; of very many, the first ones."""
        self.count += 1
        if len(self.faults) < SHOWN:
            self.faults.append(Fault(seal, entry, what))


def prove(*, noted: str = "") -> Proof:
    """Goes through all of the trail, as it is at one moment. `noted` is a head that somebody noted down
    earlier (`number:hash`): it must be part of the chain."""
    found = Proof()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = iter(AuditEntry.objects.order_by("id").values_list(*FIELDS).iterator(chunk_size=5000))
        _check(found, _Entries(rows), _pruned_before())
    number, _, hashed = noted.partition(":")
    if noted and (not number.isdecimal() or found.heads.get(int(number)) != hashed):
        found.finds(
            int(number) if number.isdecimal() else 0, None, "the seal that was noted down is not there"
        )
    return found


def said(found: Proof) -> list[str]:
    """What was found, for people: a line each."""
    tail = f", since {moment(found.unsealed_since)}" if found.unsealed_since else ""
    return [
        f"seals: {found.seals}",
        f"entries as they were sealed: {found.entries}",
        f"entries pruned: {found.pruned}",
        f"entries not sealed yet: {found.unsealed}{tail}",
        f"head, to be noted down: {found.head or 'none'}",
    ]


class _Entries:
    """The entries in the order of their ids, a seal's share at a time."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def through(self, id_: int) -> dict[int, Row]:
        """Those that come next, up to and with `id_`."""
        found: dict[int, Row] = {}
        while self._next is not None and self._next[0] <= id_:
            found[self._next[0]] = self._next
            self._next = next(self._rows, None)
        return found

    def rest(self) -> Iterator[Row]:
        """What is left."""
        while self._next is not None:
            yield self._next
            self._next = next(self._rows, None)


def _pruned_before() -> datetime | None:
    """Up to when the trail says it was pruned."""
    prunes = AuditEntry.objects.filter(kind="Audit", action=PRUNE, result="success").values_list(
        "after", flat=True
    )
    return max(
        (datetime.fromisoformat(orjson.loads(after)["before"]) for after in prunes if after), default=None
    )


def _check(found: Proof, entries: _Entries, pruned_before: datetime | None) -> None:
    keys, last = Keys.of_settings(), None
    for seal in AuditSeal.objects.order_by("number").iterator(chunk_size=100):
        found.seals += 1
        _check_seal(found, seal, last, keys)
        _check_entries(found, seal, entries.through(seal.to_id), pruned_before)
        last = seal
        found.head = found.heads[seal.number] = seal.hash().hex()
    for row in entries.rest():
        found.unsealed += 1
        found.unsealed_since = found.unsealed_since or row[1]
    found.head = f"{last.number}:{found.head}" if last else ""


def _check_seal(found: Proof, seal: AuditSeal, last: AuditSeal | None, keys: Keys) -> None:
    number, before = seal.number, last.number if last else 0
    if number != before + 1:
        found.finds(number, None, f"the seals {before + 1} to {number - 1} before it are missing")
    elif bytes(seal.previous) != (last.hash() if last else bytes(32)):
        found.finds(number, None, "does not follow from the seal before it")
    if seal.from_id != (last.to_id if last else 0) and number == before + 1:
        found.finds(number, None, "does not begin where the seal before it ends")
    if not keys.signed(seal):
        found.finds(number, None, "none of our keys has signed what it says")


def _check_entries(
    found: Proof, seal: AuditSeal, rows: dict[int, Row], pruned_before: datetime | None
) -> None:
    number = seal.number
    if seal.entries is None:
        found.pruned += seal.count
        if pruned_before is None or seal.last_at >= pruned_before:
            found.finds(number, None, "its list of entries was removed, and no pruning says so")
        for id_ in rows:
            found.finds(number, id_, "is there though its seal was pruned")
        return
    if hashlib.sha256(bytes(seal.entries)).digest() != bytes(seal.digest):
        found.finds(number, None, "its list of entries was changed")
        return
    for id_, at, hashed in unpacked(bytes(seal.entries)):
        row = rows.pop(id_, None)
        if row is not None:
            found.entries += 1
            if digest(row) != hashed:
                found.finds(number, id_, "was changed after it was sealed")
        elif pruned_before is not None and at < pruned_before:
            found.pruned += 1
        else:
            found.finds(number, id_, "was removed after it was sealed")
    for id_ in rows:
        found.finds(number, id_, "was put in after its place was sealed")
