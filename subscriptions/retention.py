"""What is forgotten in time: deliveries a week after they have ended, those of subscriptions that have
ended at once, and their attempts with them. And what is still needed of the change log."""

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from subscriptions import metrics, store
from subscriptions.models import Delivery, Endpoint, Position

log = structlog.get_logger()

BATCH = 5000
# From one subscription to the next in the index: to look at every delivery, each minute, costs more.
_LEFT = """
    WITH RECURSIVE told (subscription) AS (
      (SELECT subscription FROM subscriptions_delivery ORDER BY subscription LIMIT 1)
      UNION ALL
      SELECT (
        SELECT subscription FROM subscriptions_delivery
        WHERE subscription > told.subscription ORDER BY subscription LIMIT 1
      )
      FROM told WHERE told.subscription IS NOT NULL
    )
    SELECT d.id FROM told JOIN subscriptions_delivery d ON d.subscription = told.subscription
    WHERE NOT EXISTS (SELECT 1 FROM subscriptions_endpoint e WHERE e.subscription = told.subscription)
    LIMIT %s
"""
_WAITING = """
    SELECT e.state, count(DISTINCT e.subscription), coalesce(sum(l.waiting), 0)
    FROM subscriptions_endpoint e LEFT JOIN subscriptions_lane l ON l.endpoint_id = e.subscription
    GROUP BY e.state
"""
_OLDEST = """
    SELECT e.state, extract(epoch FROM now() - min(d.created_at))
    FROM subscriptions_endpoint e
    JOIN subscriptions_lane l ON l.endpoint_id = e.subscription AND l.waiting > 0
    JOIN LATERAL (
      SELECT created_at FROM subscriptions_delivery
      WHERE subscription = e.subscription AND lane = l.number AND state = 'waiting' AND sequence >= l.head
      ORDER BY sequence LIMIT 1
    ) d ON true
    GROUP BY e.state
"""
_LAG = """
    SELECT s.name, s.last_sequence - coalesce(p.sequence, 0)
    FROM o2ims_source s LEFT JOIN subscriptions_position p ON p.source_id = s.id
    WHERE s.retired_at IS NULL
"""


def needed() -> Q:
    """Which Changes somebody still needs: those that deliveries refer to, and those that are not fanned
    out."""
    reached = Position.objects.filter(source=OuterRef("source")).filter(sequence__gte=OuterRef("sequence"))
    return Q(Exists(Delivery.objects.filter(change=OuterRef("pk")))) | ~Q(Exists(reached))


def tidy() -> int:
    """Deletes what is old enough, in small transactions; counts what waits; brings Redis up. Returns how many
    deliveries went."""
    measure()
    try:
        store.catch_up()
    except store.Away as error:
        log.warning("subscriptions_unstored", error=str(error))
    deleted = 0
    over = Delivery.objects.filter(ended_at__lt=Now() - settings.DELIVERY_RETENTION).values_list(
        "pk", flat=True
    )
    while ids := list(over[:BATCH]) or _left():
        deleted += Delivery.objects.filter(pk__in=ids).delete()[0]
    if deleted:
        log.info("deliveries_forgotten", rows=deleted)
    return deleted


def _left() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [BATCH])
        return [id_ for (id_,) in cursor.fetchall()]


def measure() -> None:
    """Sets the gauges of what waits, and of what is not fanned out: also where that fails."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        for source, changes in cursor.fetchall():
            metrics.FAN_OUT_LAG.labels(source).set(changes)
        cursor.execute(_WAITING)
        counts = {state: (endpoints, waiting) for state, endpoints, waiting in cursor.fetchall()}
        cursor.execute(_OLDEST)
        oldest = dict(cursor.fetchall())
    for state in Endpoint.State.values:
        endpoints, waiting = counts.get(state, (0, 0))
        metrics.ENDPOINTS.labels(state).set(endpoints)
        metrics.WAITING.labels(state).set(int(waiting))
        metrics.OLDEST.labels(state).set(float(oldest.get(state, 0)))
