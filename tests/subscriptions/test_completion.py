"""What becomes of a delivery when its send has ended."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from o2ims.models import Change
from subscriptions import endpoint
from subscriptions.claim import Ended
from subscriptions.completion import Completion
from subscriptions.models import Delivery, Lane
from subscriptions.outbox import Allowance, Outbox, Room
from subscriptions.schedule import Outcome, Schedule
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World

ROOM = Room(10, Counter(), Allowance(4), tenants=Counter(), slow=Counter(), per_tenant=10)
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def old(cast: Cast, sample: World) -> Delivery:
    """It was first tried more than 72 hours ago."""
    to = subscribed("acme")
    change = Change.objects.filter(tenant="acme")[0]
    return delivered(
        to,
        change,
        state="waiting",
        attempts=80,
        tried_at=timezone.now() - timedelta(hours=73),
        outcome="failed",
    )


def ended(row: Delivery, outcome: Outcome) -> str:
    outbox = Outbox("me", Completion(Schedule()))
    row.refresh_from_db()
    claims, _ = outbox.claim(ROOM)
    told = [Ended(claim=claim, outcome=outcome, status=None, milliseconds=1) for claim in claims]
    assert row.pk in {claim.delivery for claim in claims}
    outbox.complete(told)
    row.refresh_from_db()
    return row.state


def test_what_arrives_in_the_end_is_no_dead_letter(old: Delivery) -> None:
    Lane.objects.filter(waiting=1).update(due_at=timezone.now())
    assert ended(old, Outcome.DELIVERED) == "delivered"


def test_what_does_not_is_one(old: Delivery) -> None:
    Lane.objects.filter(waiting=1).update(due_at=timezone.now())
    assert ended(old, Outcome.FAILED) == "dead"


def test_who_is_resumed_has_all_the_time_again(old: Delivery) -> None:
    endpoint.resume(str(old.subscription))
    assert ended(old, Outcome.FAILED) == "waiting"
    assert old.attempts == 1
