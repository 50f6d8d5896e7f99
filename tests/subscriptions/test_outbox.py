"""Which deliveries are sent next: whose turn it is, how many at once, and when to look again."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db.models.functions import Now
from django.utils import timezone

from o2ims.models import Change
from subscriptions.claim import Ended
from subscriptions.completion import Completion
from subscriptions.models import Attempt, Delivery, Endpoint, Lane
from subscriptions.outbox import Allowance, Outbox, Room
from subscriptions.schedule import Outcome, Schedule
from subscriptions.subscription import Subscription
from tenancy.models import Tenant
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World

# Within a test's transaction, Postgres's now() is when it began.
PAST, SOON = Now() - timedelta(minutes=1), TransactionNow() + timedelta(seconds=0.5)


def waiting(to: Subscription, count: int) -> None:
    """So many changes wait for it, and are due."""
    for change in Change.objects.filter(tenant="acme").order_by("pk")[:count]:
        delivered(to, change, state="waiting", attempts=0, outcome="", status=None)
    Lane.objects.filter(endpoint_id=to.id, waiting__gt=0).update(due_at=PAST)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox("me", Completion(Schedule()))


def room(free: int = 50, *, each: int = 4, per_tenant: int = 50, **tenants: int) -> Room:
    """Room for so many, `each` of an endpoint."""
    allowed = Allowance(each)
    for endpoint in Endpoint.objects.all() if each > 1 else []:
        allowed.learn(str(endpoint.pk), quick=True)
    return Room(free, Counter(), allowed, Counter(tenants), Counter(), per_tenant)


def test_each_lane_is_sent_one_at_a_time_its_first_first(sample: World, cast: Cast, outbox: Outbox) -> None:
    waiting(subscribed("acme"), 30)
    claims, _ = outbox.claim(room())
    firsts = {lane: Delivery.objects.filter(lane=lane).order_by("sequence")[0].sequence for lane in range(4)}
    assert sorted(claim.sequence for claim in claims) == sorted(firsts.values())
    assert outbox.claim(room())[0] == []
    assert set(Attempt.objects.values_list("worker", "ended_at")) == {("me", None)}


def test_who_has_not_answered_yet_gets_one(sample: World, cast: Cast, outbox: Outbox) -> None:
    waiting(subscribed("acme"), 30)
    assert len(outbox.claim(room(each=1))[0]) == 1


def test_no_tenant_has_more_than_its_share_and_all_have_a_turn(
    sample: World, cast: Cast, outbox: Outbox
) -> None:
    many, few = [subscribed("acme") for _ in range(6)], subscribed("globex")
    for one in (*many, few):
        waiting(one, 12)
    claims, _ = outbox.claim(room(10, per_tenant=6))
    assert Counter(claim.tenant for claim in claims) == {"acme": 6, "globex": 4}
    rest, _ = outbox.claim(room(10, per_tenant=6, acme=6))
    assert rest == []


def test_of_a_suspended_tenant_nothing_is_sent_and_nobody_asks_in_vain(
    sample: World, cast: Cast, outbox: Outbox
) -> None:
    waiting(subscribed("acme"), 4)
    Tenant.objects.filter(pk="acme").update(status="suspended")
    assert outbox.claim(room()) == ([], 1.0)
    Tenant.objects.filter(pk="acme").update(status="active")
    assert outbox.claim(room())[0]


def test_what_is_due_soon_is_looked_for_then(sample: World, cast: Cast, outbox: Outbox) -> None:
    waiting(subscribed("acme"), 1)
    Lane.objects.filter(waiting=1).update(due_at=SOON)
    claims, soonest = outbox.claim(room())
    assert claims == []
    assert 0 < soonest <= 0.5


def test_five_failures_leave_one_probe_and_the_first_success_wakes_all(
    sample: World, cast: Cast, outbox: Outbox
) -> None:
    to = subscribed("acme")
    waiting(to, 30)
    for _ in range(2):
        Lane.objects.filter(waiting__gt=0).update(due_at=PAST)
        claims, _ = outbox.claim(room())
        outbox.complete([ended(claim, Outcome.FAILED, 503) for claim in claims])
    endpoint = Endpoint.objects.get()
    assert (endpoint.state, endpoint.failures) == ("probing", 8)
    (probe,) = Lane.objects.filter(due_at__isnull=False)
    assert probe.head == min(Lane.objects.values_list("head", flat=True))
    assert 50 < (probe.due_at - timezone.now()).total_seconds() <= 60  # type: ignore[operator]
    Lane.objects.filter(pk=probe.pk).update(due_at=PAST)
    (claim,), _ = outbox.claim(room())
    outbox.complete([ended(claim, Outcome.DELIVERED, 204)])
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.failures, endpoint.reason) == ("healthy", 0, "")
    assert Lane.objects.filter(due_at__isnull=True, waiting__gt=0).count() == 0


def test_who_was_too_late_changes_nothing(sample: World, cast: Cast, outbox: Outbox) -> None:
    waiting(subscribed("acme"), 1)
    (claim,), _ = outbox.claim(room())
    Lane.objects.filter(pk=claim.lane).update(claimed_until=PAST)
    (again,), _ = Outbox("you", Completion(Schedule())).claim(room())
    assert (again.delivery, again.number) == (claim.delivery, 2)
    outbox.complete([ended(claim, Outcome.DELIVERED, 204)])
    assert Delivery.objects.get().state == "waiting"
    assert list(Attempt.objects.order_by("pk").values_list("outcome", flat=True)) == ["delivered", ""]


def ended(claim: object, outcome: Outcome, status: int) -> Ended:
    """How a claim ended."""
    return Ended(claim=claim, outcome=outcome, status=status, milliseconds=1)  # type: ignore[arg-type]


def test_those_who_made_us_wait_have_a_quarter_of_what_their_tenant_has(
    sample: World, cast: Cast, outbox: Outbox
) -> None:
    slow = [subscribed("acme") for _ in range(6)]
    well = [subscribed("acme") for _ in range(6)]
    for to in (*slow, *well):
        waiting(to, 1)
    there = room(per_tenant=12, each=1)
    for to in slow:
        there.allowed.learn(to.id, quick=False)
    claims, _ = outbox.claim(there)
    found = Counter(claim.subscription in {to.id for to in slow} for claim in claims)
    assert found == {False: 6, True: 3}
    there.allowed.learn(slow[0].id, quick=True)
    outbox.release(claims)
    again, _ = outbox.claim(there._replace(slow=Counter(acme=2)))
    assert len(again) == 8
