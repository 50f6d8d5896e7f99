"""The audit trail in the admin site: who may take it away, who may not get at it, and that nobody writes."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from html import unescape
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tenancy.audit import Deed, append
from tenancy.trail import AuditEntry
from tests.tenancy.test_audit_pages import EXPORTS, LIST, browsers, detail, iris, one, trail

__all__ = ["browsers", "iris", "trail"]

PROOF = f"{LIST}proof/"


class TestAnExport:
    def test_is_all_that_is_selected_defused_and_an_entry_itself(self, iris: Client) -> None:
        append([Deed(actor="root").entry("create", "User", n, label=f"={n}+1") for n in range(1200)])
        page = iris.get(f"{LIST}?action=create&resource=User").content.decode()
        path = page.partition('" download>Export as CSV')[0].rpartition('href="')[2]
        answer = iris.get(path := unescape(path))
        assert answer["Content-Disposition"] == 'attachment; filename="audit.csv"'
        rows = list(csv.DictReader(io.StringIO(text(answer).decode())))
        assert [row["resourceName"] for row in rows] == [f"'={n}+1" for n in range(1199, -1, -1)]
        told = one(action="export")
        assert (told.actor, told.kind, told.status, told.authentication) == ("iris", "Audit", 200, "session")
        selection = {"action": "create", "resource": "User"}
        assert json.loads(told.after or "") == {
            "format": "csv", "selection": selection, "through": rows[0]["id"]
        }  # fmt: skip
        lines = text(iris.get(path.replace("csv", "jsonl"))).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]

    def test_needs_its_own_permission_and_is_not_offered_without(self, browsers: dict[str, Client]) -> None:
        assert "Export as" in browsers["iris"].get(LIST).content.decode()
        assert "Export as" not in browsers["root"].get(LIST).content.decode()
        for path in EXPORTS:
            assert browsers["root"].get(path).status_code == 403
        assert browsers["iris"].get(f"{LIST}export/xlsx/").status_code == 404
        assert not AuditEntry.objects.filter(action="export", result="success").exists()


def paths(entry: AuditEntry) -> Iterable[str]:
    """Every page of this model in the admin site, whatever it is for."""
    for pattern in admin.site._registry[AuditEntry].get_urls():
        if pattern.name:
            names = pattern.pattern.converters
            given = {"object_id": str(entry.pk), "suffix": "csv"}
            yield reverse(f"admin:{pattern.name}", kwargs={name: given[name] for name in names})


def test_nobody_adds_changes_or_deletes_by_any_page(browsers: dict[str, Client]) -> None:
    entry = AuditEntry.objects.latest("pk")
    kept = list(AuditEntry.objects.order_by("pk").values())
    every = [*paths(entry)]
    assert len(every) == 7
    body = {"actor": "nobody", "post": "yes", "action": "delete_selected", "_selected_action": [entry.pk]}
    for path in every:
        if path == PROOF:  # which writes nothing but its own entry; its test is in test_proof_page.py
            continue
        for who in ("root", "iris"):
            answer = browsers[who].post(path, body)
            refused = {302} if path.endswith("/history/") else {403, 405}  # history only leads to the list
            assert answer.status_code in refused, (who, path)
    assert list(AuditEntry.objects.filter(pk__lte=entry.pk).order_by("pk").values()) == kept
    made = AuditEntry.objects.filter(pk__gt=entry.pk)
    assert set(made.values_list("actor", flat=True)) == {"root", "iris"}
    for who in ("root", "iris"):
        for path in (f"{LIST}add/", f"{LIST}{entry.pk}/delete/"):
            assert browsers[who].get(path).status_code == 403
        for page in (browsers[who].get(LIST).content.decode(), detail(browsers[who], entry)):
            content = page[page.index('id="content"') :]
            assert not [
                word for word in ("addlink", "deletelink", "_save", "delete_selected") if word in content
            ]


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", ""])
def test_tenants_people_and_strangers_get_no_further_than_the_login(
    browsers: dict[str, Client], who: str
) -> None:
    for path in paths(AuditEntry.objects.latest("pk")):
        for answer in (browsers[who].get(path), browsers[who].post(path)):
            assert (answer.status_code, "/admin/login/" in answer["Location"]) == (302, True), path


def test_who_may_not_read_the_trail_is_refused_and_offered_no_way_to_it(browsers: dict[str, Client]) -> None:
    carol = browsers["carol"]
    for path in paths(AuditEntry.objects.latest("pk")):
        if not path.endswith("/history/"):  # which only leads to the list
            assert carol.get(path).status_code == 403, path
    tenant = reverse("admin:tenancy_tenant_change", args=["acme"])
    assert "historylink" not in carol.get(tenant).content.decode()
    assert "auditentry" not in carol.get("/admin/").content.decode()


def text(answer: Any) -> bytes:
    """What a streamed answer sends."""

    async def read(parts: AsyncIterator[bytes]) -> bytes:
        return b"".join([part async for part in parts])

    found: bytes = async_to_sync(read)(answer.streaming_content)
    return found
