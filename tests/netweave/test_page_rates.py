"""How fast one address may ask for pages of the admin site and of the documentation."""

import re
from collections.abc import Iterator

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings

from tenancy.audit import waiting
from tenancy.rates import Limit
from tenancy.trail import AuditEntry
from tests.tenancy.test_rates import counted, metric, until_refused
from tests.world import Cast

__all__ = ["counted"]
BURST = 6


@pytest.fixture
def iris(cast: Cast, counted: redis.Redis, settings: Settings) -> Iterator[Client]:
    """Signed in, where an address may ask for six pages at once."""
    waiting.__init__()  # type: ignore[misc]
    settings.RATE_LIMIT_PAGES = Limit(1, BURST)
    client = Client()
    client.force_login(cast.users["iris"])
    yield client
    waiting.__init__()  # type: ignore[misc]


def test_who_is_too_fast_gets_a_page_that_says_when_to_come_back(iris: Client) -> None:
    before = metric("netweave_rate_limited_total", of="pages")
    answered, refused = until_refused(lambda: iris.get("/admin/o2ims/source/"))
    assert answered >= BURST
    assert refused["Retry-After"] == "1"
    assert refused["Content-Type"].startswith("text/html")
    text = refused.content.decode()
    assert "Too many pages for this address: 1 a second, 6 at once. Try again in 1 s." in text
    assert metric("netweave_rate_limited_total", of="pages") == before + 1
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
    assert any(file.endswith("console.css") for file in files)
    assert {iris.get(file).status_code for file in files} == {200}  # the page looks as it should


@pytest.mark.parametrize("path", ["/admin/login/", "/docs/", "/openapi.json", "/admin/", "/docs", "/admin"])
def test_it_is_the_address_that_counts_whoever_asks(iris: Client, path: str) -> None:
    until_refused(lambda: iris.get("/admin/"))
    stranger, elsewhere = Client(), Client(REMOTE_ADDR="192.0.2.7")
    until_refused(lambda: stranger.post(path))
    _, refused = until_refused(lambda: stranger.get(path))
    assert elsewhere.get(path).status_code != 429
    assert ("problem+json" in refused["Content-Type"]) is (path == "/openapi.json")


def test_the_apis_are_counted_apart(iris: Client, cast: Cast) -> None:
    until_refused(lambda: iris.get("/admin/"))
    for path in ("/admin/v1/me", "/o2ims/v1/resourcePools"):
        assert iris.get(path).status_code == 401  # a session is nobody there


def test_a_flood_of_pages_is_no_flood_of_entries(iris: Client) -> None:
    statuses = [Client().get("/admin/login/").status_code for _ in range(150)]
    waiting.flush()
    refused = statuses.count(429)
    assert refused > 75
    assert 60 <= AuditEntry.objects.filter(status=429).count() < refused


def test_without_a_limit_nobody_is_counted(iris: Client, settings: Settings) -> None:
    settings.RATE_LIMIT_PAGES = None
    assert {iris.get("/admin/").status_code for _ in range(BURST * 2)} == {200}
