"""From changes to deliveries: the log of each source is followed, and what matches a subscription is put into
its lanes. One transaction has the deliveries and the new position, so that nothing is lost, and nothing
twice.

    Position (locked) ─► subscriptions' lock (shared) ─► matcher of the journal's version ─► changes after the
    position ─► matches ─► intake: deliveries, lanes due ─► position
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from django.db import transaction
from django.utils import timezone

from adapters.types import Kind
from o2ims.inventory import SHARED_WITH_SEERS
from o2ims.models import Item
from subscriptions import journal, metrics, store
from subscriptions.intake import Place, lane_of, overflow, put
from subscriptions.matcher import Happened, Seen
from subscriptions.registry import Registry
from subscriptions.statements import one_trip, rows

log = structlog.get_logger()

BATCH = 500
MOST_ROWS = 25_000

_NEWS = """
    SELECT s.id, s.name, s.shared, s.last_sequence, p.sequence
    FROM o2ims_source s LEFT JOIN subscriptions_position p ON p.source_id = s.id
    WHERE s.last_sequence > coalesce(p.sequence, 0) ORDER BY s.id
"""
_BEGIN = """
    INSERT INTO subscriptions_position (source_id, sequence) VALUES (%s, 0) ON CONFLICT DO NOTHING RETURNING 1
"""
_POSITION = """
    SELECT sequence FROM subscriptions_position WHERE source_id = %s FOR NO KEY UPDATE SKIP LOCKED
"""
_CHANGES = """
    SELECT c.id, c.sequence, c.at, c.announced, c.kind, c.object_id::text, c.tenant, c.type, c.before::text,
      c.after::text
    FROM o2ims_change c JOIN subscriptions_position p ON p.source_id = c.source_id
    WHERE c.source_id = %s AND c.sequence > p.sequence ORDER BY c.sequence LIMIT %s
"""
_REACHED = "UPDATE subscriptions_position SET sequence = %s WHERE source_id = %s"


class News(NamedTuple):
    """A source whose log is longer than what was followed of it (`position`, None: nothing yet)."""

    id: int
    name: str
    shared: bool
    newest: int
    position: int | None


class Change(NamedTuple):
    """One row of the log."""

    id: int
    sequence: int
    at: datetime
    announced: bool
    happened: Happened


def fan_out(registry: Registry) -> int:
    """One batch of every source that has news. Returns how many changes are left, as far as is known. Raises
    the database's errors."""
    return sum(_of_source(News(*row), registry) for row in rows(_NEWS, []))


def _of_source(source: News, registry: Registry) -> int:
    if source.position is None:
        rows(_BEGIN, [source.id])
    with transaction.atomic():
        with one_trip() as ask:
            position = ask(_POSITION, [source.id])
            journal.lock_shared(ask)
            version = ask(store.NEWEST, [])
            changed = ask(_CHANGES, [source.id, BATCH])
        changes = [_change(*row) for row in changed.fetchall()]
        reached = position.fetchone()
        if reached is None or not changes:
            return 0  # somebody else is at it, or was
        if (registry.version,) != version.fetchone():
            registry.follow()
        _notice_gap(source, reached[0], changes[0])
        shares, upto = _matches(source, changes, registry)
        with one_trip() as ask:
            suspended = put(ask, shares) if shares else None
            ask(_REACHED, [upto, source.id])
    for subscription, *_ in suspended.fetchall() if suspended else []:
        log.warning("endpoint_suspended", subscription=subscription, reason=overflow())
    metrics.FAN_OUT_LAG.labels(source.name).set(source.newest - upto)
    now = timezone.now()
    for change in changes[:: max(1, len(changes) // 20)]:
        metrics.FAN_OUT.observe((now - change.at).total_seconds())
    return max(0, source.newest - upto)


def _change(id_: int, sequence: int, at: datetime, announced: bool, *what: Any) -> Change:  # noqa: FBT001
    kind, object_id, tenant, type_, before, after = what
    return Change(
        id_, sequence, at, announced, Happened(kind, object_id, tenant, type_, _state(before), _state(after))
    )


def _state(text: str | None) -> dict[str, Any] | None:
    return None if text is None else orjson.loads(text)


def _notice_gap(source: News, position: int, first: Change) -> None:
    if first.sequence != position + 1:
        log.error("changes_lost", source=source.name, after=position, until=first.sequence)


def _matches(
    source: News, changes: Sequence[Change], registry: Registry
) -> tuple[dict[str, list[Place]], int]:
    """Who hears of which changes, and up to which sequence: a batch ends early where it would be too many."""
    matcher, count, upto, key = registry.matcher, 0, changes[0].sequence, str(source.id)
    seen = Seen(source_shared=source.shared, seers=_seers(source, changes))
    shares: dict[str, list[Place]] = {}
    for change in changes:
        upto = change.sequence
        if not change.announced:
            continue
        place = Place(change.id, lane_of(change.happened.object_id))
        for id_ in matcher.matches(change.happened, seen):
            if registry.subscriptions[id_].born.get(key, 0) < upto:
                shares.setdefault(id_, []).append(place)
                count += 1
        if count >= MOST_ROWS:
            break
    return shares, upto


def _seers(source: News, changes: Iterable[Change]) -> frozenset[str]:
    """The tenants that see the source's types and managers: they have something in it."""
    if not any(Kind(change.happened.kind) in SHARED_WITH_SEERS for change in changes):
        return frozenset()
    there = Item.objects.filter(source=source.id, deleted_at__isnull=True).order_by()
    return frozenset(there.values_list("tenant", flat=True).distinct())
