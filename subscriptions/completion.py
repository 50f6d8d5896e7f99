"""What came of sends: deliveries that are done or wait, lanes that are free again, endpoints that do well
or ill.

    Ended ─► its Attempt ends ─► the lane, if it is still the claim's ─► the delivery ─► the endpoint's health

Locks: endpoints, then lanes, each in the order of ids. Only where something fails, or did, an endpoint is
locked. What arrived where nothing did is told by a shorter way: `subscriptions/arrival.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import structlog
from django.db import connection

from subscriptions import bulk, metrics
from subscriptions.arrival import pause
from subscriptions.claim import Ended
from subscriptions.models import Delivery, Endpoint, Lane
from subscriptions.schedule import Health, Outcome, Schedule, State, after

log = structlog.get_logger()


@dataclass(slots=True)
class Completion:
    """Completes claims, by a schedule."""

    schedule: Schedule
    random: Random = field(default_factory=Random)

    def complete(self, ended: Sequence[Ended]) -> None:
        """Writes what came of these, in the caller's transaction. Of a claim that is somebody else's by
        now, only the attempt."""
        endpoints, lanes, now = self._locked(ended)
        mine = [one for one in ended if (lane := lanes.get(one.claim.lane)) and lane.token == one.claim.token]
        if len(mine) < len(ended):
            metrics.LATE.inc(len(ended) - len(mine))
        deliveries = [self._ended(one, endpoints.get(one.claim.subscription), lanes, now) for one in mine]
        _save_attempts(ended, now)
        bulk.update("subscriptions_delivery", ("id", "bigint"), _OF_DELIVERY, deliveries)
        of_lanes = [(lane.pk, *(getattr(lane, name) for name in _OF_LANE)) for lane in lanes.values()]
        bulk.update("subscriptions_lane", ("id", "bigint"), _OF_LANE, of_lanes)
        of_endpoints = [
            (one.pk, *(getattr(one, name) for name in _OF_ENDPOINT)) for one in endpoints.values()
        ]
        bulk.update("subscriptions_endpoint", ("subscription", "uuid"), _OF_ENDPOINT, of_endpoints)

    @staticmethod
    def _locked(ended: Sequence[Ended]) -> tuple[dict[str, Endpoint], dict[int, Lane], datetime]:
        """The endpoints whose health may change, the lanes concerned (of those endpoints all), and the
        time."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            now = cursor.fetchone()[0]
        ids = {one.claim.subscription for one in ended}
        failed = {one.claim.subscription for one in ended if one.outcome not in _ANSWERS}
        ill = Endpoint.objects.filter(pk__in=ids).exclude(state=Endpoint.State.HEALTHY, failures=0)
        failed |= {str(pk) for pk in ill.values_list("pk", flat=True)}
        rows = Endpoint.objects.select_for_update().filter(pk__in=failed).order_by("pk")
        endpoints = {str(row.pk): row for row in rows} if failed else {}
        of = Lane.objects.filter(pk__in=[one.claim.lane for one in ended])
        if endpoints:
            of |= Lane.objects.filter(endpoint__in=list(endpoints))
        return endpoints, {lane.pk: lane for lane in of.select_for_update(no_key=True).order_by("pk")}, now

    def _ended(
        self, one: Ended, endpoint: Endpoint | None, lanes: dict[int, Lane], now: datetime
    ) -> tuple[Any, ...]:
        """Changes the lane and the endpoint by what came of one claim; the delivery's new row."""
        claim, lane = one.claim, lanes[one.claim.lane]
        lane.owner, lane.token, lane.claimed_until = "", None, None
        lane.last_at, lane.last_outcome, lane.last_status = now, one.outcome, one.status
        refusals = claim.refusals + (one.outcome is Outcome.REFUSED)
        tried_at = claim.tried_at or now
        state = self._learn(endpoint, one.outcome, now) if endpoint else State.HEALTHY
        arrived = one.outcome is Outcome.DELIVERED
        over = (
            not arrived
            and state is not State.SUSPENDED
            and self.schedule.is_over(one.outcome, refusals or claim.number, (now - tried_at).total_seconds())
        )
        done = arrived or over
        if done:
            lane.waiting, lane.head = max(0, lane.waiting - 1), claim.sequence + 1
        lane.due_at = self._due(one, lane, now, done=done)
        if endpoint and (state is not State.HEALTHY or endpoint.reason == _RECOVERED):
            self._rearrange(
                endpoint, [other for other in lanes.values() if other.endpoint_id == endpoint.pk], now
            )
        of_delivery = Delivery.State.DELIVERED if arrived else Delivery.State.WAITING
        if over:
            of_delivery = Delivery.State.DEAD
            metrics.DEAD.labels(one.outcome).inc()
        return (
            claim.delivery,
            str(of_delivery),
            claim.number,
            refusals,
            tried_at,
            str(one.outcome),
            one.status,
            now if done else None,
        )

    def _due(self, one: Ended, lane: Lane, now: datetime, *, done: bool) -> datetime | None:
        if not lane.waiting:
            return None
        if done:  # a lane has its share of what the endpoint takes in a second
            return now + timedelta(seconds=pause())
        wait = self.schedule.wait(one.claim.number, one.outcome, one.retry_after, self.random)
        return now + timedelta(seconds=wait)

    def _learn(self, endpoint: Endpoint, outcome: Outcome, now: datetime) -> State:
        """What the outcome makes of the endpoint."""
        since = endpoint.failing_since.timestamp() if endpoint.failing_since else None
        was = Health(State(endpoint.state), endpoint.failures, since)
        new = after(was, outcome, now.timestamp(), self.schedule)
        endpoint.failures = new.failures
        endpoint.failing_since = None if new.failing_since is None else endpoint.failing_since or now
        if new.state is not was.state:
            endpoint.state, endpoint.state_since = new.state, now
            endpoint.reason = _reason(outcome, new.state)
            log.warning(
                "endpoint_changed", subscription=str(endpoint.pk), state=new.state, reason=endpoint.reason
            )
        return new.state

    def _rearrange(self, endpoint: Endpoint, lanes: Iterable[Lane], now: datetime) -> None:
        """Which lanes of an endpoint that is not well are tried, and when; of one that is well again, all."""
        waiting = [lane for lane in lanes if lane.waiting and lane.token is None]
        if endpoint.state == Endpoint.State.HEALTHY:
            endpoint.reason = ""
            for lane in waiting:
                lane.due_at = now
            return
        for lane in waiting:
            lane.due_at = None
        if endpoint.state == Endpoint.State.PROBING and waiting:
            first = min(waiting, key=lambda lane: lane.head)
            first.due_at = now + timedelta(seconds=self.schedule.between_probes)


_ANSWERS = frozenset({Outcome.DELIVERED, Outcome.REFUSED})
_RECOVERED = "recovered"
_OF_DELIVERY = {
    "state": "text",
    "attempts": "int",
    "refusals": "int",
    "tried_at": "timestamptz",
    "outcome": "text",
    "status": "int",
    "ended_at": "timestamptz",
}
_OF_LANE = {
    "waiting": "int",
    "head": "bigint",
    "due_at": "timestamptz",
    "owner": "text",
    "token": "uuid",
    "claimed_until": "timestamptz",
    "last_at": "timestamptz",
    "last_outcome": "text",
    "last_status": "int",
}
_OF_ENDPOINT = {
    "state": "text",
    "state_since": "timestamptz",
    "reason": "text",
    "failures": "int",
    "failing_since": "timestamptz",
}
_OF_ATTEMPT = {
    "ended_at": "timestamptz",
    "outcome": "text",
    "status": "int",
    "milliseconds": "int",
    "answer": "text",
}


def _save_attempts(ended: Sequence[Ended], now: datetime) -> None:
    rows = [
        (one.claim.attempt, now, str(one.outcome), one.status, one.milliseconds, one.answer) for one in ended
    ]
    bulk.update("subscriptions_attempt", ("id", "bigint"), _OF_ATTEMPT, rows)


def _reason(outcome: Outcome, state: State) -> str:
    if state is State.HEALTHY:
        return _RECOVERED
    if state is State.PROBING:
        return f"five failures in a row, the last: {outcome}"
    return "it answered 410 Gone" if outcome is Outcome.GONE else "72 hours of nothing but failures"
