"""Roles and bindings in the admin site: the rules of granting hold there too, by page and by URL."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.roles import BUILT_IN
from tests.world import Cast, custom

PASSWORD = {"password1": "long enough for anybody", "password2": "long enough for anybody"}


def url(page: str, *row: Any, to: str = "") -> str:
    return reverse(f"admin:tenancy_{page}_{to or ('change' if row else 'changelist')}", args=row)


@pytest.fixture
def staff(cast: Cast) -> Cast:
    cast.join("carol", None, "TenantAdmin")
    cast.join("nora", "acme")
    return cast


@pytest.fixture
def pages(staff: Cast) -> dict[str, Client]:
    """Everybody's browser."""
    found = {}
    for name, user in staff.users.items():
        found[name] = Client()
        found[name].force_login(user)
    return found


def given(user: User, role: str, **more: str) -> dict[str, str]:
    return {
        "user": str(user.pk),
        "role": str(BUILT_IN[role].id),
        "expires_at_0": "",
        "expires_at_1": "",
        **more,
    }


def roles(user: User) -> list[str]:
    return sorted(User.objects.get(pk=user.pk).role_names())


def offered(client: Client) -> set[str]:
    """The roles that the page of a new binding offers."""
    form = client.get(url("binding", to="add")).context["adminform"].form
    return {str(role) for role in form.fields["role"].queryset}


class TestABinding:
    def test_is_given_and_taken(self, staff: Cast, pages: dict[str, Client]) -> None:
        nora = staff.users["nora"]
        assert pages["root"].post(url("binding", to="add"), given(nora, "Operator")).status_code == 302
        assert roles(nora) == ["Operator"]
        held = nora.bindings.get()
        page = pages["root"].get(url("binding", held.pk)).content.decode()
        assert "nora@acme" in page
        assert pages["root"].post(url("binding", held.pk), given(nora, "Admin")).status_code == 302
        assert roles(nora) == ["Admin"]
        assert pages["root"].post(url("binding", held.pk, to="delete"), {"post": "yes"}).status_code == 302
        assert roles(nora) == []

    def test_shows_whether_it_is_in_force(self, staff: Cast, pages: dict[str, Client]) -> None:
        ended = timezone.now() - timedelta(seconds=1)
        Binding(user=staff.users["nora"], role=Role.built_in("Viewer"), expires_at=ended).save()
        page = pages["iris"].get(url("binding")).content.decode()
        assert page.count("□ ended") == 1
        assert page.count("● in force") == 6

    def test_offers_and_takes_only_roles_that_one_holds(self, staff: Cast, pages: dict[str, Client]) -> None:
        own = custom("acme", "Quota reader", "Quota:read:tenant", "User:manage:tenant")
        assert offered(pages["root"]) == {*BUILT_IN, str(own)}
        assert offered(pages["carol"]) == {str(own)}
        nora, carol = staff.users["nora"], staff.users["carol"]
        for user, role in ((nora, "Viewer"), (carol, "PlatformAdmin"), (carol, "Auditor")):
            answer = pages["carol"].post(url("binding", to="add"), given(user, role))
            assert "Select a valid choice" in answer.content.decode(), role
        assert (roles(nora), roles(carol)) == ([], ["TenantAdmin"])

    def test_of_the_platform_is_touched_by_a_platform_admin_alone(
        self, staff: Cast, pages: dict[str, Client]
    ) -> None:
        for name in ("root", "iris", "carol"):
            held = staff.users[name].bindings.get()
            assert pages["carol"].post(url("binding", held.pk), given(held.user, "Viewer")).status_code == 403
            gone = url("binding", held.pk, to="delete")
            assert pages["carol"].post(gone, {"post": "yes"}).status_code == 403
        picked = {"action": "delete_selected", "post": "yes",
                  "_selected_action": [str(one.pk) for one in Binding.objects.all()]}  # fmt: skip
        pages["carol"].post(url("binding"), picked)
        assert Binding.objects.count() == 6

    def test_that_does_not_fit_is_told_and_not_made(self, staff: Cast, pages: dict[str, Client]) -> None:
        answer = pages["root"].post(
            url("binding", to="add"), given(staff.users["nora"], "Auditor"), follow=True
        )
        assert "Auditor is no role for nora@acme" in answer.content.decode()
        assert roles(staff.users["nora"]) == []


class TestALastOwner:
    def test_stays(self, staff: Cast, pages: dict[str, Client]) -> None:
        alice = staff.users["alice"]
        held = alice.bindings.get()
        keep = {"username": "alice@acme", "email": ""}  # and is_active is not ticked
        picked = {"action": "delete_selected", "post": "yes"}
        for address, body in (
            (url("binding", held.pk), given(alice, "Viewer")),
            (url("binding", held.pk, to="delete"), {"post": "yes"}),
            (url("binding"), {**picked, "_selected_action": [str(held.pk)]}),
            (url("user", alice.pk), keep),
            (url("user", alice.pk, to="delete"), {"post": "yes"}),
            (url("user"), {**picked, "_selected_action": [str(alice.pk), str(staff.users["nora"].pk)]}),
        ):
            answer = pages["root"].post(address, body, follow=True)
            assert "Tenant acme would have no Owner left" in answer.content.decode(), address
        assert roles(alice) == ["Owner"]
        assert User.objects.get(pk=alice.pk).is_active
        assert User.objects.filter(username="nora@acme").exists()  # all of them or none
        assert not LogEntry.objects.exists()  # nothing is logged that did not happen


class TestARole:
    def test_of_a_tenant_is_made_and_changed(self, staff: Cast, pages: dict[str, Client]) -> None:
        body = {"name": "Keeper", "tenant": "acme", "permissions": ["ResourcePool:manage:tenant"]}
        assert pages["root"].post(url("role", to="add"), body).status_code == 302
        role = Role.objects.get(name="Keeper")
        assert (role.tenant_id, role.permissions) == ("acme", ["ResourcePool:manage:tenant"])
        more = {**body, "permissions": ["Alarm:read:shared", "Alarm:read:tenant"], "tenant": "globex"}
        assert pages["root"].post(url("role", role.pk), more).status_code == 302
        role.refresh_from_db()
        assert (role.tenant_id, role.permissions) == ("acme", ["Alarm:read:shared", "Alarm:read:tenant"])
        assert "Alarm:read:shared" in pages["iris"].get(url("role", role.pk)).content.decode()
        assert pages["root"].post(url("role", role.pk, to="delete"), {"post": "yes"}).status_code == 302

    def test_of_no_tenant_and_beyond_its_maker_is_not_made(
        self, staff: Cast, pages: dict[str, Client]
    ) -> None:
        pool, quota = ["ResourcePool:manage:tenant"], ["Quota:read:tenant"]
        for who, tenant, permissions in (
            ("root", "", quota), ("root", "acme", ["ResourcePool:read:all"]),
            ("root", "acme", ["Source:read:tenant"]), ("carol", "acme", pool),
            ("carol", "acme", [*quota, *pool]),
        ):  # fmt: skip
            body = {"name": "More", "tenant": tenant, "permissions": permissions}
            assert pages[who].post(url("role", to="add"), body).status_code == 200, (who, permissions)
        assert not Role.objects.filter(name="More").exists()
        body = {"name": "Quotas", "tenant": "acme", "permissions": quota}
        assert pages["carol"].post(url("role", to="add"), body).status_code == 302

    def test_that_is_built_in_or_allows_more_than_one_may_is_read_only(
        self, staff: Cast, pages: dict[str, Client]
    ) -> None:
        wide = custom("acme", "Wide", "ResourcePool:manage:tenant")
        body = {"name": "x", "permissions": ["Quota:read:tenant"]}
        for name in BUILT_IN:
            row = Role.built_in(name).pk
            for who in ("root", "carol", "iris"):
                assert pages[who].post(url("role", row), body).status_code == 403
                assert pages[who].post(url("role", row, to="delete"), {"post": "yes"}).status_code == 403
        assert pages["carol"].post(url("role", wide.pk), body).status_code == 403
        assert "ResourcePool:manage:tenant" in pages["carol"].get(url("role", wide.pk)).content.decode()
        assert pages["root"].post(url("role", wide.pk), body).status_code == 302

    def test_in_use_is_told_and_stays(self, staff: Cast, pages: dict[str, Client]) -> None:
        role = custom("acme", "Used", "Alarm:read:tenant")
        Binding(user=staff.users["nora"], role=role).save()
        page = pages["root"].post(url("role", role.pk, to="delete"), {"post": "yes"}, follow=True)
        assert page.status_code == 200
        assert Role.objects.filter(pk=role.pk).exists()


class TestAUser:
    def test_is_added_and_keeps_name_and_tenant(self, staff: Cast, pages: dict[str, Client]) -> None:
        new = {"username": "dora@acme", "tenant": "acme", "usable_password": "true", **PASSWORD}
        assert pages["carol"].post(url("user", to="add"), new).status_code == 302
        dora = User.objects.get(username="dora@acme")
        body = {"username": "root2", "tenant": "", "email": "d@acme.example", "is_active": "on",
                "is_superuser": "on", "is_staff": "on"}  # fmt: skip
        assert pages["carol"].post(url("user", dora.pk), body).status_code == 302
        dora.refresh_from_db()
        assert (dora.username, dora.tenant_id, dora.email) == ("dora@acme", "acme", "d@acme.example")
        assert not dora.is_superuser
        assert roles(dora) == []

    def test_goes_with_roles_and_tokens(self, staff: Cast, pages: dict[str, Client]) -> None:
        gone = url("user", staff.users["bob"].pk, to="delete")
        assert "nwt_" in pages["root"].get(gone).content.decode()  # it says what goes with the user
        assert pages["root"].post(gone, {"post": "yes"}).status_code == 302
        assert not Token.objects.filter(pk=staff.rows["bob"].pk).exists()
        assert not User.objects.filter(username="bob@acme").exists()

    def test_of_the_platform_is_not_changed_by_who_may_less(
        self, staff: Cast, pages: dict[str, Client]
    ) -> None:
        root = staff.users["root"]
        for address, body in (
            (url("user", root.pk), {"email": "x@y.example"}),
            (url("user", root.pk, to="delete"), {"post": "yes"}),
            (
                reverse("admin:auth_user_password_change", args=[root.pk]),
                {"usable_password": "true", **PASSWORD},
            ),
        ):
            assert pages["carol"].get(address).status_code in {200, 403}
            assert pages["carol"].post(address, body).status_code == 403, address
        kept = User.objects.get(pk=root.pk)
        assert (kept.email, kept.has_usable_password()) == ("", False)

    def test_gets_a_password_or_token_only_from_who_may_all_that_they_may(
        self, staff: Cast, pages: dict[str, Client]
    ) -> None:
        before = Token.objects.count()
        picked = {
            "action": "issue_token",
            "_selected_action": [str(user.pk) for user in staff.users.values()],
        }
        page = pages["carol"].post(url("user"), picked, follow=True).content.decode()
        assert page.count("may do more than you: no token.") == 5
        assert Token.objects.count() == before + 2  # her own, and Nora's, who may nothing
        alice = reverse("admin:auth_user_password_change", args=[staff.users["alice"].pk])
        assert pages["carol"].post(alice, {"usable_password": "true", **PASSWORD}).status_code == 403
        picked = {"action": "revoke", "_selected_action": [str(row.pk) for row in staff.rows.values()]}
        page = pages["carol"].post(url("token"), picked, follow=True).content.decode()
        assert "may do more than you: 2." in page
        assert {t.user.username for t in Token.objects.filter(revoked_at=None, user__tenant=None)} >= {
            "root",
            "iris",
        }


def test_a_tenant_is_not_deleted_here_and_an_auditor_adds_nothing(
    staff: Cast, pages: dict[str, Client]
) -> None:
    Tenant(id="empty", name="Empty").save()
    assert pages["root"].post(url("tenant", "empty", to="delete"), {"post": "yes"}).status_code == 403
    for page in ("tenant", "user", "role", "binding", "token", "issuer", "certificate"):
        assert pages["iris"].get(url(page)).status_code == 200
        assert "addlink" not in pages["iris"].get(url(page)).content.decode()
        assert pages["iris"].post(url(page, to="add"), {}).status_code == 403
        assert 'name="action"' not in pages["iris"].get(url(page)).content.decode()


def test_a_tenant_admin_sees_who_and_what_but_no_sources(staff: Cast, pages: dict[str, Client]) -> None:
    menu = pages["carol"].get("/admin/").context["app_list"]
    assert [(app["name"], [page["name"] for page in app["models"]]) for app in menu] == [
        ("Who", ["Tenants", "Users", "Roles", "Bindings", "Tokens", "Issuers", "Certificates", "Quotas"]),
        ("What", ["Items", "Changes", "Operations"]),
        ("Events", ["Subscriptions", "Deliveries"]),
    ]
