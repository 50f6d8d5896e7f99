"""What comes into the lanes: a Delivery for each match, in the order of the log. One statement has all of
it, where the database makes the rows.

    Share (subscription, its changes) ─► o2-sequence of its Endpoint ─► Delivery rows ─► Lanes due

What is over an endpoint's backlog is a dead letter at once, and the endpoint is suspended.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psycopg
from django.conf import settings

from subscriptions.models import LANES
from subscriptions.statements import Ask, array

BACKLOG = "backlog"

# Endpoints before lanes, each in the order of ids. Apart from _PUT, which then sees what was put there by
# whom this one waited for.
_LOCK = """
    SELECT subscription FROM subscriptions_endpoint
    WHERE subscription = ANY(%s::uuid[]) ORDER BY subscription FOR NO KEY UPDATE
"""
# Lanes last (`parts` waits for `put`), and only those that get something: meanwhile nobody sends from them.
# In trouble, only one delivery is tried: the first, where there was none.
_PUT = """
    WITH told AS MATERIALIZED (
      SELECT e.subscription, e.state, each.change, each.lane, e.sequence + each.n AS sequence,
        queue.waiting + each.n > %s AS over,
        e.state = 'healthy' OR (e.state = 'probing' AND queue.waiting + each.n = 1) AS starts
      FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS share (subscription, changes, lanes)
      JOIN subscriptions_endpoint e ON e.subscription = share.subscription
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(waiting), 0) AS waiting FROM subscriptions_lane WHERE endpoint_id = e.subscription
      ) AS queue
      CROSS JOIN LATERAL unnest(share.changes::bigint[], share.lanes::int[])
        WITH ORDINALITY AS each (change, lane, n)
    ), put AS (
      INSERT INTO subscriptions_delivery (subscription, lane, sequence, change_id, state, outcome, ended_at)
      SELECT subscription, lane, sequence, change, CASE WHEN over THEN 'dead' ELSE 'waiting' END,
        CASE WHEN over THEN %s ELSE '' END, CASE WHEN over THEN now() END
      FROM told RETURNING 1
    ), ends AS (
      SELECT subscription, max(sequence) AS sequence, bool_or(over) AND min(state) <> 'suspended' AS overflows
      FROM told GROUP BY subscription
    ), numbered AS (
      UPDATE subscriptions_endpoint e SET sequence = ends.sequence,
        state = CASE WHEN overflows THEN 'suspended' ELSE e.state END,
        state_since = CASE WHEN overflows THEN now() ELSE e.state_since END,
        reason = CASE WHEN overflows THEN %s ELSE e.reason END
      FROM ends WHERE e.subscription = ends.subscription
    ), parts AS (
      SELECT subscription, lane, count(*) FILTER (WHERE NOT over) AS added,
        min(sequence) FILTER (WHERE NOT over) AS first, bool_or(starts AND NOT over) AS starts,
        bool_or(stops) AS stops
      FROM (
        SELECT subscription, lane, sequence, over, starts, false AS stops FROM told
        UNION ALL
        SELECT subscription, number, 0, true, false, true FROM ends, unnest(%s::int[]) AS number
        WHERE overflows
      ) AS one
      WHERE (SELECT count(*) FROM put) > 0 GROUP BY subscription, lane
    ), held AS (
      SELECT l.id, parts.added, parts.first, parts.starts, parts.stops FROM parts
      JOIN subscriptions_lane l ON l.endpoint_id = parts.subscription AND l.number = parts.lane
      WHERE parts.added > 0 OR parts.stops ORDER BY l.id FOR NO KEY UPDATE OF l
    ), filled AS (
      UPDATE subscriptions_lane l SET waiting = l.waiting + held.added,
        head = CASE WHEN l.waiting = 0 AND held.added > 0 THEN held.first ELSE l.head END,
        due_at = CASE WHEN held.stops THEN NULL WHEN l.waiting = 0 AND held.starts THEN now()
          ELSE l.due_at END
      FROM held WHERE l.id = held.id
    )
    SELECT subscription::text FROM ends WHERE overflows
"""


class Place(NamedTuple):
    """Where a change goes: its id in the log, and the lane of its object."""

    change: int
    lane: int


def lane_of(object_id: str) -> int:
    """Which lane an object's changes are in: always the same one, so that they stay in order."""
    return zlib.crc32(object_id.encode()) % LANES


def put(ask: Ask, shares: Mapping[str, Sequence[Place]]) -> psycopg.Cursor:
    """Puts what each subscription gets into its lanes, in the caller's transaction; those that have ended
    get nothing. What it gives are the subscriptions that this suspends."""
    ask(_LOCK, [array(shares)])
    changes, lanes = [], []
    for share in shares.values():
        changes.append(f'"{array(place.change for place in share)}"')
        lanes.append(f'"{array(place.lane for place in share)}"')
    return ask(
        _PUT,
        [
            settings.DELIVERY_BACKLOG,
            array(shares),
            array(changes),
            array(lanes),
            BACKLOG,
            overflow(),
            array(range(LANES)),
        ],
    )


def overflow() -> str:
    """Why an endpoint is suspended whose backlog is full."""
    return f"more than {settings.DELIVERY_BACKLOG} deliveries wait"
