"""What arrived where all is well, which is nearly all there is: told to the database in one statement."""

from collections.abc import Sequence

from django.conf import settings

from subscriptions.claim import Ended
from subscriptions.models import LANES
from subscriptions.schedule import Outcome
from subscriptions.statements import array, rows

# Of an endpoint without failures nothing is to be learned from a success: it is not locked. Lanes are, in
# the order of ids.
_ARRIVED = """
    WITH mine AS (
      SELECT told.* FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[], %s::bigint[], %s::int[], %s::bigint[],
        %s::int[], %s::int[]) AS told (lane, token, delivery, sequence, number, attempt, status, milliseconds)
      JOIN subscriptions_lane l ON l.id = told.lane AND l.token = told.token
      JOIN subscriptions_endpoint e ON e.subscription = l.endpoint_id
        AND e.state = 'healthy' AND e.failures = 0
      ORDER BY l.id FOR NO KEY UPDATE OF l
    ), attempts AS (
      UPDATE subscriptions_attempt a SET ended_at = now(), outcome = 'delivered', status = mine.status,
        milliseconds = mine.milliseconds
      FROM mine WHERE a.id = mine.attempt
    ), deliveries AS (
      UPDATE subscriptions_delivery d SET state = 'delivered', attempts = mine.number,
        tried_at = coalesce(d.tried_at, now()), outcome = 'delivered', status = mine.status, ended_at = now()
      FROM mine WHERE d.id = mine.delivery
    )
    UPDATE subscriptions_lane l SET waiting = greatest(0, l.waiting - 1), head = mine.sequence + 1,
      due_at = CASE WHEN l.waiting > 1 THEN now() + make_interval(secs => %s) END,
      owner = '', token = NULL, claimed_until = NULL,
      last_at = now(), last_outcome = 'delivered', last_status = mine.status
    FROM mine WHERE l.id = mine.lane
    RETURNING l.id
"""


def pause() -> float:
    """Seconds between two deliveries of a lane, each of which has its share of what an endpoint takes."""
    return LANES / settings.DELIVERY_RATE if settings.DELIVERY_RATE else 0.0


def arrived(ended: Sequence[Ended]) -> set[int]:
    """Writes, in the caller's transaction, what came of those of `ended` that were delivered to an endpoint
    that does well, by a claim that still holds; their lanes."""
    told = [
        (
            one.claim.lane,
            one.claim.token,
            one.claim.delivery,
            one.claim.sequence,
            one.claim.number,
            one.claim.attempt,
            one.status,
            one.milliseconds,
        )
        for one in ended
        if one.outcome is Outcome.DELIVERED
    ]
    if not told:
        return set()
    columns = [array(column) for column in zip(*told, strict=True)]
    return {lane for (lane,) in rows(_ARRIVED, [*columns, pause()])}
