"""What subscriptions are called on the admin pages: so that two on one host can be told apart, and no secret
of a callback is shown where nobody needs it."""

import pytest
from django.conf import settings as configured
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from subscriptions import store
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import LIST, browser, shown, text
from tests.subscriptions.world import delivered, subscribed, subscription
from tests.world import Cast, World, small

__all__ = ["stored"]

DELIVERIES = "/admin/subscriptions/delivery/"
SECRET = "https://me:word@smo.example.com:8443/hooks/a/?token=key"


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


@pytest.mark.parametrize(
    ("own", "callback", "name"),
    [
        (None, "https://smo.example.com/a", "smo.example.com/a"),
        (None, "https://smo.example.com/", "smo.example.com"),
        ("smo-7", SECRET, "smo-7 at smo.example.com:8443/hooks/a"),
        (None, "http://[::1]:8080/x", "[::1]:8080/x"),
        ("n" * 200, "https://smo.example.com/a", "n" * 119 + "…"),
    ],
)
def test_a_name_is_the_subscribers_own_then_host_and_path(own: str | None, callback: str, name: str) -> None:
    assert subscription(consumer_id=own, callback=callback).name == name


def test_two_on_one_host_are_told_apart_by_title_list_and_search(root: Client) -> None:
    one = subscribed("acme", callback=SECRET, consumer_id="smo-7")
    other = subscribed("acme", callback="https://smo.example.com:8443/hooks/b")
    store.rebuild()
    page = text(root, LIST)
    assert "smo-7 https:// smo.example.com :8443/hooks/a" in page
    for hidden in ("me:word", "token=key"):
        assert hidden not in root.get(LIST).content.decode()
    for query, wanted in (
        ("SMO-7", [one.id]),
        ("smo-7+at+smo", [one.id]),
        ("hooks/B", [other.id]),
        ("hooks", [one.id, other.id]),
    ):
        assert sorted(shown(root, f"?name={query}")) == sorted(wanted)
    answer = root.get(f"{LIST}{one.id}/")
    assert answer.context["title"] == "smo-7 at smo.example.com:8443/hooks/a"
    html = answer.content.decode()
    assert "<title>smo-7 at smo.example.com:8443/hooks/a | Subscriptions" in html
    assert "&rsaquo; smo-7 at smo.example.com:8443/hooks/a</div>" in html


def test_deliveries_say_the_name_and_offer_it_in_their_form(
    root: Client, world: World, settings: Settings
) -> None:
    change = world.add("one", things=small(1)).source.changes.order_by("id")[0]
    one = subscribed("acme", callback=SECRET, consumer_id="smo-7")
    store.rebuild()
    row = delivered(one, change, state="dead")
    name = "smo-7 at smo.example.com:8443/hooks/a"

    def is_called() -> None:
        html = root.get(f"{DELIVERIES}?subscription={one.id}").content.decode()
        assert f'title="{one.id}">{name}</a> {one.id[:8]}' in html
        assert f'<option value="{one.id}">{name}</option>' in html
        assert f'<span class="words">{name}</span>' in html

    is_called()
    assert f"1 of {name}" in text(root, f"{DELIVERIES}{row.pk}/change/")
    assert f"{name} (" in text(root, f"{DELIVERIES}again/?state=dead")
    get_redis_connection("default").connection_pool.disconnect()
    settings.CACHES = {"default": {**configured.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    is_called()
