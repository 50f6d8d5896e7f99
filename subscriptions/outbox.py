"""What is to be sent next, and what became of what was sent.

    claim    lanes that are due ─► taken ─► their first delivery ─► an Attempt for each
    complete what arrived where all is well: one statement; what else ended: endpoints, lanes, deliveries

A lane is somebody's until its send has ended, or until `CLAIM_SECONDS` after its owner was last heard of:
then it is tried again, by whoever comes. Times are Postgres's. Locks: endpoints, then lanes, each in the
order of ids.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction

from subscriptions import metrics
from subscriptions.arrival import arrived
from subscriptions.claim import Claim, Ended
from subscriptions.completion import Completion
from subscriptions.models import Attempt, Lane
from subscriptions.statements import array, one_trip, rows

log = structlog.get_logger()

CLAIM_SECONDS = 8
UNKNOWN = "unknown"  # how an attempt ended whose process died
_CANDIDATES = 4  # due lanes looked at for each that is wanted: to be fair

_NEXT = """
    SELECT l.id, l.endpoint_id::text, l.tenant, l.claimed_until IS NOT NULL
    FROM subscriptions_lane l
    JOIN subscriptions_endpoint e ON e.subscription = l.endpoint_id
    LEFT JOIN tenancy_tenant t ON t.id = l.tenant
    WHERE l.due_at <= now() AND (l.claimed_until IS NULL OR l.claimed_until < now())
      AND e.state <> 'suspended' AND (l.tenant = '' OR t.status = 'active')
      AND NOT l.endpoint_id = ANY(%s::uuid[]) AND NOT l.tenant = ANY(%s::text[])
    ORDER BY l.due_at LIMIT %s
"""
_TAKE = """
    WITH free AS (
      SELECT l.id, wanted.token
      FROM unnest(%s::bigint[], %s::uuid[]) AS wanted (lane, token)
      JOIN subscriptions_lane l ON l.id = wanted.lane
      WHERE l.due_at <= now() AND (l.claimed_until IS NULL OR l.claimed_until < now())
      ORDER BY l.id FOR NO KEY UPDATE OF l SKIP LOCKED
    )
    UPDATE subscriptions_lane l SET owner = %s, token = free.token,
      claimed_until = now() + make_interval(secs => %s)
    FROM free WHERE l.id = free.id
"""
# Apart from _TAKE: a statement sees the deliveries as they were when it began, so that what was put into a
# lane before it locked the lane would look as if it was not there.
_BEGIN = """
    WITH heads AS (
      SELECT l.id AS lane, l.token, l.endpoint_id, l.tenant, d.*
      FROM unnest(%s::bigint[], %s::uuid[]) AS mine (lane, token)
      JOIN subscriptions_lane l ON l.id = mine.lane AND l.token = mine.token
      LEFT JOIN LATERAL (
        SELECT id, sequence, attempts + 1 + (l.id = ANY(%s::bigint[]))::int AS number, refusals, change_id,
          tried_at
        FROM subscriptions_delivery
        WHERE subscription = l.endpoint_id AND lane = l.number AND state = 'waiting' AND sequence >= l.head
        ORDER BY sequence LIMIT 1
      ) d ON true
    ), tries AS (
      INSERT INTO subscriptions_attempt (delivery_id, number, worker, started_at)
      SELECT id, number, %s, clock_timestamp() FROM heads WHERE id IS NOT NULL
      RETURNING delivery_id, id
    )
    SELECT heads.lane, token, endpoint_id::text, tenant, heads.id, sequence, heads.number, refusals,
      change_id, tried_at, tries.id
    FROM heads LEFT JOIN tries ON tries.delivery_id = heads.id
"""
_CUT_OFF = """
    WITH lost AS (
      UPDATE subscriptions_attempt SET outcome = %s, ended_at = now()
      WHERE delivery_id = ANY(%s) AND NOT id = ANY(%s) AND ended_at IS NULL RETURNING delivery_id
    )
    UPDATE subscriptions_delivery SET attempts = attempts + 1 WHERE id IN (SELECT delivery_id FROM lost)
"""
_HOLD = """
    WITH held AS (
      SELECT id FROM subscriptions_lane WHERE token = ANY(%s) AND claimed_until IS NOT NULL
      ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE subscriptions_lane SET {change} WHERE id IN (SELECT id FROM held)
"""
_SOONEST = """
    SELECT extract(epoch FROM min(due_at) - now()) FROM subscriptions_lane
    WHERE due_at > now() AND claimed_until IS NULL
"""


class Room(NamedTuple):
    """How many more may be claimed, and for whom: `endpoints` says how many are under way at each (and how
    many each may have), `tenants` how many at each, and `slow` how many of those at slow endpoints."""

    free: int
    endpoints: Counter[str]
    allowed: "Allowance"
    tenants: Counter[str]
    slow: Counter[str]
    per_tenant: int

    @property
    def slow_per_tenant(self) -> int:
        """What a tenant's slow endpoints may take of its share."""
        return max(1, self.per_tenant // 4)


class Due(NamedTuple):
    """A lane that is due; `stale` where its owner was not heard of any more."""

    lane: int
    subscription: str
    tenant: str
    stale: bool


class Allowance:
    """How many of an endpoint's lanes may be under way: one, until it has answered in good time; then all.
    Those that did not do so when last tried are slow."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._quick: set[str] = set()
        self._slow: set[str] = set()

    def of(self, subscription: str) -> int:
        """For this endpoint."""
        return self.most if subscription in self._quick else 1

    def is_slow(self, subscription: str) -> bool:
        """Whether it made us wait."""
        return subscription in self._slow

    def learn(self, subscription: str, *, quick: bool) -> None:
        """From how it answered."""
        now, before = (self._quick, self._slow) if quick else (self._slow, self._quick)
        now.add(subscription)
        before.discard(subscription)


@dataclass(slots=True)
class Outbox:
    """The outbox as one worker uses it: `owner` is its name."""

    owner: str
    completion: Completion
    random: Random = field(default_factory=Random)
    _rivals: bool = False  # whether others took what this one wanted

    def complete(self, ended: list[Ended]) -> None:
        """Writes what came of these. What is written is taken out of `ended`, also where the database's
        errors are raised."""
        done = arrived(ended)
        rest = [one for one in ended if one.claim.lane not in done]
        _written(ended, rest)
        if rest:  # in a transaction of its own: endpoints are locked before lanes
            with transaction.atomic():
                self.completion.complete(rest)
            _written(ended, [])

    def claim(self, room: Room) -> tuple[list[Claim], float]:
        """Claims as much as there is room for. Returns the claims, and in how many seconds there is more to
        do, as far as is known (at most 1). Raises the database's errors: then nothing has happened."""
        due = self._due(room)
        if not due:
            return [], _soonest(rows(_SOONEST, []))
        with transaction.atomic():
            claims = self._claimed(due)
            # What is due and was not claimed has no room, or its tenant is suspended: to ask at once is in
            # vain.
            return claims, 0.0 if len(claims) == room.free else _soonest(rows(_SOONEST, []))

    def renew(self, claims: Iterable[Claim]) -> None:
        """Holds on to what is under way."""
        self._hold(claims, "claimed_until = now() + make_interval(secs => %s)", [CLAIM_SECONDS])

    def let_go(self, claims: Iterable[Claim]) -> None:
        """What is under way is given up, as if we had died: the next one may try at once."""
        self._hold(claims, "claimed_until = now()")

    def release(self, claims: Iterable[Claim]) -> None:
        """Gives back what was claimed and not sent."""
        attempts = [claim.attempt for claim in claims]
        with transaction.atomic():
            self._hold(claims, "owner = '', token = NULL, claimed_until = NULL")
            Attempt.objects.filter(pk__in=attempts).delete()

    @staticmethod
    def _hold(claims: Iterable[Claim], change: str, values: Sequence[Any] = ()) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD.format(change=change), [[claim.token for claim in claims], *values])

    def _due(self, room: Room) -> list[Due]:
        """Lanes that there is room for."""
        full = [id_ for id_, n in room.endpoints.items() if n >= room.allowed.of(id_)]
        busy = [tenant for tenant, n in room.tenants.items() if n >= room.per_tenant]
        candidates = [Due(*row) for row in rows(_NEXT, [array(full), busy, room.free * _CANDIDATES])]
        if self._rivals:  # who begins somewhere else is less in the way
            begin = self.random.randrange(len(candidates) or 1)
            candidates = candidates[begin:] + candidates[:begin]
        return _fair(candidates, room)

    def _claimed(self, due: Sequence[Due]) -> list[Claim]:
        """Those of them that nobody else took meanwhile."""
        lanes = array(one.lane for one in due)
        tokens = array(uuid.uuid4() for _ in due)
        stale = {one.lane for one in due if one.stale}
        with one_trip() as ask:
            ask(_TAKE, [lanes, tokens, self.owner, CLAIM_SECONDS])
            begun = ask(_BEGIN, [lanes, tokens, array(stale), self.owner])
        found = begun.fetchall()
        self._rivals = len(found) < len(due)
        there = [Claim(*row) for row in found if row[4] is not None]
        if stale:
            self._cut_off([claim for claim in there if claim.lane in stale])
        if len(there) < len(found):
            self._let_rest([row[0] for row in found if row[4] is None])
        return there

    @staticmethod
    def _let_rest(lanes: Sequence[int]) -> None:
        """Nothing waits in these, whatever they say."""
        log.warning("lanes_empty", lanes=len(lanes))
        Lane.objects.filter(pk__in=lanes).update(
            waiting=0, due_at=None, owner="", token=None, claimed_until=None
        )

    @staticmethod
    def _cut_off(claims: Sequence[Claim]) -> None:
        """Whoever tried these before has died: nobody knows whether they arrived."""
        if claims:
            metrics.REPEATED.inc(len(claims))
            with connection.cursor() as cursor:
                cursor.execute(
                    _CUT_OFF,
                    [UNKNOWN, [claim.delivery for claim in claims], [claim.attempt for claim in claims]],
                )


def _soonest(found: Sequence[tuple[Any]]) -> float:
    seconds = found[0][0]
    return 1.0 if seconds is None else min(1.0, max(0.0, float(seconds)))


def _written(ended: list[Ended], rest: Sequence[Ended]) -> None:
    """All of `ended` but the `rest` is in the database."""
    left = {one.claim for one in rest}
    for outcome, number in Counter(one.outcome for one in ended if one.claim not in left).items():
        metrics.DELIVERIES.labels(outcome).inc(number)
    ended[:] = rest


def _fair(due: Sequence[Due], room: Room) -> list[Due]:
    """As many lanes as there is room for, turn by turn over tenants, and for none more than its share."""
    taken = room._replace(
        endpoints=Counter(room.endpoints), tenants=Counter(room.tenants), slow=Counter(room.slow)
    )
    by_tenant: dict[str, list[Due]] = {}
    for one in reversed(due):
        by_tenant.setdefault(one.tenant, []).append(one)
    chosen: list[Due] = []
    while by_tenant and len(chosen) < room.free:
        for tenant in list(by_tenant):
            found = _next(by_tenant[tenant], taken)
            if found is None or taken.tenants[tenant] >= room.per_tenant:
                del by_tenant[tenant]
                continue
            taken.endpoints[found.subscription] += 1
            taken.tenants[tenant] += 1
            taken.slow[tenant] += room.allowed.is_slow(found.subscription)
            chosen.append(found)
            if len(chosen) == room.free:
                break
    return chosen


def _next(due: list[Due], taken: Room) -> Due | None:
    while due:
        one = due.pop()
        if taken.endpoints[one.subscription] >= taken.allowed.of(one.subscription):
            continue
        if taken.allowed.is_slow(one.subscription) and taken.slow[one.tenant] >= taken.slow_per_tenant:
            continue
        return one
    return None
