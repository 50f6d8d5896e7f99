"""What is to be sent next, and what became of what was sent: one transaction a round.

    round ─► complete what has ended (lanes by token, endpoints' health) ─► claim lanes that are due, their
    first delivery, an Attempt for each

A lane is somebody's until its send has ended, or until `CLAIM_SECONDS` after its owner was last heard of:
then it is tried again, by whoever comes. Times are Postgres's. Locks: endpoints, then lanes, each in the
order of ids.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction

from subscriptions import metrics
from subscriptions.completion import Claim, Completion, Ended
from subscriptions.models import Lane

log = structlog.get_logger()

CLAIM_SECONDS = 8
UNKNOWN = "unknown"  # how an attempt ended whose process died
_CANDIDATES = 8  # due lanes looked at for each that is wanted: to be fair

_NEXT = """
    SELECT l.id, l.endpoint_id::text, l.tenant, l.claimed_until IS NOT NULL
    FROM subscriptions_lane l
    JOIN subscriptions_endpoint e ON e.subscription = l.endpoint_id
    LEFT JOIN tenancy_tenant t ON t.id = l.tenant
    WHERE l.due_at <= now() AND (l.claimed_until IS NULL OR l.claimed_until < now())
      AND e.state <> 'suspended' AND (l.tenant = '' OR t.status = 'active')
      AND NOT l.endpoint_id = ANY(%s::uuid[]) AND NOT l.tenant = ANY(%s)
    ORDER BY l.due_at LIMIT %s FOR UPDATE OF l SKIP LOCKED
"""
_CLAIM = """
    WITH mine AS (
      UPDATE subscriptions_lane SET owner = %s, token = gen_random_uuid(),
        claimed_until = now() + make_interval(secs => %s)
      WHERE id = ANY(%s) RETURNING id, token, endpoint_id, tenant, number, head
    )
    SELECT mine.id, mine.token, mine.endpoint_id::text, mine.tenant, d.*
    FROM mine LEFT JOIN LATERAL (
      SELECT id, sequence, attempts, refusals, change_id, tried_at FROM subscriptions_delivery
      WHERE subscription = mine.endpoint_id AND lane = mine.number AND state = 'waiting'
        AND sequence >= mine.head
      ORDER BY sequence LIMIT 1
    ) d ON true
"""
_ATTEMPT = """
    INSERT INTO subscriptions_attempt (delivery_id, number, worker, started_at)
    SELECT delivery, number, %s, clock_timestamp()
    FROM unnest(%s::bigint[], %s::int[]) AS t (delivery, number)
    RETURNING delivery_id, id
"""
_CUT_OFF = """
    WITH lost AS (
      UPDATE subscriptions_attempt SET outcome = %s, ended_at = now()
      WHERE delivery_id = ANY(%s) AND ended_at IS NULL RETURNING delivery_id
    )
    UPDATE subscriptions_delivery SET attempts = attempts + 1 WHERE id IN (SELECT delivery_id FROM lost)
"""
_SOONEST = """
    SELECT extract(epoch FROM min(due_at) - now()) FROM subscriptions_lane
    WHERE due_at > now() AND claimed_until IS NULL
"""


class Room(NamedTuple):
    """How many more may be claimed, and for whom: `endpoints` says how many are under way at each (and how
    many each may have), `tenants` how many at each."""

    free: int
    endpoints: Counter[str]
    allowed: "Allowance"
    tenants: Counter[str]
    per_tenant: int


class Allowance:
    """How many of an endpoint's lanes may be under way: one, until it has answered in good time; then all."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._quick: set[str] = set()

    def of(self, subscription: str) -> int:
        """For this endpoint."""
        return self.most if subscription in self._quick else 1

    def learn(self, subscription: str, *, quick: bool) -> None:
        """From how it answered."""
        if quick:
            self._quick.add(subscription)
        else:
            self._quick.discard(subscription)


@dataclass(slots=True)
class Outbox:
    """The outbox as one worker uses it: `owner` is its name."""

    owner: str
    completion: Completion

    def round(self, ended: Sequence[Ended], room: Room) -> tuple[list[Claim], float]:
        """Completes and claims. Returns the claims, and in how many seconds there is more to do, as far as is
        known (at most 1). Raises the database's errors: then nothing has happened."""
        with transaction.atomic():
            if ended:
                self.completion.complete(ended)
            claims = self._claim(room) if room.free > 0 else []
            # What is due and was not claimed has no room, or its tenant is suspended: to ask at once is in
            # vain.
            soonest = 0.0 if claims and len(claims) == room.free else self._soonest()
        for one in ended:
            metrics.DELIVERIES.labels(one.outcome).inc()
        return claims, soonest

    def renew(self, claims: Iterable[Claim]) -> None:
        """Holds on to what is under way."""
        tokens = [claim.token for claim in claims]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE subscriptions_lane SET claimed_until = now() + make_interval(secs => %s)"
                " WHERE token = ANY(%s) AND claimed_until IS NOT NULL",
                [CLAIM_SECONDS, tokens],
            )

    def let_go(self, claims: Iterable[Claim]) -> None:
        """What is under way is given up, as if we had died: the next one may try at once."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE subscriptions_lane SET claimed_until = now() WHERE token = ANY(%s)",
                [[claim.token for claim in claims]],
            )

    def release(self, claims: Iterable[Claim]) -> None:
        """Gives back what was claimed and not sent."""
        tokens = [claim.token for claim in claims]
        attempts = [claim.attempt for claim in claims]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM subscriptions_attempt WHERE id = ANY(%s)", [attempts])
            cursor.execute(
                "UPDATE subscriptions_lane SET owner = '', token = NULL, claimed_until = NULL"
                " WHERE token = ANY(%s)",
                [tokens],
            )

    def _claim(self, room: Room) -> list[Claim]:
        full = [id_ for id_, n in room.endpoints.items() if n >= room.allowed.of(id_)]
        busy = [tenant for tenant, n in room.tenants.items() if n >= room.per_tenant]
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [full, busy, room.free * _CANDIDATES])
            due = _fair(cursor.fetchall(), room)
            if not due:
                return []
            cursor.execute(_CLAIM, [self.owner, CLAIM_SECONDS, [lane for lane, *_ in due]])
            rows = cursor.fetchall()
        stale = {lane for lane, *_, claimed in due if claimed}
        self._cut_off([row[4] for row in rows if row[0] in stale])
        return self._attempts(rows, stale)

    def _attempts(self, rows: Sequence[Any], stale: Collection[int]) -> list[Claim]:
        there = [row for row in rows if row[4] is not None]
        if empty := [row[0] for row in rows if row[4] is None]:
            log.warning("lanes_empty", lanes=len(empty))
            Lane.objects.filter(pk__in=empty).update(
                waiting=0, due_at=None, owner="", token=None, claimed_until=None
            )
        numbers = [row[6] + 1 + (row[0] in stale) for row in there]
        with connection.cursor() as cursor:
            cursor.execute(_ATTEMPT, [self.owner, [row[4] for row in there], numbers])
            attempts = dict(cursor.fetchall())
        return [
            Claim(
                lane=lane,
                token=token,
                subscription=subscription,
                tenant=tenant,
                delivery=delivery,
                sequence=sequence,
                number=number,
                refusals=refusals,
                change=change,
                tried_at=tried_at,
                attempt=attempts[delivery],
            )
            for number, (
                lane,
                token,
                subscription,
                tenant,
                delivery,
                sequence,
                _,
                refusals,
                change,
                tried_at,
            ) in zip(numbers, there, strict=True)
        ]

    @staticmethod
    def _cut_off(deliveries: Sequence[int | None]) -> None:
        """Whoever tried these has died: nobody knows whether they arrived."""
        lost = [delivery for delivery in deliveries if delivery is not None]
        if lost:
            metrics.REPEATED.inc(len(lost))
            with connection.cursor() as cursor:
                cursor.execute(_CUT_OFF, [UNKNOWN, lost])

    @staticmethod
    def _soonest() -> float:
        with connection.cursor() as cursor:
            cursor.execute(_SOONEST)
            found = cursor.fetchone()[0]
        return 1.0 if found is None else min(1.0, max(0.0, float(found)))


def _fair(rows: Sequence[tuple[int, str, str, bool]], room: Room) -> list[tuple[int, str, str, bool]]:
    """As many lanes as there is room for, turn by turn over tenants, and for none more than its share."""
    endpoints, tenants = Counter(room.endpoints), Counter(room.tenants)
    by_tenant: dict[str, list[tuple[int, str, str, bool]]] = {}
    for row in reversed(rows):
        by_tenant.setdefault(row[2], []).append(row)
    chosen: list[tuple[int, str, str, bool]] = []
    while by_tenant and len(chosen) < room.free:
        for tenant in list(by_tenant):
            found = _next(by_tenant[tenant], endpoints, room)
            if found is None or tenants[tenant] >= room.per_tenant:
                del by_tenant[tenant]
                continue
            endpoints[found[1]] += 1
            tenants[tenant] += 1
            chosen.append(found)
            if len(chosen) == room.free:
                break
    return chosen


def _next(
    rows: list[tuple[int, str, str, bool]], endpoints: Counter[str], room: Room
) -> tuple[int, str, str, bool] | None:
    while rows:
        row = rows.pop()
        if endpoints[row[1]] < room.allowed.of(row[1]):
            return row
    return None
