"""How subscriptions do, in numbers: what waits and since when, when something was last tried and how that
ended, and how much of what was tried has arrived. What is read is bounded, however much there is."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from subscriptions.models import Endpoint

MANY = 1000  # dead letters of one: more are not counted
SAMPLE = 100  # of a subscription's newest notifications: whose attempts are looked at
# OFFSET 0: attempts are looked up, delivery by delivery; the planner would walk through all there are.
_OF = """
    SELECT e.subscription::text, e.state, e.state_since, e.reason, w.waiting, w.oldest,
      t.last_at, coalesce(t.last_outcome, ''), t.last_status, g.dead, r.tried, r.arrived
    FROM subscriptions_endpoint e
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(l.waiting), 0)::bigint AS waiting, min(d.created_at) AS oldest, max(l.head) AS head
      FROM subscriptions_lane l LEFT JOIN LATERAL (
        SELECT created_at FROM subscriptions_delivery
        WHERE subscription = e.subscription AND lane = l.number AND state = 'waiting' AND sequence >= l.head
        ORDER BY sequence LIMIT 1
      ) d ON l.waiting > 0
      WHERE l.endpoint_id = e.subscription
    ) w
    LEFT JOIN LATERAL (
      SELECT last_at, last_outcome, last_status FROM subscriptions_lane
      WHERE endpoint_id = e.subscription AND last_at IS NOT NULL ORDER BY last_at DESC LIMIT 1
    ) t ON true
    CROSS JOIN LATERAL (
      SELECT count(*) AS dead FROM (
        SELECT FROM subscriptions_delivery WHERE subscription = e.subscription AND state = 'dead' LIMIT %s
      ) d
    ) g
    CROSS JOIN LATERAL (
      SELECT count(*) AS tried, count(*) FILTER (WHERE a.outcome = 'delivered') AS arrived
      FROM (
        SELECT id FROM subscriptions_delivery
        WHERE subscription = e.subscription
          AND sequence <= CASE WHEN w.waiting > 0 THEN w.head ELSE e.sequence END
        ORDER BY sequence DESC LIMIT %s
      ) d CROSS JOIN LATERAL (
        SELECT outcome FROM subscriptions_attempt
        WHERE delivery_id = d.id AND ended_at > now() - interval '24 hours' OFFSET 0
      ) a
    ) r
    WHERE e.subscription = ANY(%s::uuid[])
"""


class Rate(NamedTuple):
    """How many attempts have ended, and how many of them were answered 2xx."""

    tried: int
    arrived: int

    @property
    def failed(self) -> "Rate":
        """The same of those that failed."""
        return Rate(self.tried, self.tried - self.arrived)

    @property
    def percent(self) -> str:
        """In words; '-' where nothing was tried."""
        if not self.tried:
            return "-"
        share = 100 * self.arrived / self.tried
        return f"{share:.0f} %" if share in {0, 100} else f"{min(max(share, 0.1), 99.9):.1f} %"


NOTHING = Rate(0, 0)


@dataclass(frozen=True, slots=True)
class Figures:
    """How one subscription does. `oldest` is since when the first that waits does; `last_at` when something
    was last tried, with its `last_outcome` and `last_status`; `dead` how many dead letters there
    are, `MANY` + 1 where there are more than `MANY`; `rate` of attempts at the `SAMPLE` newest
    notifications, in 24 hours."""

    state: str = Endpoint.State.HEALTHY
    since: datetime | None = None
    reason: str = ""
    waiting: int = 0
    oldest: datetime | None = None
    last_at: datetime | None = None
    last_outcome: str = ""
    last_status: int | None = None
    dead: int = 0
    rate: Rate = NOTHING


def figures(ids: Collection[str]) -> dict[str, Figures]:
    """Those of these subscriptions, by their ids; of one that has just ended there are none."""
    if not ids:
        return {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")  # it would take ten times as long to compile as to run
        cursor.execute(_OF, [MANY + 1, SAMPLE, list(ids)])
        rows = cursor.fetchall()
    return {id_: replace(Figures(*facts[:-2]), rate=Rate(*facts[-2:])) for id_, *facts in rows}
