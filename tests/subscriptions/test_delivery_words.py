"""What the admin pages say of a delivery whose attempts were counted anew, or whose endpoint is suspended."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from subscriptions import endpoint, journal, store
from subscriptions.models import Attempt, Delivery
from subscriptions.subscription import Subscription
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import LIST, browser, text, tried
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, small

__all__ = ["stored"]

DELIVERIES = "/admin/subscriptions/delivery/"


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


@pytest.fixture
def one(root: Client) -> Subscription:
    found = subscribed("acme", callback="https://smo.example.com/a")
    store.rebuild()
    return found


@pytest.fixture
def gone(world: World, one: Subscription) -> Delivery:
    """What was answered with 410, twice."""
    change = world.add("one", things=small(1)).source.changes.order_by("id")[0]
    row = delivered(one, change, state="waiting", outcome="gone", status=410, attempts=2)
    for _ in range(2):
        tried(row, "gone", 410)
    endpoint.suspend(one.id, "it answered 410 Gone")
    return row


def field(client: Client, row: Delivery, name: str) -> str:
    page = text(client, f"{DELIVERIES}{row.pk}/change/")
    return page.partition(f"{name}: ")[2].strip()


def test_attempts_before_it_was_resumed_are_told_from_those_after(
    root: Client, one: Subscription, gone: Delivery
) -> None:
    assert field(root, gone, "Attempts").startswith("2 Next try")
    assert "before it was resumed" not in text(root, DELIVERIES)
    endpoint.resume(one.id)
    anew = "gone, 410, 12 ms, before it was resumed or sent again"
    assert anew in text(root, DELIVERIES)
    assert anew in text(root, f"{LIST}{one.id}/")
    assert field(root, gone, "Attempts").startswith("0 since it was resumed or sent again, 2 in all Next try")
    Attempt.objects.create(delivery=gone, number=1, worker="w", started_at=timezone.now())
    words = "0 since it was resumed or sent again, 2 in all, and one under way Next try"
    assert field(root, gone, "Attempts").startswith(words)


def test_what_is_suspended_is_tried_when_it_is_resumed(
    root: Client, one: Subscription, gone: Delivery
) -> None:
    endpoint.send_test(one.id, lambda _: None)
    for row in Delivery.objects.all():
        assert field(root, row, "Next try").startswith("when it is resumed")
    assert text(root, DELIVERIES).count("when it is resumed") == 2
    endpoint.resume(one.id)
    assert field(root, gone, "Next try").startswith("now")


def test_the_page_of_a_subscription_names_the_objects(
    root: Client, one: Subscription, gone: Delivery
) -> None:
    endpoint.send_test(one.id, lambda _: None)
    change = gone.change
    assert change is not None
    assert change.after is not None
    url, name = f"/admin/o2ims/change/{change.pk}/change/", change.after["name"]
    link = f'<a href="{url}" title="{change.object_id}">{name}</a>'
    html = root.get(f"{LIST}{one.id}/").content.decode()
    assert f'<td>CREATE</td><td class="object">{change.kind} {link}</td>' in html
    assert '<td>test</td><td class="object">-</td>' in html


def test_the_pages_of_one_cost_few_questions(root: Client, one: Subscription, gone: Delivery) -> None:
    for path in (f"{LIST}{one.id}/", f"{DELIVERIES}{gone.pk}/change/", DELIVERIES):
        with CaptureQueriesContext(connection) as asked:
            assert root.get(path).status_code == 200
        assert len(asked) <= 12, [sql["sql"] for sql in asked]


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_two_secrets_sign_until_a_time_in_utc_to_the_second(root: Client, one: Subscription) -> None:
    answer = root.post(f"{LIST}{one.id}/rotate/", {"reason": "TICKET-7"})
    now = journal.current(one.id)
    assert now is not None
    ends = now.two_until(timezone.now())
    assert ends is not None
    words = f"{ends:%Y-%m-%d %H:%M:%S} UTC"
    assert f"The old secret signs beside the new one until {words}." in answer.content.decode()
    assert f"two secrets until {words}, which nobody is shown" in text(root, f"{LIST}{one.id}/")
    assert now.two_until(ends) is None
    assert one.two_until(ends - timedelta(hours=1)) is None
