"""The audit trail's one door: what somebody did, or tried to do, becomes an entry here and nowhere else.

    request ─► Deed (middleware) ─┬► its effect commits ─► tell(), in that transaction     (writes)
                                  ├► refused, failed ────► tell(), before the answer        (middleware)
                                  └► read ───────────────► waiting.add() ─► COPY in 1 s     (middleware)

Entries are plain text on one line each: whatever could begin another, or hide in one, is escaped here.
"""

import os
import pwd
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.http import HttpRequest
from django.utils import timezone

from api import requests
from tenancy.metrics import AUDITED
from tenancy.trail import AuditEntry, Result

log = structlog.get_logger()

APPENDING = 0x6E77_6175  # the advisory lock that tells the sealer who is still appending
SEVERAL = 20  # from here on, COPY
MOST_WAITING = 100_000  # while the database is away
MOST_SUMS = 10_000
_LENGTHS = {f.name: f.max_length for f in AuditEntry._meta.concrete_fields if f.max_length}
_LONGEST = 2000  # of a text without a limit of its own


class Entry(NamedTuple):
    """One entry that is not written yet: the columns of `AuditEntry`."""

    timestamp: datetime
    tenant: str
    user_id: str | None
    actor: str
    authentication: str
    address: str
    method: str
    path: str
    action: str
    kind: str
    object_id: str
    label: str
    result: str
    status: int | None
    request_id: str
    before: str | None
    after: str | None
    reason: str


_OURS = {Result.DENIED: "refused", Result.ERROR: "failed", Result.SUCCESS: "note"}
_TABLE = AuditEntry._meta.db_table
_INTO = f"{_TABLE} ({', '.join(Entry._fields)})"
_INSERT = f"INSERT INTO {_INTO} VALUES ({', '.join(['%s'] * len(Entry._fields))})"  # noqa: S608 - names of ours


@dataclass(slots=True, kw_only=True)
class Deed:
    """Who does something, and by which request: what is known before it is done. `told` says that its entry
    is written, or will be by who settles its Operation."""

    request_id: str = ""
    method: str = ""
    path: str = ""
    address: str = ""
    user_id: str | None = None
    actor: str = ""
    tenant: str = ""
    authentication: str = ""
    reason: str = ""
    told: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, request: HttpRequest) -> "Deed":
        """That of `request`; always the same one."""
        facts = requests.facts(request)
        found: Deed | None = facts.get("deed")
        if found is None:
            found = facts["deed"] = cls(
                request_id=facts["request_id"],
                method=str(request.method),
                path=request.path,
                address=facts.get("address") or request.META.get("REMOTE_ADDR", ""),
                reason=request.META.get("HTTP_X_AUDIT_REASON", ""),
            )
        return found

    def by(self, user_id: str, actor: str, tenant: str | None, authentication: str) -> None:
        """Who it is has been found out."""
        self.user_id, self.actor, self.tenant = user_id, actor, tenant or ""
        self.authentication = authentication

    @classmethod
    def of_command(cls, name: str) -> "Deed":
        """That of somebody at a shell of ours: whom the machine knows as `root`, say."""
        try:
            login = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            login = f"uid {os.getuid()}"
        return cls(method="COMMAND", path=name, actor=f"{login}, at a shell", authentication="shell")

    @classmethod
    def kept(cls, facts: Mapping[str, Any]) -> "Deed":
        """The one that `keep` kept."""
        return cls(**facts)

    def keep(self) -> dict[str, Any]:
        """As JSON, for who ends what this request began."""
        facts = asdict(self)
        del facts["told"]
        return facts

    def entry(
        self,
        action: str,
        kind: str,
        object_id: object = "",
        *,
        result: Result = Result.SUCCESS,
        status: int | None = None,
        label: str = "",
        tenant: str | None = None,
        before: Any = None,
        after: Any = None,
        reason: str = "",
    ) -> Entry:
        """What came of it. `before` and `after` are JSON without a secret; `tenant` is whose the object is,
        where that is known."""
        return Entry(
            timestamp=timezone.now(),
            tenant=self.tenant if tenant is None else tenant,
            user_id=self.user_id,
            actor=_plain("actor", self.actor),
            authentication=self.authentication,
            address=_plain("address", self.address),
            method=_plain("method", self.method),
            path=_plain("path", self.path),
            action=action,
            kind=kind,
            object_id=_plain("object_id", str(object_id)),
            label=_plain("label", label),
            result=result,
            status=status,
            request_id=self.request_id,
            before=_json(before),
            after=_json(after),
            reason=_plain("reason", self._said(result, reason)),
        )

    def _said(self, result: Result, ours: str) -> str:
        """The caller's reason, and after it what we have to say: each alone where there is no other."""
        if not self.reason or not ours:
            return self.reason or ours
        return f"{self.reason} — {_OURS[result]}: {ours}"

    def tell(self, *entries: Entry) -> None:
        """Appends what came of it, in the transaction of its effect: nothing is done without its entry."""
        append(entries)
        self.told = True


def append(entries: Iterable[Entry], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Appends entries: many in one COPY. The sealer waits until all who append have committed, so that no
    entry comes in below those it has sealed. Raises the database's errors."""
    entries = list(entries)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [APPENDING])
        if len(entries) < SEVERAL:
            cursor.executemany(_INSERT, entries)
        else:
            with cursor.copy(f"COPY {_INTO} FROM STDIN") as copy:
                for entry in entries:
                    copy.write_row(entry)
    for result, count in Counter(entry.result for entry in entries).items():
        AUDITED.labels(result).inc(count)


def _plain(name: str, text: str) -> str:
    """`text` as it may stand on one line: what is not printable (controls, bidirectional marks, ...) as
    Python would escape it, and no longer than the column."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text[: _LENGTHS.get(name, _LONGEST)]


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


@dataclass(frozen=True, slots=True)
class _Sum:
    """What equal deeds of one minute have in common; `told` of them have entries of their own."""

    minute: datetime
    actor: tuple[str | None, ...]
    action: str
    kind: str
    result: Result
    told: int

    def entry(self, count: int) -> Entry:
        """That of all of them but those that have their own."""
        user_id, actor, tenant, authentication, address = self.actor
        deed = Deed(
            user_id=user_id,
            actor=actor or "",
            tenant=tenant or "",
            authentication=authentication or "",
            address=address or "",
        )
        rest = count - self.told
        reason = f"{rest} {'more ' if self.told else ''}of this in one minute"
        entry = deed.entry(self.action, self.kind, result=self.result, after={"count": rest}, reason=reason)
        return entry._replace(timestamp=self.minute)


class Waiting:
    """Entries that may wait a second, and deeds of which only the first ones of a minute have an entry of
    their own. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._sums: Counter[_Sum] = Counter()
        self._lost = 0

    def add(self, entry: Entry) -> None:
        """Keeps `entry` for the next flush."""
        with self._lock:
            if len(self._entries) < MOST_WAITING:
                self._entries.append(entry)
            else:
                self._lost += 1

    def counted(self, deed: Deed, action: str, kind: str, result: Result, *, told: int) -> bool:
        """Counts one more of its like in this minute. Returns whether that is all: the first `told` are to
        have entries of their own."""
        address = deed.address if len(self._sums) < MOST_SUMS else "many"
        actor = (deed.user_id, deed.actor, deed.tenant, deed.authentication, address)
        key = _Sum(_this_minute(), actor, action, kind, result, told)
        with self._lock:
            self._sums[key] += 1
            return self._sums[key] > told

    def flush(self, *, all_of_it: bool = False) -> None:
        """Writes what waits, and the sums of minutes that are over (at the end of a process: all of them).
        Raises the database's errors; then everything still waits."""
        with self._lock:
            entries, self._entries = self._entries, []
            over = {key: n for key, n in self._sums.items() if all_of_it or key.minute < _this_minute()}
            for key in over:
                del self._sums[key]
            lost, self._lost = self._lost, 0
        if lost:
            log.error("audit_entries_lost", count=lost)
        sums = [key.entry(count) for key, count in over.items() if count > key.told]
        if not entries and not sums:
            return
        try:
            append([*entries, *sums])
        except Exception:  # whatever it was: nothing is forgotten for it
            with self._lock:
                self._entries[:0] = entries
                self._sums.update(over)
            raise


def _this_minute() -> datetime:
    return timezone.now().replace(second=0, microsecond=0)


waiting = Waiting()
