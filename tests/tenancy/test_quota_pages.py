"""Quotas in the admin site: seen as bars with their numbers, changed with a reason, and in the trail."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from tenancy import quotas
from tenancy.models import Tenant
from tenancy.quotas import MEMORY, POOLS, RESOURCES, Quota
from tenancy.trail import AuditEntry
from tests.world import Cast

LIST = "admin:tenancy_quota_changelist"


@pytest.fixture
def pages(cast: Cast) -> dict[str, Client]:
    quotas.set_limit("acme", POOLS, Decimal(10))
    quotas.set_limit("globex", POOLS, Decimal(100))
    quotas.take("acme", (9, 0, 0, 0))
    quotas.take("globex", (9, 5, 0, 0))
    found = {name: Client() for name in cast.users}
    for name, client in found.items():
        client.force_login(cast.users[name])
    return found


def change(tenant: str, name: str = POOLS) -> str:
    return reverse("admin:tenancy_quota_change", args=[Quota.objects.get(tenant_id=tenant, name=name).pk])


def rows(client: Client, query: str = "") -> list[str]:
    page = client.get(reverse(LIST) + query)
    assert page.status_code == 200
    return [f"{one.tenant_id} {one.name}" for one in page.context["cl"].result_list]


def test_are_bars_with_numbers(pages: dict[str, Client]) -> None:
    page = pages["iris"].get(reverse(LIST)).content.decode()
    assert 'aria-label="9 of 10"' in page
    assert "quota-nearly" in page
    assert rows(pages["iris"], "?full=nearly") == [f"acme {POOLS}"]


def test_a_default_counts_where_a_tenant_has_no_limit(pages: dict[str, Client], settings: Settings) -> None:
    settings.DEFAULT_QUOTAS = {RESOURCES: Decimal(6)}
    assert sorted(rows(pages["root"], "?full=nearly")) == [f"acme {POOLS}", f"globex {RESOURCES}"]
    assert "6, the platform&#x27;s default" in pages["root"].get(reverse(LIST)).content.decode()


def test_a_limit_is_changed_with_a_reason_that_is_in_the_trail(pages: dict[str, Client]) -> None:
    where = change("acme")
    refused = pages["root"].post(where, {"limit": "20"})
    assert "This field is required" in refused.content.decode()
    assert pages["root"].post(where, {"limit": "-1", "reason": "x"}).status_code == 200
    assert Quota.objects.get(tenant_id="acme", name=POOLS).limit == 10
    assert pages["root"].post(where, {"limit": "20", "reason": "contract C-18"}).status_code == 302
    assert Quota.objects.get(tenant_id="acme", name=POOLS).limit == 20
    entry = AuditEntry.objects.get(kind="Quota", result="success", action="update")
    assert (entry.actor, entry.tenant, entry.reason) == ("root", "acme", "contract C-18")
    assert [json.loads(text or "")["limit"] for text in (entry.before, entry.after)] == [10, 20]


def test_the_first_page_names_those_that_are_nearly_used_up(pages: dict[str, Client]) -> None:
    shown = pages["iris"].get("/admin/")
    assert shown.context["quotas"]["count"] == 1
    assert 'aria-label="9 of 10"' in shown.content.decode()
    assert rows(pages["iris"], "?" + shown.context["quotas"]["url"].partition("?")[2]) == [f"acme {POOLS}"]


def test_tenants_that_have_nearly_used_one_up_or_are_suspended_are_marked(pages: dict[str, Client]) -> None:
    Tenant.objects.filter(pk="globex").update(status=Tenant.Status.SUSPENDED)
    page = pages["iris"].get(reverse("admin:tenancy_tenant_changelist")).content.decode()
    (address,) = re.findall(rf'<a class="state state-holding" href="([^"]+)">▲ {POOLS}</a>', page)
    assert rows(pages["iris"], "?" + address.partition("?")[2].replace("&amp;", "&")) == [f"acme {POOLS}"]
    assert page.count('<span class="state state-down">✕ suspended</span>') == 1
    assert page.count(">active<") == 1


def test_are_named_with_what_they_are_counted_in(pages: dict[str, Client]) -> None:
    Quota.objects.create(tenant_id="acme", name=MEMORY, used=3)
    assert "maxMemoryGb (GB)</a>" in pages["iris"].get(reverse(LIST)).content.decode()


@pytest.mark.parametrize(("who", "status"), [("iris", 403), ("alice", 302)])
def test_who_only_looks_changes_nothing(pages: dict[str, Client], who: str, status: int) -> None:
    given: dict[str, Any] = {"limit": "99", "reason": "because"}
    assert pages[who].post(change("acme"), given).status_code == status
    assert Quota.objects.get(tenant_id="acme", name=POOLS).limit == 10
