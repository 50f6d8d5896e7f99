"""The admin pages of subscriptions: what they say, to whom, and what can be done there."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.utils import timezone
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from subscriptions import journal, store
from subscriptions.models import Attempt, Delivery, Endpoint, Lane
from subscriptions.subscription import Subscription
from tenancy.trail import AuditEntry
from tests.subscriptions.conftest import stored
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, small

__all__ = ["stored"]

LIST = "/admin/subscriptions/subscription/"
ACTS = ("test", "pause", "resume", "rotate", "delete")
COMMITS = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def browser(cast: Cast, name: str) -> Client:
    client = Client()
    client.force_login(cast.users[name])
    return client


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


def there(*given: Subscription) -> None:
    store.rebuild()


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"{LIST}{query}")
    assert answer.status_code == 200
    return [row["id"] for row in answer.context["rows"]]


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition('id="content"')[2]).split())


def tried(row: Delivery, outcome: str, status: int | None, **facts: Any) -> Attempt:
    now = timezone.now()
    given = {"started_at": now, "ended_at": now, "milliseconds": 12, **facts}
    return Attempt.objects.create(delivery=row, number=1, worker="w", outcome=outcome, status=status, **given)


class TestTheList:
    def test_says_how_each_does(self, root: Client, world: World) -> None:
        changes = world.add("one", things=small(3)).source.changes.order_by("id")
        one = subscribed("acme", callback="https://smo.example.com/a", filter={"eventTypes": ["CREATE"]})
        other = subscribed(None, callback="https://other.example.org:8443/b")
        Endpoint.objects.filter(pk=other.id).update(state="probing")
        there()
        old = timezone.now() - timedelta(minutes=2)
        for change in changes[:3]:
            tried(delivered(one, change), "delivered", 204)
        waits = delivered(other, changes[0], state="waiting", outcome="failed", status=503)
        Delivery.objects.filter(pk=waits.pk).update(created_at=timezone.now() - timedelta(hours=3))
        tried(waits, "failed", 503)
        Lane.objects.filter(endpoint_id=one.id, number=1).update(last_at=old, last_outcome="delivered")
        Lane.objects.filter(endpoint_id=other.id, number=2).update(
            last_at=old, last_outcome="failed", last_status=503
        )
        page = text(root, f"{LIST}?tenantId=acme")
        for words in ("acme", "● healthy", "Delivered 2 minutes ago", "100 %", "{&quot;eventTypes&quot;"):
            assert words in page.replace("\xa0", " "), words
        html = root.get(LIST).content.decode()
        assert "https://<strong>smo.example.com</strong>/a" in html
        assert "https://<strong>other.example.org</strong>:8443/b" in html
        page = text(root, f"{LIST}?tenantId=the+platform").replace("\xa0", " ")
        for words in ("▲ probing", "✕ Failed: 503 , 2 minutes ago", "3 hours ago", "0 %", "the platform"):
            assert words in page, words
        assert f'state=waiting" data-live="{other.id}.waiting">1</a>' in html

    def test_is_narrowed_by_its_url(self, root: Client) -> None:
        one = subscribed("acme", callback="https://smo.example.com/a")
        two = subscribed("globex", callback="https://smo.example.org/b")
        Endpoint.objects.filter(pk=two.id).update(state="suspended")
        there()
        assert sorted(shown(root)) == sorted([one.id, two.id])
        for query, wanted in (
            ("?tenantId=acme", [one.id]),
            ("?state=suspended", [two.id]),
            ("?host=EXAMPLE.org&state=", [two.id]),
            (f"?id={one.id[:8]}", [one.id]),
            ("?tenantId=acme&state=suspended", []),
        ):
            assert shown(root, query) == wanted, query
        assert "No subscriptions fit" in text(root, f"{LIST}?tenantId=initech")
        for query, fault in (("state=well", "State must be one of"), ("x=1", "x is not known here")):
            page = text(root, f"{LIST}?{query}")
            assert fault in page.partition("Nothing is shown for a selection that is wrong.")[0]
            assert shown(root, f"?{query}") == []

    def test_goes_on_where_a_page_ended(self, root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("subscriptions.admin.subscriptions.PER_PAGE", 2)
        ids = sorted(subscribed("acme").id for _ in range(5))
        there()
        seen, query = [], ""
        for _ in range(3):
            answer = root.get(f"{LIST}?{query}")
            seen += [row["id"] for row in answer.context["rows"]]
            query = answer.context["next"]
        assert seen == ids
        assert query == ""

    def test_is_explained_where_there_are_none(self, root: Client) -> None:
        there()
        assert "There are no subscriptions. Subscribers make them" in text(root, LIST)

    def test_is_the_journals_where_redis_is_away_and_says_so(self, root: Client, settings: Settings) -> None:
        one = subscribed("acme")
        assert "Redis is behind the journal by" in text(root, LIST)
        get_redis_connection("default").connection_pool.disconnect()
        settings.CACHES = {"default": {**configured.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
        assert "cannot be reached (ConnectionError)" in text(root, LIST)
        assert shown(root, "?tenantId=acme") == [one.id]
        assert "cannot be reached (ConnectionError)" in text(root, f"{LIST}{one.id}/")

    def test_costs_few_questions(self, root: Client, django_assert_max_num_queries: Any) -> None:
        for _ in range(30):
            subscribed("acme")
        there()
        with django_assert_max_num_queries(12):
            assert len(shown(root)) == 30


class TestOne:
    def test_shows_its_facts_and_never_a_secret(self, root: Client, cast: Cast) -> None:
        one = subscribed("acme", consumer_id="smo-7", created_by="alice@acme")
        there()
        page = root.get(f"{LIST}{one.id}/").content.decode()
        for words in (one.id, "smo-7", "alice@acme", "● healthy", "one secret", "everything"):
            assert words in page, words
        assert "whsec_" not in page
        assert one.secrets[0] not in page
        for title in ("Send test", "Pause", "Rotate secret", "Delete"):
            assert f"<summary>{title}</summary>" in page
        assert "<summary>Resume</summary>" not in page
        for path in (f"{LIST}1/", f"{LIST}5a0f5f0e-1f7c-4e5e-9d0b-0a6c3f1f7b20/"):
            answer = root.get(path, follow=True)
            assert "There is no subscription" in answer.content.decode()

    def test_is_only_read_by_who_may_not_change_it(self, root: Client, cast: Cast) -> None:
        cast.join("carol", None, "TenantAdmin")
        one = subscribed("acme")
        there()
        for name in ("carol", "iris"):
            client = browser(cast, name)
            page = client.get(f"{LIST}{one.id}/").content.decode()
            assert one.id in page
            assert "<summary>" not in page
            for act in ACTS:
                assert client.post(f"{LIST}{one.id}/{act}/", {"reason": "x"}).status_code == 403
        assert journal.current(one.id) == one
        assert Endpoint.objects.get(pk=one.id).state == "healthy"

    def test_is_nobodys_without_a_role_of_the_platform(self, stored: None, cast: Cast) -> None:
        one = subscribed("acme")
        for who in ("alice", "bob"):
            client = browser(cast, who)
            for path in (LIST, f"{LIST}{one.id}/"):
                assert client.get(path)["Location"].startswith("/admin/login/")

    def test_is_not_done_anything_to_without_a_reason(self, root: Client) -> None:
        one = subscribed("acme")
        there()
        for act in ACTS:
            answer = root.post(f"{LIST}{one.id}/{act}/", {"reason": "  "})
            assert answer.status_code == 200
            assert root.get(f"{LIST}{one.id}/{act}/").status_code == 405
        assert "Say why" in answer.content.decode()
        assert set(told(one).values_list("result", flat=True)) == {"error"}
        assert Endpoint.objects.get(pk=one.id).state == "healthy"
        assert journal.current(one.id) == one


def told(one: Subscription) -> Any:
    return AuditEntry.objects.filter(object_id=one.id, method="POST").order_by("pk")


@COMMITS
class TestWhatIsDone:
    def do(self, root: Client, one: Subscription, act: str) -> Any:
        answer = root.post(f"{LIST}{one.id}/{act}/", {"reason": f"TICKET-7 {act}"}, follow=True)
        assert answer.status_code == 200
        return answer

    def test_is_told_once_with_its_reason(self, root: Client, cast: Cast) -> None:
        one = subscribed("acme", callback="https://smo.example.com/a")
        there()
        assert "A test is on its way to smo.example.com" in self.do(root, one, "test").content.decode()
        assert Delivery.objects.get(subscription=one.id).change is None
        self.do(root, one, "pause")
        endpoint = Endpoint.objects.get(pk=one.id)
        assert (endpoint.state, endpoint.reason) == ("suspended", "paused by root: TICKET-7 pause")
        assert not Lane.objects.filter(endpoint_id=one.id, due_at__isnull=False).exists()
        assert "1 notification to smo.example.com/a: tried at once" in text(root, f"{LIST}{one.id}/")
        self.do(root, one, "resume")
        assert Endpoint.objects.get(pk=one.id).state == "healthy"
        page = self.do(root, one, "delete").content.decode()
        assert "has ended" in page
        assert journal.current(one.id) is None
        assert shown(root) == []
        brief = [
            (e.actor, e.action, e.kind, e.label, e.tenant, e.result, e.reason.split()[-1], e.authentication)
            for e in told(one)
        ]
        assert brief == [
            ("root", action, "Subscription", "smo.example.com/a", "acme", "success", act, "session")
            for act, action in (
                ("test", "update"),
                ("pause", "update"),
                ("resume", "update"),
                ("delete", "delete"),
            )
        ]

    def test_to_a_secret_shows_the_new_one_once(self, root: Client) -> None:
        one = subscribed("acme")
        there()
        answer = self.do(root, one, "rotate")
        (secret,) = set(re.findall(r"whsec_[\w+/=]+", answer.content.decode()))
        assert "no-store" in answer["Cache-Control"]
        assert "messages" not in answer.cookies
        now = journal.current(one.id)
        assert now is not None
        assert now.signing_secrets(timezone.now())[0] == secret
        assert "whsec_" not in root.get(f"{LIST}{one.id}/").content.decode()
        (entry,) = told(one)
        assert json.loads(entry.after) == {"secret": "rotated"}

    def test_is_nothing_where_redis_is_away(self, root: Client, settings: Settings) -> None:
        one = subscribed("acme")
        there()
        get_redis_connection("default").connection_pool.disconnect()
        settings.CACHES = {"default": {**configured.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
        assert "nothing was done" in self.do(root, one, "rotate").content.decode()
        assert journal.current(one.id) == one
        (entry,) = told(one)
        assert entry.result == "error"
