"""The audit pages say what was done to a subscription: not only that it was updated."""

import pytest
from django.test import Client

from subscriptions import store
from subscriptions.models import Delivery
from tenancy.admin.words import deed_word
from tenancy.audit import Deed, append
from tenancy.trail import AuditEntry
from tests.netweave.test_dashboard import section
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import LIST, browser, text
from tests.subscriptions.world import subscribed
from tests.world import Cast

__all__ = ["stored"]


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_what_is_done_at_the_pages_is_told_apart_in_the_list_and_on_the_dashboard(root: Client) -> None:
    one = subscribed("acme", consumer_id="smo-7", callback="https://smo.example.com/a")
    store.rebuild()
    for act in ("test", "pause", "resume", "rotate"):
        root.post(f"{LIST}{one.id}/{act}/", {"reason": "TICKET-7"})
    Delivery.objects.update(state="dead")
    again = "/admin/subscriptions/delivery/again/?state=dead"
    root.post(again, {"reason": "TICKET-7"})
    page = text(root, "/admin/tenancy/auditentry/")
    for words in (
        "send test to Subscription",
        "pause Subscription",
        "resume Subscription",
        "rotate secret of Subscription",
        "send again to Subscription",
    ):
        assert f"{words} smo-7 at smo.example.com/a" in page, words
        assert words in section(root, "done"), words
        entry = AuditEntry.objects.filter(action="update").latest("pk")
    assert "send again to Subscription" in text(root, f"/admin/tenancy/auditentry/{entry.pk}/change/")


@pytest.mark.parametrize(
    ("kind", "action", "after", "words"),
    [
        ("Subscription", "update", {"replayed": 3, "more": True}, "send again to Subscription"),
        ("Subscription", "update", {"callback": "https://x", "filter": {}}, "update Subscription"),
        ("Subscription", "update", {"state": "other"}, "update Subscription"),
        ("Subscription", "update", ["state"], "update Subscription"),
        ("Subscription", "update", None, "update Subscription"),
        ("Subscription", "create", {"state": "healthy"}, "create Subscription"),
        ("ResourcePool", "update", {"state": "healthy"}, "update ResourcePool"),
    ],
)
def test_only_what_says_so_is_more_than_an_update(
    db: None, kind: str, action: str, after: object, words: str
) -> None:
    append([Deed(actor="x").entry(action, kind, "1", after=after)])
    assert deed_word(AuditEntry.objects.get()) == words


def test_an_entry_that_somebody_has_spoiled_is_shown_still() -> None:
    spoiled = AuditEntry(kind="Subscription", action="update", after='{"state": ')
    assert deed_word(spoiled) == "update Subscription"
