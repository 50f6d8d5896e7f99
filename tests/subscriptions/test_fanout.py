"""What one batch of changes does to an endpoint: deliveries, their numbers, and which lanes are tried."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, connections, transaction
from django.db.models import Sum
from django.utils import timezone

from adapters.types import ResourcePool
from subscriptions.fanout import fan_out
from subscriptions.intake import lane_of
from subscriptions.metrics import FAN_OUT_LAG
from subscriptions.models import Delivery, Endpoint, Lane, Position
from subscriptions.registry import Registry
from subscriptions.retention import measure
from tests.peers.process import wait_until
from tests.subscriptions.world import somebody_waits, subscribed
from tests.world import Cast, World

Happen = Callable[..., list[int]]


@pytest.fixture
def happen(sample: World, cast: Cast) -> Happen:
    """Pools of acme are made, and fanned out; the lanes of their changes."""
    registry, count = Registry(), iter(range(1000))

    def make(number: int) -> list[int]:
        pools = [
            ResourcePool(native_id=f"new-{next(count)}", name="new", tenant="acme") for _ in range(number)
        ]
        changes = sample.sources["sample"].see(*pools)
        while fan_out(registry):
            pass
        return [lane_of(str(change.object_id)) for change in changes]

    return make


def due() -> set[int]:
    return set(Lane.objects.filter(due_at__isnull=False).values_list("number", flat=True))


def waiting() -> int:
    return int(Lane.objects.aggregate(all=Sum("waiting"))["all"])


def test_everything_has_the_next_number_and_its_lane_is_due(happen: Happen) -> None:
    to = subscribed("acme")
    lanes = happen(9) + happen(3)
    found = Delivery.objects.order_by("sequence").values_list("sequence", "lane", "state")
    assert list(found) == [(n, lane, "waiting") for n, lane in enumerate(lanes, 1)]
    assert due() == set(lanes)
    for lane in Lane.objects.filter(endpoint_id=to.id):
        assert lane.waiting == lanes.count(lane.number)
        if lane.waiting:
            assert lane.head == lanes.index(lane.number) + 1
    assert Endpoint.objects.get().sequence == 12
    sources = Position.objects.values_list("sequence", "source__last_sequence")
    assert all(reached == newest for reached, newest in sources)


def test_what_another_tenant_has_is_not_put_anywhere(happen: Happen) -> None:
    subscribed("globex")
    happen(3)
    assert not Delivery.objects.exists()


def test_in_trouble_only_the_first_is_tried_and_only_where_nothing_waits(happen: Happen) -> None:
    subscribed("acme")
    Endpoint.objects.update(state=Endpoint.State.PROBING)
    first, *_ = happen(9)
    assert due() == {first}
    Lane.objects.update(due_at=None)
    happen(9)
    assert due() == set()
    assert waiting() == 18


def test_for_who_is_suspended_everything_waits(happen: Happen) -> None:
    subscribed("acme")
    Endpoint.objects.update(state=Endpoint.State.SUSPENDED, reason="paused")
    happen(9)
    assert (due(), waiting(), Endpoint.objects.get().reason) == (set(), 9, "paused")


def test_whose_backlog_is_full_is_suspended_and_what_came_later_is_a_dead_letter(
    happen: Happen, settings: object
) -> None:
    settings.DELIVERY_BACKLOG = 5  # type: ignore[attr-defined]
    subscribed("acme")
    happen(8)
    endpoint = Endpoint.objects.get()
    assert (endpoint.state, endpoint.reason) == ("suspended", "more than 5 deliveries wait")
    assert (due(), waiting()) == (set(), 5)
    found = Delivery.objects.order_by("sequence").values_list("state", "outcome")
    assert list(found) == [("waiting", "")] * 5 + [("dead", "backlog")] * 3
    assert Delivery.objects.filter(state="dead", ended_at__isnull=True).count() == 0
    long_ago = endpoint.state_since - timedelta(days=1)  # within a test, now() is always the same
    Endpoint.objects.update(state_since=long_ago)
    happen(1)
    endpoint.refresh_from_db()
    assert (endpoint.state_since, waiting()) == (long_ago, 5)


def test_who_has_ended_gets_nothing(happen: Happen) -> None:
    """By a registry that does not know it yet, too."""
    subscribed("acme")
    happen(1)
    Endpoint.objects.all().delete()
    happen(1)
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_what_another_source_has_put_there_meanwhile_is_seen(happen: Happen) -> None:
    """The fan-out waits for the endpoint, in which the other one has begun a probe."""
    subscribed("acme")
    Endpoint.objects.update(state=Endpoint.State.PROBING)
    one = Lane.objects.earliest("number")

    def fanned_out() -> None:
        try:
            happen(9)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            Endpoint.objects.select_for_update().get()
            done = thread.submit(fanned_out)
            wait_until(somebody_waits, seconds=10, what="the fan-out")
            Lane.objects.filter(pk=one.pk).update(waiting=1, head=1, due_at=timezone.now())
        done.result(20)
    assert due() == {one.number}
    assert waiting() == 10


def test_what_cannot_be_fanned_out_shows(
    sample: World, happen: Happen, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed("acme")
    happen(1)
    with monkeypatch.context() as broken:
        broken.setattr("subscriptions.intake._PUT", "SELECT 1 / 0")
        with pytest.raises(DatabaseError):
            happen(3)
    measure()
    assert FAN_OUT_LAG.labels("sample")._value.get() == 3
    happen(0)
    measure()
    assert FAN_OUT_LAG.labels("sample")._value.get() == 0


def test_one_that_nobody_can_read_holds_nobody_up(happen: Happen) -> None:
    subscribed("acme", flavour="o2ims v9")
    well = subscribed("acme")
    happen(2)
    assert {str(id_) for id_ in Delivery.objects.values_list("subscription", flat=True)} == {well.id}
