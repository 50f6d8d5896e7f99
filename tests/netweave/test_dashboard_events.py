"""The dashboard's panel of deliveries: what it counts is what its links show."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from subscriptions import pulse, store
from subscriptions.models import Attempt, Delivery, Endpoint
from tests.netweave.test_dashboard import browser, links, section
from tests.subscriptions.conftest import stored
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, small

__all__ = ["stored"]


@pytest.fixture
def root(stored: None, cast: Cast) -> Client:
    return browser(cast, "root")


def tried(row: Delivery, outcome: str, *, ago: timedelta = timedelta()) -> None:
    at = timezone.now() - ago
    ended = at if outcome else None
    Attempt.objects.create(delivery=row, number=1, worker="w", started_at=at, ended_at=ended, outcome=outcome)


def test_it_counts_attempts_by_the_minute_and_each_number_leads_to_them(root: Client, world: World) -> None:
    changes = list(world.add("one", things=small(4)).source.changes.order_by("id"))
    one = subscribed("acme")
    rows = [delivered(one, change) for change in changes]
    for row, outcome, ago in zip(
        rows, ("delivered", "failed", "delivered", "timeout", ""), (20, 20, 20, 90, 0), strict=False
    ):
        tried(row, outcome, ago=timedelta(minutes=ago))
    html = section(root, "sending")
    assert 'title="2 of 3 attempts">66.7 %</span> arrived in 1 h' in html
    assert 'title="2 of 4 attempts">50.0 %</span> arrived in 24 h' in html
    for words, outcomes in (
        ("66.7 % arrived in 1 h", {"delivered"}),
        ("33.3 % failed", {"failed"}),
        ("50.0 % arrived in 24 h", {"delivered"}),
        ("50.0 % failed", {"failed", "timeout"}),
    ):
        found = root.get(dict(links(html))[words]).context["cl"].result_list
        assert {one.tries.get().outcome for one in found} == outcomes, words
    table = html.partition("<tbody>")[2]
    for number, address in links(table):
        shown = root.get(unescape(address)).context["cl"].result_list
        assert len(shown) == int(number), address
    assert [number for number, _ in links(table)] == ["2", "1"]
    at = (timezone.now() - timedelta(minutes=20)).strftime("%H:%M")
    label = re.search(r'class="bars" role="img" aria-label="([^"]*)"', html)
    assert label is not None
    assert label[1] == f"Attempts by the minute, UTC: {at} 2 delivered, 1 failed"
    assert html.count("<g>") == 1


def test_it_says_what_waits_longest_and_who_is_in_trouble(root: Client, world: World) -> None:
    assert '<span data-live="waiting">0</span> waiting' in section(root, "sending")
    assert "the oldest" not in section(root, "sending")
    assert "Nothing was sent in the last hour." in section(root, "sending")
    for words in ("nothing was tried in 1 h", "nothing was tried in 24 h"):
        address = dict(links(section(root, "sending")))[words]
        assert root.get(address).context["cl"].result_list == []
    changes = list(world.add("one", things=small(3)).source.changes.order_by("id"))
    one, two = subscribed("acme"), subscribed("globex")
    Endpoint.objects.filter(pk=two.id).update(state="suspended")
    store.rebuild()
    waits = [delivered(to, change, state="waiting") for change in changes[:2] for to in (one, two)]
    Delivery.objects.filter(pk=waits[1].pk).update(created_at=timezone.now() - timedelta(hours=5))
    html = section(root, "sending")
    found = dict(links(html))
    (oldest,) = [address for text, address in found.items() if text.startswith("the oldest since 5")]
    assert oldest == f"/admin/subscriptions/delivery/{waits[1].pk}/change/"
    assert len(root.get(found["4 waiting"]).context["cl"].result_list) == 4
    suspended: Any = root.get(found["1 ✕ suspended"])
    assert [row["id"] for row in suspended.context["rows"]] == [two.id]
    assert root.get(found["0 ▲ probing"]).context["rows"] == []


@pytest.mark.parametrize("question", ["minutes", "day"])
def test_what_it_asks_finds_its_attempts_by_time(root: Client, question: str) -> None:
    """By the index, where the planner may not walk through all there were."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        sql = pulse._OF_A_DAY if question == "day" else pulse._BY_MINUTE
        now = timezone.now()
        given: Any = [now] if question == "day" else {"since": now, "until": now}
        cursor.execute(f"EXPLAIN {sql}", given)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "attempt_by_time" in plan, plan
