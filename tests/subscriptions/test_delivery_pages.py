"""The admin pages of deliveries: selected, read, taken away and sent again."""

import csv
import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from o2ims.models import Change
from subscriptions import store
from subscriptions.admin.selecting import SelectionFilter
from subscriptions.models import Delivery, Endpoint, Lane
from subscriptions.selection import NAMES
from subscriptions.subscription import Subscription
from tenancy.trail import AuditEntry
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import browser, tried
from tests.subscriptions.test_subscription_pages import text as words_of
from tests.subscriptions.world import delivered, subscribed
from tests.tenancy.test_audit_pages_closed import text
from tests.world import Cast, World, small

__all__ = ["stored"]

LIST = "/admin/subscriptions/delivery/"
DOCS = (Path(__file__).parents[2] / "docs" / "operations" / "subscriptions.md").read_text()


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


class Scene:
    """Two subscriptions, of acme and of globex, and what they were told."""

    def __init__(self, world: World) -> None:
        self.changes = list(world.add("one", things=small(3)).source.changes.order_by("id"))
        self.acme = subscribed("acme", callback="https://smo.example.com/a")
        self.globex = subscribed("globex", callback="https://smo.example.org/b")
        store.rebuild()
        Change.objects.filter(pk=self.changes[1].pk).update(request_id="r-1")
        self.arrived = delivered(self.acme, self.changes[0])
        self.dead = delivered(self.acme, self.changes[1], state="dead", outcome="refused", status=422)
        self.silent = delivered(self.globex, self.changes[1], state="dead", outcome="timeout", status=None)
        self.waits = delivered(self.globex, self.changes[2], state="waiting", outcome="failed", status=503)


@pytest.fixture
def scene(world: World, root: Client) -> Scene:
    return Scene(world)


def listed(client: Client, query: str = "") -> list[int]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


class TestASelection:
    @pytest.mark.parametrize("name", [name for name in NAMES if name not in SelectionFilter.hidden])
    def test_is_documented_by_the_names_in_its_link(self, name: str) -> None:
        assert f"`{name}`" in DOCS, name

    def test_combines_what_the_link_says(self, root: Client, scene: Scene) -> None:
        s = scene
        every = [s.waits.pk, s.silent.pk, s.dead.pk, s.arrived.pk]
        tried(s.waits, "failed", 503)
        now = f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}"
        for query, wanted in (
            ("", every),
            ("state=dead", [s.silent.pk, s.dead.pk]),
            ("tenantId=acme", [s.dead.pk, s.arrived.pk]),
            ("statusClass=2xx", [s.arrived.pk]),
            ("statusClass=4xx&state=dead", [s.dead.pk]),
            ("statusClass=5xx", [s.waits.pk]),
            ("statusClass=none", [s.silent.pk]),
            (f"subscription={s.globex.id}&state=waiting", [s.waits.pk]),
            ("requestId=r-1&tenantId=", [s.silent.pk, s.dead.pk]),
            ("from=2020-01-01&to=2020-01-02", []),
            ("from=2020-01-01", every),
            (f"tried=failed&triedFrom=2020-01-01&triedTo={now}", []),
            ("tried=failed&triedFrom=2020-01-01", [s.waits.pk]),
            (f"ids={s.dead.pk},{s.arrived.pk}", [s.dead.pk, s.arrived.pk]),
        ):
            assert listed(root, query) == wanted, query

    def test_that_is_wrong_is_told_and_shows_nothing(self, root: Client, scene: Scene) -> None:
        for query, fault in (
            ("from=yesterday", "From must be a date or a time"),
            ("state=lost", "State must be one of waiting, delivered, dead."),
            ("statusClass=9xx", "Status must be one of"),
            ("subscription=x", "Subscription must be a UUID."),
            ("ids=1;2", "Ids must be ids"),
            ("x=1", "x is not known here"),
        ):
            page = words_of(root, f"{LIST}?{query}")
            assert fault in page.partition("Nothing is shown for a selection that is wrong.")[0]
            assert "No deliveries fit" not in page
            assert fault in page.partition("selection that is wrong.")[2], "beside it too"
            assert listed(root, query) == []
            for path in ("export/csv/", "again/"):
                led = root.get(f"{LIST}{path}?{query}", follow=True)
                assert fault in led.content.decode()


def test_the_list_says_what_was_told_and_what_came_of_it(root: Client, scene: Scene) -> None:
    tried(scene.waits, "failed", 503, milliseconds=214)
    Lane.objects.filter(endpoint_id=scene.globex.id, waiting=1).update(due_at=timezone.now())
    page = words_of(root, LIST)
    for words in (
        scene.acme.id[:8],
        "globex",
        "CREATE",
        "ResourcePool pool-1",
        "● delivered",
        "✕ dead letter",
        "○ waiting",
        "delivered, 204",
        "failed, 503",
        "timeout",
        "214",
        "now",
    ):
        assert words in page, words


def test_a_page_costs_few_questions_and_counts_nothing(root: Client, world: World) -> None:
    changes = world.add("one", things=small(70)).source.changes.order_by("id")
    to = [subscribed("acme") for _ in range(5)]
    store.rebuild()
    for number, change in enumerate(changes):
        tried(delivered(to[number % 5], change), "delivered", 204)
    with CaptureQueriesContext(connection) as asked:
        assert len(listed(root)) == 50
    questions = [one["sql"] for one in asked]
    assert len(questions) <= 12, questions
    assert not [sql for sql in questions if "COUNT(" in sql]
    answer = root.get(LIST)
    assert len(listed(root, answer.context["cl"].older[1:])) == len(changes) - 50


class TestOne:
    def test_shows_the_request_the_answer_and_every_attempt(self, root: Client, scene: Scene) -> None:
        tried(scene.dead, "failed", 503, answer="<script>x</script>")
        tried(scene.dead, "refused", 422, answer="I know no <b>pools</b>")
        page = root.get(f"{LIST}{scene.dead.pk}/change/").content.decode()
        words = words_of(root, f"{LIST}{scene.dead.pk}/change/")
        for wanted in (
            "POST https://smo.example.com/a",
            "webhook-signature",
            "o2-sequence",
            "&quot;notificationEventType&quot;: 0",
            "&quot;postObjectState&quot;",
            "I know no &lt;b&gt;pools&lt;/b&gt;",
            "this notification was refused",
            "What the subscriber should verify",
            "Class: refused",
        ):
            assert wanted in words, wanted
        assert '<svg class="line-of-time" role="img" aria-label="2 attempts' in page
        assert page.count('class="failed"') == 2
        assert "<script>x" not in page
        assert "whsec_…" not in page
        assert scene.acme.secrets[0] not in page
        message = re.search(r"webhook-id</th><td>(\w+)</td>", page)
        assert message is not None
        assert f'"notificationId": "{message[1]}"' in unescape(page)

    def test_of_a_test_or_an_ended_subscription_is_shown_too(self, root: Client, scene: Scene) -> None:
        test = Delivery.objects.create(subscription=scene.acme.id, lane=0, sequence=99)
        assert "&quot;test&quot;: true" in words_of(root, f"{LIST}{test.pk}/change/")
        assert "It was not tried yet." in words_of(root, f"{LIST}{test.pk}/change/")
        orphan = Delivery.objects.create(
            subscription="5a0f5f0e-1f7c-4e5e-9d0b-0a6c3f1f7b20", lane=0, sequence=1
        )
        assert "Its subscription has ended" in words_of(root, f"{LIST}{orphan.pk}/change/")
        assert "ended" in words_of(root, LIST)


class TestAnExport:
    def test_is_all_that_is_selected_and_an_entry_itself(self, root: Client, scene: Scene) -> None:
        page = root.get(f"{LIST}?state=dead").content.decode()
        path = unescape(page.partition('" download>Export as CSV')[0].rpartition('href="')[2])
        answer = root.get(path)
        assert answer["Content-Disposition"] == 'attachment; filename="deliveries.csv"'
        rows = list(csv.DictReader(io.StringIO(text(answer).decode())))
        assert [row["id"] for row in rows] == [str(scene.silent.pk), str(scene.dead.pk)]
        assert (rows[1]["tenantId"], rows[1]["objectName"], rows[1]["status"]) == ("acme", "pool-1", "422")
        lines = [json.loads(line) for line in text(root.get(path.replace("csv", "jsonl"))).splitlines()]
        assert [str(line["id"]) for line in lines] == [row["id"] for row in rows]
        entry = AuditEntry.objects.filter(action="export").earliest("pk")
        assert (entry.actor, entry.kind, entry.status) == ("root", "Delivery", 200)
        assert json.loads(entry.after or "")["selection"] == {"state": "dead"}
        assert root.get(f"{LIST}export/xlsx/").status_code == 404

    def test_is_for_who_may_read(self, scene: Scene, cast: Cast) -> None:
        iris = browser(cast, "iris")
        assert iris.get(f"{LIST}export/csv/").status_code == 200
        page = iris.get(LIST).content.decode()
        assert "Export as CSV" in page
        assert "Send again" not in page
        assert iris.get(f"{LIST}again/").status_code == 403
        assert iris.post(f"{LIST}again/", {"reason": "x"}).status_code == 403
        assert browser(cast, "alice").get(f"{LIST}export/csv/").status_code == 302


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestSendAgain:
    def again(self, root: Client, query: str, **form: str) -> Any:
        return root.post(f"{LIST}again/?{query}", form, follow=True)

    def waiting(self, to: Subscription) -> int:
        return sum(lane.waiting for lane in Lane.objects.filter(endpoint_id=to.id))

    def test_says_how_many_needs_a_reason_and_is_told_for_each(self, root: Client, scene: Scene) -> None:
        page = root.get(f"{LIST}again/?state=dead")
        assert page.context["title"] == "Send 2 notifications again to 2 subscribers"
        assert "smo.example.org" in page.content.decode()
        assert "Say why" in self.again(root, "state=dead").content.decode()
        assert Delivery.objects.filter(state="dead").count() == 2
        done = self.again(root, "state=dead", reason="TICKET-9", through=str(scene.waits.pk))
        assert "2 sent again, to 2 subscribers." in done.content.decode()
        assert not Delivery.objects.filter(state="dead").exists()
        assert [self.waiting(scene.acme), self.waiting(scene.globex)] == [1, 2]
        entries = AuditEntry.objects.filter(kind="Subscription", reason="TICKET-9").order_by("tenant")
        assert [(e.tenant, e.label, json.loads(e.after or "")) for e in entries] == [
            ("acme", "smo.example.com/a", {"replayed": 1}),
            ("globex", "smo.example.org/b", {"replayed": 1}),
        ]

    def test_of_chosen_ones_leads_to_the_question(self, root: Client, scene: Scene) -> None:
        chosen = {
            "action": "send_again",
            "_selected_action": [scene.dead.pk, scene.arrived.pk, scene.waits.pk],
        }
        answer = root.post(LIST, chosen, follow=True)
        assert answer.context["title"] == "Send 2 notifications again to 1 subscriber"
        assert "Those that wait are left out" in answer.content.decode()
        query = answer.request["QUERY_STRING"]
        self.again(root, query, reason="again")
        assert self.waiting(scene.acme) == 2
        assert Delivery.objects.filter(state="waiting").count() == 3

    def test_leaves_out_what_has_come_since_it_was_asked(self, root: Client, scene: Scene) -> None:
        through = str(root.get(f"{LIST}again/?tenantId=acme").context["through"])
        late = delivered(scene.acme, scene.changes[3], state="dead")
        self.again(root, "tenantId=acme", reason="x", through=through)
        late.refresh_from_db()
        assert (late.state, self.waiting(scene.acme)) == ("dead", 2)

    def test_of_nothing_or_too_many_is_not_offered(
        self, root: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "None of what is selected has ended" in words_of(root, f"{LIST}again/?state=waiting")
        monkeypatch.setattr("subscriptions.again.MOST", 2)
        assert "3 match, and at most 2" in words_of(root, f"{LIST}again/")
        self.again(root, "", reason="x")
        assert Delivery.objects.filter(state="waiting").count() == 1
        Endpoint.objects.all().delete()
        assert "None of what is selected" in words_of(root, f"{LIST}again/?state=dead")
