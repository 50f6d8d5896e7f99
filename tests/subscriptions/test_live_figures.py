"""What comes by itself to a page of a subscription: all that its figures say, of one moment."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netweave.live import seen
from subscriptions import store
from subscriptions.models import Delivery, Endpoint, Lane
from tenancy.times import ago, clock, until
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import LIST, browser, text, tried
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, small

__all__ = ["stored"]


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


def test_every_figure_is_told_with_why_the_endpoint_is_suspended(root: Client, world: World) -> None:
    change = world.add("one", things=small(1)).source.changes.order_by("id")[0]
    one = subscribed("acme")
    store.rebuild()
    long_ago = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    row = delivered(one, change, state="waiting", outcome="gone", status=410)
    Delivery.objects.filter(pk=row.pk).update(created_at=long_ago)
    tried(row, "gone", 410)
    Endpoint.objects.filter(pk=one.id).update(
        state="suspended", state_since=long_ago, reason="it answered 410"
    )
    Lane.objects.filter(endpoint_id=one.id, waiting=1).update(
        last_at=long_ago, last_outcome="gone", last_status=410
    )
    told = {place.partition(".")[2]: what for place, what in seen([one.id]).items() if one.id in place}
    assert told == {
        "state": ("✕ suspended", "state state-down"),
        "since": ("since 2026-01-02 03:04:05 UTC: it answered 410", ""),
        "waiting": ("1", ""),
        "oldest": ("since 2026-01-02 03:04:05 UTC", ""),
        "rate": ("0 %", ""),
        "dead": ("0", ""),
        "last": ("✕ Failed: 410, at 2026-01-02 03:04:05 UTC", ""),
    }
    html = root.get(f"{LIST}{one.id}/").content.decode()
    for place in told:
        assert f'data-live="{one.id}.{place}"' in html, place
    Endpoint.objects.filter(pk=one.id).update(state="healthy", reason="")
    assert seen([one.id])[f"{one.id}.since"] == ("since 2026-01-02 03:04:05 UTC", "")


def test_the_figures_of_one_come_from_one_question(root: Client) -> None:
    one = subscribed("acme")
    store.rebuild()
    for look in (lambda: seen([one.id]), lambda: root.get(f"{LIST}{one.id}/")):
        with CaptureQueriesContext(connection) as asked:
            look()
        assert len([sql for sql in asked if "state_since" in sql["sql"]]) == 1
        assert len(asked) <= 12


def test_the_newest_deliveries_of_one_say_as_of_when(root: Client) -> None:
    one = subscribed("acme")
    store.rebuild()
    now = f"{timezone.now():%Y-%m-%d %H:%M}"
    assert f"The newest, as of {now}" in text(root, f"{LIST}{one.id}/")
    assert f'<a href="{LIST}{one.id}/">Reload</a>' in root.get(f"{LIST}{one.id}/").content.decode()


def test_one_second_is_no_seconds() -> None:
    now = timezone.now()
    assert ">1 second ago<" in ago(now - timedelta(seconds=1.4))
    assert ">2 seconds ago<" in ago(now - timedelta(seconds=2.4))
    assert ">in 1 second<" in until(now + timedelta(seconds=1.9))
    assert clock(now) == f"{now:%H:%M:%S} UTC"
    assert clock(now - timedelta(days=1)) == f"{now - timedelta(days=1):%Y-%m-%d %H:%M:%S} UTC"
