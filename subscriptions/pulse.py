"""How sending goes, of all subscriptions together: attempts by the minute, the shares that arrived, what has
waited longest, and which endpoints are in trouble."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from subscriptions.figures import Rate
from subscriptions.models import Endpoint, Lane

MINUTES = 60
KEPT_SECONDS = 10.0  # how old what costs a look at a day's attempts may be
_BY_MINUTE = """
    SELECT floor(extract(epoch FROM started_at - %(since)s) / 60)::int,
      count(*) FILTER (WHERE outcome = 'delivered'), count(*) FILTER (WHERE outcome <> 'delivered')
    FROM subscriptions_attempt
    WHERE started_at >= %(since)s AND started_at < %(until)s AND ended_at IS NOT NULL GROUP BY 1
"""
_OF_A_DAY = """
    SELECT count(*), count(*) FILTER (WHERE outcome = 'delivered') FROM subscriptions_attempt
    WHERE started_at >= %s AND ended_at IS NOT NULL
"""
_OLDEST = """
    SELECT d.id, d.created_at FROM subscriptions_lane l JOIN LATERAL (
      SELECT id, created_at FROM subscriptions_delivery
      WHERE subscription = l.endpoint_id AND lane = l.number AND state = 'waiting' AND sequence >= l.head
      ORDER BY sequence LIMIT 1
    ) d ON true WHERE l.waiting > 0 ORDER BY d.created_at LIMIT 1
"""


class Minute(NamedTuple):
    """The attempts that began in one minute, and have ended."""

    at: datetime
    arrived: int
    failed: int


@dataclass(frozen=True, slots=True)
class Oldest:
    """The delivery that has waited longest."""

    delivery: int
    since: datetime


def minutes() -> list[Minute]:
    """The last 60 minutes, the oldest first; the last of them is not over."""
    until = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    since = until - timedelta(minutes=MINUTES)
    with connection.cursor() as cursor:
        cursor.execute(_BY_MINUTE, {"since": since, "until": until})
        found = {number: (arrived, failed) for number, arrived, failed in cursor.fetchall()}
    return [
        Minute(since + timedelta(minutes=number), *found.get(number, (0, 0))) for number in range(MINUTES)
    ]


def rate_of(rows: list[Minute]) -> Rate:
    """The share that arrived, of these minutes."""
    arrived = sum(one.arrived for one in rows)
    return Rate(arrived + sum(one.failed for one in rows), arrived)


def oldest() -> Oldest | None:
    """What has waited longest; None: nothing waits."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        row = cursor.fetchone()
    return Oldest(*row) if row else None


def waiting() -> int:
    """How many deliveries wait."""
    return Lane.objects.filter(waiting__gt=0).aggregate(all=Sum("waiting"))["all"] or 0


def states() -> Counter[str]:
    """How many endpoints are in which state."""
    counts: Any = Endpoint.objects.order_by().values_list("state").annotate(Count("pk"))
    return Counter(dict(counts))


class Day:
    """The share that arrived in 24 hours, as it was up to `KEPT_SECONDS` ago: it costs a look at every
    attempt of a day. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._rate = 0.0, Rate(0, 0)

    def rate(self) -> Rate:
        """That share."""
        with self._lock:
            if not self._at or time.monotonic() - self._at > KEPT_SECONDS:
                with connection.cursor() as cursor:
                    cursor.execute(_OF_A_DAY, [timezone.now() - timedelta(hours=24)])
                    self._rate = Rate(*cursor.fetchone())
                self._at = time.monotonic()
            return self._rate


day = Day()
