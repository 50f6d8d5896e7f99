"""What is done, and what is not, in the admin site is told as that."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenancy.models import Binding
from tenancy.trail import AuditEntry
from tests.tenancy.test_audit import nothing_waits, told
from tests.world import Cast

__all__ = ["nothing_waits"]

LOGIN = "/admin/login/"
PASSWORD = "long enough for anybody"


@pytest.fixture
def root(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.users["root"])
    return client


def brief(entry: AuditEntry) -> tuple[Any, ...]:
    return entry.actor, entry.action, entry.kind, entry.label, entry.result


@pytest.mark.usefixtures("counted")
class TestALogin:
    def test_that_succeeds_is_its_persons(self, cast: Cast) -> None:
        cast.users["root"].set_password(PASSWORD)
        cast.users["root"].save()
        Client().post(LOGIN, {"username": "root", "password": PASSWORD})
        (entry,) = told()
        assert brief(entry) == ("root", "login", "Session", "", "success")

    def test_that_fails_is_denied_and_says_whose_name_was_tried(self, cast: Cast) -> None:
        for name in ("root", "pass\0word", "my own password", ""):
            assert Client().post(LOGIN, {"username": name, "password": "wrong"}).status_code == 200
        assert [brief(entry) for entry in told()] == [
            ("", "login", "Session", label, "denied") for label in ("root", "", "", "")
        ]

    def test_page_that_is_only_looked_at_is_no_login(self, cast: Cast) -> None:
        Client().get(LOGIN)
        assert told() == []

    def test_ends_with_a_logout(self, root: Client) -> None:
        assert root.post("/admin/logout/").status_code == 200
        assert [(entry.action, entry.result) for entry in told()] == [("logout", "success")]


@pytest.mark.parametrize(
    ("page", "given", "action"),
    [
        (("tenant_add",), {"id": "No Good", "name": "x"}, "create"),
        (("tenant_change", "acme"), {"name": "", "status": "active"}, "update"),
        (("tenant_changelist",), {"action": "nothing"}, "update"),
    ],
)
def test_a_form_that_is_not_taken_has_done_nothing(
    root: Client, page: tuple[str, ...], given: dict[str, str], action: str
) -> None:
    name, *row = page
    assert root.post(reverse(f"admin:tenancy_{name}", args=row), given).status_code in {200, 302}
    (entry,) = told(method="POST")
    assert (entry.action, entry.kind, entry.result) == (action, "Tenant", "error")


def test_what_a_rule_refuses_has_done_nothing_and_says_which(root: Client, cast: Cast) -> None:
    held = Binding.objects.get(user=cast.users["alice"])
    root.post(reverse("admin:tenancy_binding_delete", args=[held.pk]), {"post": "yes"})
    (entry,) = told(method="POST")
    assert (entry.action, entry.kind, entry.object_id) == ("delete", "Binding", str(held.pk))
    assert entry.result == "error"
    assert entry.reason.startswith("Tenant acme would have no Owner left")


def test_what_is_done_is_told_once_and_as_what_it_is(root: Client) -> None:
    root.post(reverse("admin:tenancy_tenant_add"), {"id": "initech", "name": "x", "status": "active"})
    change = reverse("admin:tenancy_tenant_change", args=["initech"])
    root.post(change, {"name": "y", "status": "active"})
    assert [brief(entry) for entry in told(method="POST")] == [
        ("root", "create", "Tenant", "x", "success"),
        ("root", "update", "Tenant", "y", "success"),
    ]
