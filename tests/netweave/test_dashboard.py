"""The admin site's first page: what it counts is what its links show, and to whom."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from o2ims.models import Source
from tenancy.audit import Deed, append
from tenancy.models import Token
from tenancy.trail import Result
from tenancy.trust import Certificate, Issuer
from tests.certificates import Authority
from tests.world import Cast, World


def browser(cast: Cast, name: str) -> Client:
    client = Client()
    client.force_login(cast.users[name])
    return client


@pytest.fixture
def root(cast: Cast) -> Client:
    return browser(cast, "root")


def section(client: Client, name: str) -> str:
    """The HTML of one part; '' where there is none."""
    page = client.get("/admin/").content.decode()
    return page.partition(f'<section class="panel" id="{name}">')[2].partition("</section>")[0]


def links(html: str) -> Iterator[tuple[str, str]]:
    """(text, address) of each link, what is in its text's tags left out."""
    for href, text in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', html):
        yield re.sub(r"<[^>]+>", "", text), unescape(href)


def counted(client: Client, html: str) -> dict[str, int]:
    """What each number counts, once its link has been seen to lead to as many."""
    found = {}
    for text, address in links(html):
        if match := re.fullmatch(r"(\d+) (.+)", text):
            answer = client.get(address)
            assert answer.status_code == 200
            assert len(answer.context["cl"].result_list) == int(match[1]), address
            found[match[2]] = int(match[1])
    return found


class TestBackends:
    def test_are_shown_worst_first_with_what_ails_them(self, world: World, root: Client) -> None:
        for name, state in (("one", "up"), ("two", "down"), ("three", "holding"), ("four", "up")):
            world.source(name).is_now(Source.State(state), error_class="Unauthorized" * (state == "down"))
        Source.objects.filter(name="two").update(error="the token is <wrong>")
        gone = world.source("gone")
        gone.is_now(Source.State.UP)
        Source.objects.filter(name="gone").update(retired_at=timezone.now())
        html = section(root, "backends")
        assert counted(root, html) == {"down": 1, "holding back deletes": 1, "up": 2}
        names = [text for text, address in links(html) if address.endswith("/change/")]
        assert names == ["two", "three", "one", "four"]
        assert "Unauthorized: the token is &lt;wrong&gt;" in html
        assert '<span class="state state-down">✕ down</span>' in html

    def test_that_were_not_heard_of_for_too_long_are_marked(self, world: World, root: Client) -> None:
        world.source("one").is_now(Source.State.UP, silent=5)
        assert "▲" not in section(root, "backends")
        Source.objects.update(contact_at=timezone.now() - timedelta(hours=1))
        assert re.search(r'state-holding">▲ <time[^>]*>1.hour ago', section(root, "backends"))

    def test_are_shown_with_how_long_they_take(self, world: World, root: Client) -> None:
        for name in ("one", "two", "three"):
            world.source(name).is_now(Source.State.UP)
        Source.objects.filter(name="one").update(latency_ms=42)
        Source.objects.filter(name="two").update(latency_ms=0)
        assert re.findall(r"<td>(—|[0-9]+ ms)</td>", section(root, "backends")) == ["42 ms", "0 ms", "—"]

    def test_that_are_none_or_many_are_said_to_be(self, world: World, root: Client) -> None:
        assert "names no backend yet" in section(root, "backends")
        for number in range(23):
            world.source(f"s{number}")
        html = section(root, "backends")
        assert html.count("<tr>") == 21
        assert ("3 more", "/admin/o2ims/source/") in links(html)


class TestEntries:
    def test_that_were_done_last_are_shown_and_reading_is_not(self, root: Client) -> None:
        deed = Deed(actor="alice@acme", tenant="acme")
        append([deed.entry("create", "ResourcePool", n, label=f"pool-{n}") for n in range(12)])
        append([deed.entry("list", "ResourcePool") for _ in range(30)])
        append([deed.entry("read", "Audit", result=Result.DENIED, label="refused reading")])
        html = section(root, "done")
        shown = [f"pool-{n}" for n in range(11, 1, -1)]
        assert re.findall(r'class="object">([^<]+)<', html) == shown
        assert "refused reading" in section(root, "unwell")
        assert "/admin/tenancy/auditentry/" in dict(links(html)).values()
        _, address = next(one for one in links(html) if one[1].endswith("/change/"))
        assert root.get(address).status_code == 200

    def test_of_the_last_hour_that_went_wrong_are_counted(self, root: Client) -> None:
        assert "nothing failed in the last hour" in section(root, "unwell")
        bob = Deed(actor="bob@acme", tenant="acme")
        long_ago = timezone.now() - timedelta(hours=1, minutes=1)
        append([bob.entry("delete", "Resource", n, result=Result.DENIED, status=403) for n in range(3)])
        append([bob.entry("create", "Resource", result=Result.ERROR, status=502)])
        append([bob.entry("create", "User", result=Result.DENIED)._replace(timestamp=long_ago)])
        html = section(root, "unwell")
        assert counted(root, html) == {"▲ denied": 3, "✕ error": 1}
        assert "bob@acme" in html
        assert "create User" not in html

    def test_that_are_none_are_explained(self, root: Client) -> None:
        assert "Nothing but reading was done lately." in section(root, "done")


class TestEndings:
    @pytest.fixture
    def issuer(self, cast: Cast, tmp_path: Path) -> Issuer:
        made = Issuer(pem=Authority(tmp_path).file.read_text())
        made.save()
        return made

    def test_within_two_weeks_are_counted_soonest_first(self, cast: Cast, issuer: Issuer) -> None:
        root, now = browser(cast, "root"), timezone.now()
        html = section(root, "endings")
        assert "No token, client certificate or CA ends within 14 days." in html
        assert counted(root, html) == {"tokens": 0, "certificates": 0, "issuers": 0}
        for name, days in (("alice", 3), ("bob", 13), ("charlie", 15), ("iris", -1)):
            Token.objects.filter(user=cast.users[name]).update(expires_at=now + timedelta(days=days, hours=1))
        revoked, _ = Token.issue(cast.users["bob"], expires_at=now + timedelta(days=1))
        revoked.revoke()
        Issuer.objects.update(expires_at=now + timedelta(days=7, hours=1))
        Certificate(
            user=cast.users["bob"],
            fingerprint="f" * 64,
            subject="CN=bob",
            expires_at=now + timedelta(hours=1),
        ).save()
        html = section(root, "endings")
        assert counted(root, html) == {"tokens": 2, "certificate": 1, "issuer": 1}
        assert re.findall(r"<td>(\d+)</td></tr>", html) == ["0", "3", "7", "13"]

    def test_of_the_gateways_own_certificate_are_said(
        self, cast: Cast, settings: Settings, tmp_path: Path
    ) -> None:
        root = browser(cast, "root")
        authority = Authority(tmp_path)
        for days, said in ((20, ""), (5, f"{tmp_path}"), (-1, "ends at")):
            made = authority.issue(names=["o2.example"], days=(-2, days))
            settings.TLS_CERTIFICATE = str(made.certificate)
            assert ("The gateway's own certificate" in section(root, "endings")) == bool(said), days
            assert said in section(root, "endings")
        settings.TLS_CERTIFICATE = str(tmp_path / "gone.pem")
        assert "gone.pem, cannot be read" in section(root, "endings")


def test_who_may_not_see_a_list_is_not_told_its_number(cast: Cast, sample: World) -> None:
    cast.join("carol", None, "TenantAdmin")
    carol, iris = browser(cast, "carol"), browser(cast, "iris")
    for name, of_carol in (
        ("backends", False),
        ("sending", True),
        ("unwell", False),
        ("done", False),
        ("endings", True),
    ):
        assert bool(section(carol, name)) == of_carol, name
        assert section(iris, name)


def test_it_costs_few_questions_however_much_there_is(cast: Cast, world: World) -> None:
    root = browser(cast, "root")
    for number in range(5):
        world.source(f"s{number}")
    append([Deed(actor="x").entry("create", "User", n, result=Result.ERROR) for n in range(50)])
    Token.objects.update(expires_at=timezone.now() + timedelta(days=1))
    with CaptureQueriesContext(connection) as asked:
        assert root.get("/admin/").status_code == 200
    questions: list[Any] = [one["sql"] for one in asked]
    assert len(questions) <= 19, questions


def test_an_apps_own_page_is_its_menu(cast: Cast) -> None:
    page = browser(cast, "root").get("/admin/tenancy/").content.decode()
    assert "Audit entries" in page
    assert 'class="panel"' not in page
