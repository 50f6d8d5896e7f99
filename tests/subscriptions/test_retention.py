"""What is forgotten of deliveries, and what is kept."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from o2ims.models import Change
from subscriptions import retention
from subscriptions.models import Delivery, Endpoint
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World

pytestmark = pytest.mark.usefixtures("stored")


def test_deliveries_of_those_that_have_ended_go_and_of_the_others_what_ended_long_ago(
    sample: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    stays, first, second = subscribed("acme"), subscribed("acme"), subscribed("globex")
    changes = list(Change.objects.filter(tenant="acme").order_by("pk")[:5])
    for change in changes:
        for to in (stays, first, second):
            delivered(to, change, ended_at=timezone.now())
    delivered(stays, changes[0], state="waiting", attempts=0)
    Endpoint.objects.filter(pk__in=[first.id, second.id]).delete()
    assert retention.tidy() == 10
    assert set(Delivery.objects.values_list("subscription", flat=True).distinct()) == {
        Endpoint.objects.get().pk
    }
    assert retention.tidy() == 0
    old = Delivery.objects.filter(state="delivered").order_by("sequence")[:3]
    Delivery.objects.filter(pk__in=old.values("pk")).update(ended_at=Now() - timedelta(days=8))
    assert retention.tidy() == 3
    assert list(Delivery.objects.order_by("sequence").values_list("sequence", "state")) == [
        (4, "delivered"),
        (5, "delivered"),
        (6, "waiting"),
    ]
