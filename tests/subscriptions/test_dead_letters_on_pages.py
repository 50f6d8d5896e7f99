"""Dead letters on the admin pages: whoever looks sees them, however healthy the endpoint is."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netweave.live import seen
from subscriptions import pulse, store
from subscriptions.models import Delivery
from tests.netweave.test_dashboard import links, section
from tests.subscriptions.conftest import stored
from tests.subscriptions.test_subscription_pages import LIST, browser, shown, text
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, small

__all__ = ["stored"]


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


class Scene:
    """Who refuses everything, who refused something long ago, and who takes all."""

    def __init__(self, world: World) -> None:
        changes = list(world.add("one", things=small(3)).source.changes.order_by("id"))
        now = timezone.now()
        self.refuses = subscribed("acme", callback="https://smo.example.com/a", consumer_id="smo-7")
        self.refused = subscribed("acme", callback="https://smo.example.com/b")
        self.takes = subscribed("globex", callback="https://smo.example.com/c")
        store.rebuild()
        dead: dict[str, Any] = {"state": "dead", "outcome": "refused", "status": 400, "attempts": 3}
        for change, hours in zip(changes[:3], (50, 3, 2), strict=True):
            delivered(self.refuses, change, ended_at=now - timedelta(hours=hours), **dead)
        delivered(self.refused, changes[0], ended_at=now - timedelta(hours=25), **dead)
        delivered(self.takes, changes[0], ended_at=now)


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def test_the_dashboard_names_who_has_them_and_each_number_leads_there(root: Client, scene: Scene) -> None:
    html = section(root, "sending")
    found = dict(links(html))
    assert "0 ▲ probing" in found
    who: Any = root.get(found["1 with dead letters in 24 h"])
    assert [row["id"] for row in who.context["rows"]] == [scene.refuses.id]
    assert found["smo-7 at smo.example.com/a"] == f"{LIST}{scene.refuses.id}/"
    letters: Any = root.get(found["3 dead letters"])
    assert {row.subscription.hex for row in letters.context["cl"].result_list} == {
        scene.refuses.id.replace("-", "")
    }
    assert len(letters.context["cl"].result_list) == 3
    assert "the last 2 hours ago" in text(root, "/admin/").replace("\xa0", " ")


def test_the_dashboard_shows_the_latest_and_how_many_more(
    root: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    Delivery.objects.filter(state="dead").update(ended_at=timezone.now())
    monkeypatch.setattr(pulse, "COUNTED", 1)
    monkeypatch.setattr("subscriptions.pulse.MANY", 0)
    monkeypatch.setattr("subscriptions.admin.words.MANY", 0)
    found = dict(links(section(root, "sending")))
    assert "2 with dead letters in 24 h" in found
    assert len(shown(root, found["1 more"].partition("/subscription/")[2])) == 2
    assert "over 0 dead letters" in found


def test_there_are_none_where_nothing_was_given_up(root: Client) -> None:
    assert "0 with dead letters in 24 h" in dict(links(section(root, "sending")))


def test_the_list_and_the_page_count_those_that_are_kept(root: Client, scene: Scene) -> None:
    html = root.get(LIST).content.decode()
    for one, many in ((scene.refuses, 3), (scene.refused, 1), (scene.takes, 0)):
        link = f'?subscription={one.id}&amp;state=dead" data-live="{one.id}.dead">{many}</a>'
        assert link in html
        assert link in root.get(f"{LIST}{one.id}/").content.decode()
        assert seen([one.id])[f"{one.id}.dead"] == (str(many), "")
    assert seen([])["dead"] == ("1", "")
    assert shown(root, "?deadLetters=24h") == [scene.refuses.id]
    assert "Dead letters must be one of 24h." in text(root, f"{LIST}?deadLetters=7d")


def test_of_one_no_more_than_a_thousand_are_counted(root: Client, scene: Scene) -> None:
    Delivery.objects.bulk_create(
        Delivery(subscription=scene.takes.id, lane=0, sequence=number, state="dead", ended_at=timezone.now())
        for number in range(10, 1012)
    )
    assert f'data-live="{scene.takes.id}.dead">over 1000</a>' in root.get(LIST).content.decode()


def test_what_is_asked_finds_them_by_their_index(root: Client, scene: Scene) -> None:
    """Where the planner may not walk through all there were, and however few questions."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {pulse._DEAD}", [timezone.now(), 10, 1001])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert plan.count("delivery_dead_of_one") == 2, plan
    with CaptureQueriesContext(connection) as asked:
        assert root.get(LIST).status_code == 200
    assert len(asked) <= 12
