"""The short way of what arrived tells the database the same as the long one; and nobody who holds lanes waits
for another in the wrong order."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.forms import model_to_dict

from subscriptions.arrival import arrived
from subscriptions.claim import Claim, Ended
from subscriptions.completion import Completion
from subscriptions.models import Attempt, Delivery, Endpoint, Lane
from subscriptions.outbox import Outbox
from subscriptions.schedule import Outcome, Schedule
from tests.peers.process import wait_until
from tests.subscriptions.test_outbox import ended, room, waiting
from tests.subscriptions.world import somebody_waits, subscribed
from tests.world import Cast, World

Way = Callable[[Sequence[Ended]], object]
LONG = Completion(Schedule())
# What every row has for itself.
_OWN = ("id", "subscription", "endpoint", "delivery", "key", "created_at", "started_at", "state_since")


def claimed() -> list[Claim]:
    return sorted(Outbox("me", LONG).claim(room())[0], key=lambda one: one.lane)


def after(way: Way) -> list[Any]:
    """What a subscription's rows are when what was claimed has arrived; without ids."""
    to = subscribed("acme")
    waiting(to, 9)
    first = Delivery.objects.filter(subscription=to.id).earliest("sequence").sequence
    way([ended(claim, Outcome.DELIVERED, 204) for claim in claimed()])
    rows = [
        *Lane.objects.filter(endpoint_id=to.id).order_by("number"),
        *Delivery.objects.filter(subscription=to.id).order_by("sequence"),
        *Attempt.objects.filter(delivery__subscription=to.id).order_by("delivery"),
        Endpoint.objects.get(pk=to.id),
    ]
    shown = [model_to_dict(row) | {"sequence": getattr(row, "sequence", first) - first} for row in rows]
    for row in shown:
        for name in _OWN:
            row.pop(name, None)
    return shown


def test_both_ways_tell_the_same(sample: World, cast: Cast) -> None:
    """In a test's transaction, now() is the same for both."""
    short, long = after(arrived), after(LONG.complete)
    assert short == long
    assert {row["outcome"] for row in short if "outcome" in row} == {"delivered", ""}


def test_what_did_not_arrive_or_is_not_its_claims_or_not_well_goes_the_long_way(
    sample: World, cast: Cast
) -> None:
    waiting(subscribed("acme"), 30)
    well, lost, failed, ill = claimed()
    Lane.objects.filter(pk=lost.lane).update(token=None)
    told = [ended(one, Outcome.DELIVERED, 204) for one in (well, lost)]
    told.append(ended(failed, Outcome.FAILED, 503))
    assert arrived(told) == {well.lane}
    Endpoint.objects.update(failures=1)
    assert arrived([ended(ill, Outcome.DELIVERED, 204)]) == set()
    assert Delivery.objects.filter(state="delivered").count() == 1


def test_what_is_written_is_taken_out_of_what_has_ended(sample: World, cast: Cast) -> None:
    waiting(subscribed("acme"), 30)
    told = [ended(one, Outcome.DELIVERED, 204) for one in claimed()[:2]]
    told += [ended(one, Outcome.FAILED, 503) for one in claimed()]
    Outbox("me", LONG).complete(told)
    assert told == []


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.parametrize("hold", ["renew", "let_go", "release"])
def test_lanes_are_locked_in_the_order_of_ids(sample: World, cast: Cast, hold: str) -> None:
    """Whoever holds the first may take the second, though somebody waits for both; the table has the second
    first."""
    waiting(subscribed("acme"), 30)
    claims = claimed()
    first, second = claims[0].lane, claims[-1].lane
    Lane.objects.filter(pk=first).update(last_outcome="moved")
    act = getattr(Outbox("me", LONG), hold)

    def waits() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20s'")
        act(claims)
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            Lane.objects.select_for_update().get(pk=first)
            done = thread.submit(waits)
            wait_until(somebody_waits, seconds=10, what="somebody who waits")
            Lane.objects.select_for_update(nowait=True).get(pk=second)
        done.result(20)
