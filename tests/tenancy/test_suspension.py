"""Suspending a tenant in the admin site: nobody does without saying why, and the trail keeps it."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from tenancy.models import Tenant
from tenancy.trail import AuditEntry
from tests.world import Cast

ADD = reverse("admin:tenancy_tenant_add")
ACME = reverse("admin:tenancy_tenant_change", args=["acme"])
SUSPENDED = {"name": "Acme", "status": "suspended"}


@pytest.fixture
def root(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.users["root"])
    return client


def entries(tenant: str) -> list[AuditEntry]:
    return list(
        AuditEntry.objects.filter(kind="Tenant", object_id=tenant, result="success", before__isnull=False)
    )


@pytest.mark.parametrize("reason", [{}, {"reason": ""}, {"reason": "   "}])
def test_without_a_reason_is_not_done(root: Client, reason: dict[str, str]) -> None:
    page = root.post(ACME, SUSPENDED | reason).content.decode()
    assert "Say why it is suspended." in page
    assert Tenant.objects.get(pk="acme").status == "active"
    assert entries("acme") == []
    assert "Say why" in root.post(ADD, {"id": "initech", **SUSPENDED} | reason).content.decode()
    assert not Tenant.objects.filter(pk="initech").exists()


def test_with_one_is_done_and_told(root: Client) -> None:
    assert root.post(ACME, SUSPENDED | {"reason": "Unpaid\nTICKET-7"}).status_code == 302
    (told,) = entries("acme")
    assert (told.actor, told.action, told.reason) == ("root", "update", "Unpaid\\nTICKET-7")
    before, after = json.loads(told.before or ""), json.loads(told.after or "")
    assert (before["status"], after["status"]) == ("active", "suspended")
    shown = root.get(f"/admin/tenancy/auditentry/{told.pk}/change/").content.decode()
    assert "status: <del>&quot;active&quot;</del> <ins>&quot;suspended&quot;</ins>" in shown


def test_of_a_new_tenant_is_told_with_its_reason_too(root: Client) -> None:
    assert root.post(ADD, {"id": "initech", **SUSPENDED, "reason": "not before May"}).status_code == 302
    assert AuditEntry.objects.get(object_id="initech").reason == "not before May"


def test_once_done_needs_no_reason_again_nor_does_anything_else(root: Client) -> None:
    assert root.post(ACME, {"name": "Acme Ltd", "status": "active"}).status_code == 302
    Tenant.objects.filter(pk="acme").update(status="suspended")
    assert root.post(ACME, {"name": "Acme Inc", "status": "suspended"}).status_code == 302
    assert root.post(ACME, {"name": "Acme Inc", "status": "active"}).status_code == 302
    assert [told.reason for told in entries("acme")] == ["", "", ""]


def test_is_not_offered_to_who_only_reads(cast: Cast) -> None:
    iris = Client()
    iris.force_login(cast.users["iris"])
    page = iris.get(ACME)
    assert page.status_code == 200
    assert "reason" not in page.content.decode().partition('id="content"')[2].lower()
