"""From changes to deliveries: the log of each source is followed, and what matches a subscription is put into
its lanes. One transaction has the deliveries and the new position, so that nothing is lost, and nothing
twice.

    Position (locked) ─► subscriptions' lock (shared) ─► matcher of the journal's version ─► changes after the
    position ─► matches ─► o2-sequence of each endpoint ─► Delivery rows, Lanes due ─► position
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from adapters.types import Kind
from o2ims.inventory import SHARED_WITH_SEERS
from o2ims.models import Change, Item, Source
from subscriptions import journal, metrics, store
from subscriptions.matcher import Happened, Seen
from subscriptions.models import LANES, Endpoint, Position
from subscriptions.registry import Registry
from subscriptions.statements import rows

log = structlog.get_logger()

BATCH = 500
MOST_ROWS = 25_000
BACKLOG = "backlog"


# Endpoints before lanes, each in the order of ids; lanes last, and only those that get something: meanwhile
# nobody sends from them. What waits is read by a statement of its own, which sees what was put there while
# the one before it waited for the endpoints.
_ENDPOINTS = """
    SELECT subscription::text, state, sequence FROM subscriptions_endpoint
    WHERE subscription = ANY(%s::uuid[]) ORDER BY subscription FOR NO KEY UPDATE
"""
_WAITING = """
    SELECT endpoint_id::text, sum(waiting) FROM subscriptions_lane WHERE endpoint_id = ANY(%s::uuid[])
    GROUP BY endpoint_id
"""
_SEQUENCES = """
    UPDATE subscriptions_endpoint e SET sequence = new.sequence
    FROM unnest(%s::uuid[], %s::bigint[]) AS new (subscription, sequence)
    WHERE e.subscription = new.subscription RETURNING 1
"""
_SUSPENDED = """
    UPDATE subscriptions_endpoint SET state = 'suspended', state_since = now(), reason = %s
    WHERE subscription = ANY(%s::uuid[]) RETURNING 1
"""
_LANES = """
    WITH held AS (
      SELECT l.id, more.* FROM subscriptions_lane l
      JOIN unnest(%s::uuid[], %s::int[], %s::int[], %s::bigint[], %s::bool[], %s::bool[])
        AS more (subscription, lane, added, first, starts, stops)
        ON l.endpoint_id = more.subscription AND l.number = more.lane
      ORDER BY l.id FOR NO KEY UPDATE OF l
    )
    UPDATE subscriptions_lane l SET waiting = l.waiting + held.added,
      head = CASE WHEN l.waiting = 0 AND held.added > 0 THEN held.first ELSE l.head END,
      due_at = CASE WHEN held.stops THEN NULL WHEN l.waiting = 0 AND held.starts THEN now() ELSE l.due_at END
    FROM held WHERE l.id = held.id RETURNING 1
"""


@dataclass(slots=True)
class Queue:
    """What one endpoint gets: its state and its newest `sequence`, and how many wait in all its lanes
    (locked: none can be added meanwhile)."""

    subscription: str
    state: str
    sequence: int
    waiting: int
    overflown: bool = False
    _added: Counter[int] = field(default_factory=Counter)
    _first: dict[int, int] = field(default_factory=dict)
    _starts: set[int] = field(default_factory=set)

    def take(self, changes: Sequence[Change]) -> Iterator[tuple[Any, ...]]:
        """The rows of its deliveries."""
        for change in changes:
            self.sequence += 1
            lane = lane_of(str(change.object_id))
            if self.waiting >= settings.DELIVERY_BACKLOG:
                now = timezone.now()
                self.overflown = self.overflown or self.state != Endpoint.State.SUSPENDED
                yield self.subscription, lane, self.sequence, change.pk, "dead", BACKLOG, now
                continue
            # In trouble, only one delivery is tried: this one, where there was none.
            if self.state == Endpoint.State.HEALTHY or (
                self.state == Endpoint.State.PROBING and not self.waiting
            ):
                self._starts.add(lane)
            self._first.setdefault(lane, self.sequence)
            self._added[lane] += 1
            self.waiting += 1
            yield self.subscription, lane, self.sequence, change.pk, "waiting", "", None

    def parts(self) -> Iterator[tuple[str, int, int, int, bool, bool]]:
        """What its lanes get: of how many the first is which, and whether that is to be tried."""
        for lane in range(LANES) if self.overflown else self._added:
            first = self._first.get(lane, 0)
            yield self.subscription, lane, self._added[lane], first, lane in self._starts, self.overflown


def fan_out(registry: Registry) -> int:
    """One batch of every source that has news. Returns how many changes were followed: call again until there
    are none. Raises the database's errors."""
    position = Coalesce(F("position__sequence"), 0)
    news = Source.objects.alias(reached=position).filter(last_sequence__gt=F("reached")).order_by("pk")
    return sum(_of_source(source, registry) for source in news)


def _of_source(source: Source, registry: Registry) -> int:
    Position.objects.get_or_create(source=source)
    with transaction.atomic():
        own = Position.objects.select_for_update(skip_locked=True).filter(source=source)
        position = own.first()
        if position is None:
            return 0  # somebody else is at it
        journal.lock_shared()
        if registry.version != store.newest():
            registry.follow()
        changes = _changes(source, position.sequence)
        if not changes:
            return 0
        matches, upto = _matches(source, changes, registry)
        _deliver(matches)
        own.update(sequence=upto)
    metrics.FAN_OUT_LAG.labels(source.name).set(source.last_sequence - upto)
    now = timezone.now()
    for change in changes[:: max(1, len(changes) // 20)]:
        metrics.FAN_OUT.observe((now - change.at).total_seconds())
    return upto - position.sequence


def _changes(source: Source, position: int) -> Sequence[Change]:
    log_ = Change.objects.filter(source=source, sequence__gt=position).order_by("sequence")
    changes = list(log_.defer("request_id", "traceparent")[:BATCH])
    if changes and changes[0].sequence != position + 1:
        log.error("changes_lost", source=source.name, after=position, until=changes[0].sequence)
    return changes


def _matches(
    source: Source, changes: Sequence[Change], registry: Registry
) -> tuple[dict[str, list[Change]], int]:
    """Who hears of which changes, and up to which sequence: a batch ends early where it would be too many."""
    matcher, count, upto = registry.matcher, 0, changes[0].sequence
    seen = Seen(source_shared=source.shared, seers=_seers(source, changes))
    shares: dict[str, list[Change]] = {}
    for change in changes:
        upto = change.sequence
        if not change.announced:
            continue
        for id_ in matcher.matches(_happened(change), seen):
            if registry.subscriptions[id_].born.get(str(source.pk), 0) < change.sequence:
                shares.setdefault(id_, []).append(change)
                count += 1
        if count >= MOST_ROWS:
            break
    return shares, upto


def _happened(change: Change) -> Happened:
    return Happened(
        kind=change.kind,
        object_id=str(change.object_id),
        tenant=change.tenant,
        type=change.type,
        before=change.before,
        after=change.after,
    )


def _seers(source: Source, changes: Iterable[Change]) -> frozenset[str]:
    """The tenants that see the source's types and managers: they have something in it."""
    if not any(Kind(change.kind) in SHARED_WITH_SEERS for change in changes):
        return frozenset()
    there = Item.objects.filter(source=source, deleted_at__isnull=True).order_by()
    return frozenset(there.values_list("tenant", flat=True).distinct())


def _deliver(shares: dict[str, list[Change]]) -> None:
    """Puts what each endpoint gets into its lanes, in the order of the log."""
    endpoints = rows(_ENDPOINTS, [list(shares)]) if shares else []
    if not endpoints:
        return
    waiting = dict(rows(_WAITING, [list(shares)]))
    queues = [Queue(id_, state, sequence, waiting[id_]) for id_, state, sequence in endpoints]
    _append(row for queue in queues for row in queue.take(shares[queue.subscription]))
    rows(_SEQUENCES, _columns([(one.subscription, one.sequence) for one in queues]))
    suspended = [one for one in queues if one.overflown]
    for one in suspended:
        log.warning("endpoint_suspended", subscription=one.subscription, reason=_overflow())
    if suspended:
        rows(_SUSPENDED, [_overflow(), [one.subscription for one in suspended]])
    if parts := [part for queue in queues for part in queue.parts()]:
        rows(_LANES, _columns(parts))


def _columns(found: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*found, strict=True)]


def _overflow() -> str:
    return f"more than {settings.DELIVERY_BACKLOG} deliveries wait"


def lane_of(object_id: str) -> int:
    """Which lane an object's changes are in: always the same one, so that they stay in order."""
    return zlib.crc32(object_id.encode()) % LANES


def _append(deliveries: Iterable[tuple[Any, ...]]) -> None:
    columns = "subscription, lane, sequence, change_id, state, outcome, ended_at"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY subscriptions_delivery ({columns}) FROM STDIN") as copy,
    ):
        for row in deliveries:
            copy.write_row(row)
