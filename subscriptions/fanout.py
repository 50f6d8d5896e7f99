"""From changes to deliveries: the log of each source is followed, and what matches a subscription is put into
its lanes. One transaction has the deliveries and the new position, so that nothing is lost, and nothing
twice.

    Position (locked) ─► subscriptions' lock (shared) ─► matcher of the journal's version ─► changes after the
    position ─► matches ─► o2-sequence of each endpoint ─► Delivery rows, Lanes due ─► position
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
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
from subscriptions import bulk, journal, metrics, store
from subscriptions.matcher import Happened, Seen
from subscriptions.models import LANES, Endpoint, Lane, Position
from subscriptions.registry import Registry

log = structlog.get_logger()

BATCH = 500
MOST_ROWS = 25_000
BACKLOG = "backlog"


def fan_out(registry: Registry) -> int:
    """One batch of every source that has news. Returns how many changes were followed: call again until there
    are none. Raises the database's errors."""
    position = Coalesce(F("position__sequence"), 0)
    news = Source.objects.alias(reached=position).filter(last_sequence__gt=F("reached")).order_by("pk")
    return sum(_of_source(source, registry) for source in news)


def _of_source(source: Source, registry: Registry) -> int:
    Position.objects.get_or_create(source=source)
    with transaction.atomic():
        rows = Position.objects.select_for_update(skip_locked=True).filter(source=source)
        position = rows.first()
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
        rows.update(sequence=upto)
    metrics.FAN_OUT_LAG.labels(source.name).set(source.last_sequence - upto)
    now = timezone.now()
    for change in changes[:: max(1, len(changes) // 20)]:
        metrics.FAN_OUT.observe((now - change.at).total_seconds())
    return upto - position.sequence


def _changes(source: Source, position: int) -> Sequence[Change]:
    rows = Change.objects.filter(source=source, sequence__gt=position).order_by("sequence")
    changes = list(rows.defer("request_id", "traceparent")[:BATCH])
    if changes and changes[0].sequence != position + 1:
        log.error("changes_lost", source=source.name, after=position, until=changes[0].sequence)
    return changes


def _matches(
    source: Source, changes: Sequence[Change], registry: Registry
) -> tuple[dict[str, list[Change]], int]:
    """Who hears of which changes, and up to which sequence: a batch ends early where it would be too many."""
    matcher, rows, upto = registry.matcher, 0, changes[0].sequence
    seen = Seen(source_shared=source.shared, seers=_seers(source, changes))
    shares: dict[str, list[Change]] = {}
    for change in changes:
        upto = change.sequence
        if not change.announced:
            continue
        for id_ in matcher.matches(_happened(change), seen):
            if registry.subscriptions[id_].born.get(str(source.pk), 0) < change.sequence:
                shares.setdefault(id_, []).append(change)
                rows += 1
        if rows >= MOST_ROWS:
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
    rows = Item.objects.filter(source=source, deleted_at__isnull=True).order_by()
    return frozenset(rows.values_list("tenant", flat=True).distinct())


def _deliver(shares: dict[str, list[Change]]) -> None:
    """Puts what each endpoint gets into its lanes, in the order of the log."""
    if not shares:
        return
    endpoints = Endpoint.objects.select_for_update().filter(pk__in=list(shares)).order_by("pk")
    states = {str(endpoint.pk): endpoint for endpoint in endpoints}
    lanes = _lanes(shares)
    rows: list[tuple[Any, ...]] = []
    for id_, endpoint in states.items():
        rows += _queued(endpoint, shares[id_], lanes[id_])
    _append(rows)
    of_endpoints = {"sequence": "bigint", "state": "text", "state_since": "timestamptz", "reason": "text"}
    bulk.update(
        "subscriptions_endpoint",
        ("subscription", "uuid"),
        of_endpoints,
        [(one.pk, *(getattr(one, name) for name in of_endpoints)) for one in states.values()],
    )
    of_lanes = {"waiting": "int", "head": "bigint", "due_at": "timestamptz"}
    bulk.update(
        "subscriptions_lane",
        ("id", "bigint"),
        of_lanes,
        [(lane.pk, *(getattr(lane, name) for name in of_lanes)) for of in lanes.values() for lane in of],
    )


def _lanes(ids: Iterable[str]) -> dict[str, list[Lane]]:
    found: dict[str, list[Lane]] = {}
    rows = Lane.objects.select_for_update(no_key=True).filter(endpoint__in=list(ids)).order_by("pk")
    for lane in rows:
        found.setdefault(str(lane.endpoint_id), []).append(lane)
    return {id_: sorted(of, key=lambda lane: lane.number) for id_, of in found.items()}


def _queued(
    endpoint: Endpoint, changes: Sequence[Change], lanes: Sequence[Lane]
) -> Iterator[tuple[Any, ...]]:
    """The rows of deliveries to one endpoint; its lanes and its own row are changed with them."""
    now, waiting = timezone.now(), sum(lane.waiting for lane in lanes)
    for change in changes:
        endpoint.sequence += 1
        number = lane_of(str(change.object_id))
        if waiting >= settings.DELIVERY_BACKLOG:
            _suspend(endpoint, lanes)
            yield endpoint.pk, number, endpoint.sequence, change.pk, "dead", BACKLOG, now
            continue
        lane = lanes[number]
        if not lane.waiting:
            lane.head = endpoint.sequence
            # In trouble, only one delivery is tried: this one, where there was none.
            if endpoint.state == Endpoint.State.HEALTHY or (
                endpoint.state == Endpoint.State.PROBING and not waiting
            ):
                lane.due_at = now
        lane.waiting += 1
        waiting += 1
        yield endpoint.pk, number, endpoint.sequence, change.pk, "waiting", "", None


def lane_of(object_id: str) -> int:
    """Which lane an object's changes are in: always the same one, so that they stay in order."""
    return zlib.crc32(object_id.encode()) % LANES


def _suspend(endpoint: Endpoint, lanes: Iterable[Lane]) -> None:
    if endpoint.state == Endpoint.State.SUSPENDED:
        return
    endpoint.state, endpoint.state_since = Endpoint.State.SUSPENDED, timezone.now()
    endpoint.reason = f"more than {settings.DELIVERY_BACKLOG} deliveries wait"
    for lane in lanes:
        lane.due_at = None
    log.warning("endpoint_suspended", subscription=str(endpoint.pk), reason=endpoint.reason)


def _append(rows: Iterable[tuple[Any, ...]]) -> None:
    columns = "subscription, lane, sequence, change_id, state, outcome, ended_at"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY subscriptions_delivery ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
