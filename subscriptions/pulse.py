"""How sending goes, of all subscriptions together: attempts by the minute, the shares that arrived, what has
waited longest, which endpoints are in trouble, and of which subscriptions something was given up."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from subscriptions.figures import MANY, Rate
from subscriptions.models import Endpoint, Lane

MINUTES = 60
COUNTED = 10  # subscriptions whose dead letters are
KEPT_SECONDS = 10.0  # how old what costs a look at much may be
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
# Two steps by `delivery_dead_of_one` for each subscription, and a count for the first of them.
_DEAD = """
    SELECT r.subscription::text, r.ended_at, n.dead
    FROM (
      SELECT e.subscription, d.ended_at, row_number() OVER (ORDER BY d.ended_at DESC) AS place
      FROM subscriptions_endpoint e JOIN LATERAL (
        SELECT ended_at FROM subscriptions_delivery
        WHERE subscription = e.subscription AND state = 'dead' AND ended_at > %s
        ORDER BY ended_at DESC LIMIT 1
      ) d ON true
    ) r CROSS JOIN LATERAL (
      SELECT count(*) AS dead FROM (
        SELECT FROM subscriptions_delivery
        WHERE subscription = r.subscription AND state = 'dead' AND r.place <= %s LIMIT %s
      ) d
    ) n
    ORDER BY r.place
"""


T = TypeVar("T")


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


class Dead(NamedTuple):
    """A subscription of which something became a dead letter lately: when the last did, and how many are
    kept (of the first `COUNTED` only; `MANY` + 1: more than `MANY`)."""

    subscription: str
    last_at: datetime
    kept: int


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


class Kept(Generic[T]):
    """What `ask` says, as it was up to `KEPT_SECONDS` ago. Safe to use from any thread."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._lock, self._ask = threading.Lock(), ask
        self._at, self._found = 0.0, list[T]()

    def now(self) -> T:
        """That."""
        with self._lock:
            if not self._found or time.monotonic() - self._at > KEPT_SECONDS:
                self._found = [self._ask()]
                self._at = time.monotonic()
            return self._found[0]

    def forget(self) -> None:
        """The next one who wants to know asks again."""
        with self._lock:
            self._found = []


def _of_a_day() -> Rate:
    with connection.cursor() as cursor:
        cursor.execute(_OF_A_DAY, [timezone.now() - timedelta(hours=24)])
        return Rate(*cursor.fetchone())


def _dead() -> list[Dead]:
    with connection.cursor() as cursor:
        cursor.execute(_DEAD, [timezone.now() - timedelta(hours=24), COUNTED, MANY + 1])
        return [Dead(*row) for row in cursor.fetchall()]


day: Kept[Rate] = Kept(_of_a_day)
"""The share that arrived in 24 hours: it costs a look at every attempt of a day."""

dead: Kept[list[Dead]] = Kept(_dead)
"""The subscriptions of which something became a dead letter in 24 hours, the last of them first."""
