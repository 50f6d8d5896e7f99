"""The sends of one worker: how many are in doubt at once, and what becomes of those for which there is no
slot."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import pytest
from django.db import DatabaseError, connections
from pytest_django.fixtures import Settings

from o2ims.models import Change
from subscriptions import delivery
from subscriptions.completion import Completion
from subscriptions.dispatch import AHEAD, PER_ENDPOINT, PER_TENANT, SLOTS, STALE_SECONDS, Dispatcher
from subscriptions.models import Attempt, Delivery, Endpoint, Lane
from subscriptions.outbox import Allowance, Outbox, Room
from subscriptions.registry import Registry
from subscriptions.schedule import Schedule
from tenancy.models import Tenant
from tests.peers.process import wait_until
from tests.sink import Received, Sink
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
TENANTS, EACH = 9, 12


class Crowd(Sink):
    """So many subscribers that one worker has no slots for all, each with one delivery; none of them answers
    until `answering` is set."""

    def __init__(self) -> None:
        self.answering = threading.Event()
        super().__init__(answer=self._late)

    def _late(self, _: Received) -> int:
        self.answering.wait(20)
        return 204

    def __enter__(self) -> Self:
        super().__enter__()
        change = Change.objects.earliest("pk")
        for number in range(TENANTS):
            tenant = Tenant.objects.create(id=f"t{number}", name=f"T {number}")
            for each in range(EACH):
                to = subscribed(tenant.pk, callback=f"{self.url}/{number}/{each}")
                delivered(to, change, state="waiting", attempts=0, outcome="", status=None)
        Lane.objects.filter(waiting=1).update(due_at=Delivery.objects.latest("pk").created_at)
        return self

    def __exit__(self, *error: object) -> None:
        self.answering.set()
        super().__exit__(*error)


@pytest.fixture
def crowd(sample: World, cast: Cast, stored: None) -> Iterator[Crowd]:
    with Crowd() as made:
        yield made


@contextmanager
def sending() -> Iterator[None]:
    """A worker's sends, which end with the block."""
    began, loop_of, task_of = threading.Event(), list[Any](), list[Any]()

    async def run() -> None:
        loop_of.append(asyncio.get_running_loop())
        task_of.append(asyncio.current_task())
        began.set()
        with suppress(asyncio.CancelledError):
            await Dispatcher("me", Registry()).run()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    began.wait(10)
    try:
        yield
    finally:
        loop_of[0].call_soon_threadsafe(task_of[0].cancel)
        thread.join(30)
        connections.close_all()


def claimed() -> int:
    return Lane.objects.filter(token__isnull=False).count()


def test_only_so_many_are_in_doubt_and_the_others_are_given_back_soon(crowd: Crowd) -> None:
    assert TENANTS * EACH > SLOTS + AHEAD
    with sending():
        wait_until(lambda: claimed() > SLOTS, seconds=10, what="claims ahead")
        wait_until(lambda: claimed() == SLOTS, seconds=STALE_SECONDS + 10, what="that they are given back")
        assert (len(crowd.tried), Attempt.objects.count()) == (SLOTS, SLOTS)
        crowd.answering.set()
        wait_until(
            lambda: not Delivery.objects.filter(state="waiting").exists(), seconds=20, what="the others"
        )
    assert Counter(one.path for one in crowd.tried).most_common(1)[0][1] == 1
    assert Attempt.objects.filter(outcome="delivered").count() == Delivery.objects.count() == TENANTS * EACH


def test_what_is_not_told_to_the_claimer_is_not_claimed(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox("me", Completion(Schedule()))
    room = Room(SLOTS, Counter(), Allowance(PER_ENDPOINT), Counter(), Counter(), PER_TENANT)
    with monkeypatch.context() as broken:
        broken.setattr("subscriptions.outbox._SOONEST", "SELECT 1 / 0")
        with pytest.raises(DatabaseError):
            outbox.claim(room._replace(free=TENANTS * EACH + 1))
        assert (Attempt.objects.count(), claimed()) == (0, 0)
    assert len(outbox.claim(room)[0]) == claimed() == SLOTS


def test_a_send_that_breaks_is_tried_again(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.DELIVERY_HASTE = 10
    real, broken = delivery.post, list[BaseException]([RuntimeError("odd"), asyncio.CancelledError()])

    async def post(*given: Any) -> delivery.Answer:
        if broken:
            raise broken.pop()
        return await real(*given)

    monkeypatch.setattr(delivery, "post", post)
    crowd.answering.set()
    with sending():
        wait_until(
            lambda: not Delivery.objects.filter(state="waiting").exists(), seconds=20, what="all of them"
        )
    assert Attempt.objects.filter(outcome="broken").count() == 2


def test_who_ends_gives_back_what_was_not_begun(crowd: Crowd) -> None:
    with sending():
        wait_until(lambda: len(crowd.tried) == SLOTS, seconds=10, what="the sends")
        threading.Timer(1, crowd.answering.set).start()
    assert claimed() == 0
    assert Attempt.objects.filter(outcome="delivered").count() == Attempt.objects.count() == SLOTS


def test_what_ends_while_it_is_ready_is_not_sent(crowd: Crowd) -> None:
    with sending():
        wait_until(lambda: len(crowd.tried) == SLOTS, seconds=10, what="the sends")
        Endpoint.objects.filter(pk__in=Delivery.objects.values("subscription")).update(state="suspended")
        wait_until(lambda: claimed() == SLOTS, seconds=STALE_SECONDS + 10, what="that they are given back")
        crowd.answering.set()
        wait_until(lambda: claimed() == 0, seconds=10, what="their ends")
    assert len(crowd.tried) == SLOTS
