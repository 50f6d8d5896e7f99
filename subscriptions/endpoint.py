"""What people do with the other end of a subscription: pause and resume it, send a test, send again.

Each locks the endpoint, then its lanes, as everybody does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from subscriptions.models import Delivery, Endpoint, Lane

Told = Callable[[], None]


class NoEndpoint(Exception):
    """The subscription has just ended."""


def resume(id_: str, told: Told = lambda: None) -> None:
    """What waits is tried at once and for as long as what is new, whatever the endpoint did before. Raises
    `NoEndpoint`."""
    with _locked(id_) as (endpoint, lanes):
        endpoint.state, endpoint.state_since, endpoint.reason = Endpoint.State.HEALTHY, timezone.now(), ""
        endpoint.failures, endpoint.failing_since = 0, None
        endpoint.save()
        for lane in lanes:  # of what waits, nothing but the first of a lane has been tried
            waiting = Delivery.objects.filter(
                subscription=id_, lane=lane.number, state=Delivery.State.WAITING
            )
            first = waiting.filter(sequence__gte=lane.head).order_by("sequence").values("pk")[:1]
            Delivery.objects.filter(pk__in=first).update(attempts=0, tried_at=None)
        _due(lanes)
        told()


def suspend(id_: str, reason: str, told: Told = lambda: None) -> None:
    """Nothing is sent until somebody resumes it; what happens meanwhile waits. Raises `NoEndpoint`."""
    with _locked(id_) as (endpoint, lanes):
        endpoint.state, endpoint.state_since = Endpoint.State.SUSPENDED, timezone.now()
        endpoint.reason = reason[:200]
        endpoint.save()
        Lane.objects.filter(pk__in=[lane.pk for lane in lanes]).update(due_at=None)
        told()


def send_test(id_: str, told: Callable[[int], None]) -> int:
    """Sends what tells of no change, by the same way. Returns its sequence. Raises `NoEndpoint`."""
    with _locked(id_) as (endpoint, lanes):
        endpoint.sequence += 1
        endpoint.save(update_fields=["sequence"])
        lane = min(lanes, key=lambda one: one.waiting)
        Delivery.objects.create(subscription=id_, lane=lane.number, sequence=endpoint.sequence)
        first = not lane.waiting
        lane.waiting += 1
        if first:
            lane.head = endpoint.sequence
            if endpoint.state != Endpoint.State.SUSPENDED:
                lane.due_at = timezone.now()
        lane.save(update_fields=["waiting", "head", "due_at"])
        told(endpoint.sequence)
        return endpoint.sequence


def replay(id_: str, rows: QuerySet[Delivery], told: Callable[[int], None] = lambda _: None) -> int:
    """Sends deliveries that have ended once more, under the same ids and sequences, those that are older
    first. `rows` are of this subscription. Returns how many. Raises `NoEndpoint`."""
    with _locked(id_) as (endpoint, lanes):
        by_number = {lane.number: lane for lane in lanes}
        ended = rows.filter(subscription=id_).exclude(state=Delivery.State.WAITING).order_by("sequence")
        found = list(ended.values_list("pk", "lane", "sequence"))
        Delivery.objects.filter(pk__in=[pk for pk, *_ in found]).update(
            state=Delivery.State.WAITING, attempts=0, refusals=0, tried_at=None, ended_at=None
        )
        for _, number, sequence in found:
            lane = by_number[number]
            lane.head = min(lane.head, sequence) if lane.waiting else sequence
            lane.waiting += 1
        for lane in lanes:
            lane.save(update_fields=["waiting", "head"])
        if endpoint.state == Endpoint.State.HEALTHY:
            _due([lane for lane in lanes if lane.due_at is None])
        told(len(found))
        return len(found)


@contextmanager
def _locked(id_: str) -> Iterator[tuple[Endpoint, Sequence[Lane]]]:
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update().filter(pk=id_).first()
        if endpoint is None:
            raise NoEndpoint
        yield (
            endpoint,
            list(Lane.objects.select_for_update(no_key=True).filter(endpoint_id=id_).order_by("pk")),
        )


def _due(lanes: Sequence[Lane]) -> None:
    waiting = [lane.pk for lane in lanes if lane.waiting]
    Lane.objects.filter(pk__in=waiting).update(due_at=Now())
