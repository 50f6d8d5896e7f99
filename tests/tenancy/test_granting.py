"""Nobody grants what they do not hold, no tenant loses its last Owner, and nothing is assigned that was not
offered: the rules of the admin API."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.roles import BUILT_IN, OF_TENANTS, SYSTEM
from tests.world import Cast, custom

Call = Callable[..., Any]
ADMIN = "/admin/v1"
ROLE = {name: str(one.id) for name, one in BUILT_IN.items()}


def permission(resource: str, action: str = "manage", scope: str = "tenant") -> dict[str, str]:
    return {"resource": resource, "action": action, "scope": scope}


def state() -> list[Any]:
    """Every row that says who may do what."""
    kept: list[Any] = []
    for model in (Tenant, User, Role, Binding, Token):
        kept += [model.objects.order_by("pk").values_list()]
    return [list(rows) for rows in kept]


@pytest.fixture
def staff(cast: Cast) -> Cast:
    """Adam and Olga of acme, Carol of the platform, and Nora, who has no role."""
    cast.join("adam", "acme", "Admin")
    cast.join("olga", "acme", "Operator")
    cast.join("carol", None, "TenantAdmin")
    cast.join("nora", "acme")
    return cast


def bound(send: Call, staff: Cast, who: str, to: str, role: str) -> int:
    return send(
        who, "POST", f"{ADMIN}/bindings", {"userId": str(staff.users[to].pk), "roleId": role}
    ).status_code


class TestGranting:
    @pytest.mark.parametrize(
        ("who", "may"),
        [
            ("alice", ["Owner", "Admin", "Operator", "Viewer"]),
            ("adam", ["Admin", "Operator", "Viewer"]),
            ("root", ["Owner", "Admin", "Operator", "Viewer"]),
            ("carol", []),
        ],
    )
    def test_a_role_needs_all_that_it_holds(self, staff: Cast, send: Call, who: str, may: list[str]) -> None:
        for name in OF_TENANTS:
            assert bound(send, staff, who, "nora", ROLE[name]) == (201 if name in may else 403), name

    def test_who_may_not_bind_at_all_is_told_so(self, staff: Cast, send: Call) -> None:
        for who in ("olga", "bob", "iris", "nora"):
            assert bound(send, staff, who, "nora", ROLE["Viewer"]) == 403

    def test_a_system_role_is_nothing_to_tenants_and_only_a_platform_admin_binds_it(
        self, staff: Cast, send: Call
    ) -> None:
        staff.join("nils", None)
        for name in SYSTEM:
            assert bound(send, staff, "alice", "alice", ROLE[name]) == 422
            assert bound(send, staff, "root", "nora", ROLE[name]) == 422  # no role for a tenant's user
            assert bound(send, staff, "carol", "nils", ROLE[name]) == 403  # TenantAdmin itself included
            assert bound(send, staff, "root", "nils", ROLE[name]) == 201
        assert bound(send, staff, "root", "nils", ROLE["Owner"]) == 422

    def test_what_is_given_cannot_be_widened_by_rebinding(self, staff: Cast, edit: Call) -> None:
        held = Binding(user=staff.users["nora"], role=Role.built_in("Viewer"))
        held.save()
        where = f"{ADMIN}/bindings/{held.pk}"
        refused = edit("adam", "PATCH", where, {"roleId": ROLE["Owner"]})
        assert refused.status_code == 403
        assert refused.json()["detail"] == "Nobody can grant what they do not hold: Role:manage:tenant."
        owners = staff.users["alice"].bindings.get()
        soon = (timezone.now() + timedelta(days=9)).isoformat()
        assert edit("adam", "PATCH", f"{ADMIN}/bindings/{owners.pk}", {"expiresAt": soon}).status_code == 403
        assert edit("alice", "PATCH", where, {"roleId": ROLE["Admin"]}).status_code == 200

    def test_a_role_holds_what_its_maker_does_at_the_same_or_a_wider_scope(
        self, staff: Cast, send: Call, edit: Call
    ) -> None:
        maker = Role(
            tenant_id="acme",
            name="Maker",
            permissions=["Role:manage:tenant", "Alarm:read:tenant", "Alarm:read:shared"],
        )
        maker.save()
        staff.join("max", "acme", maker)
        for given, status in (
            ([permission("Alarm", "read")], 201),
            ([permission("Role", "create", "own"), permission("Alarm", "read", "shared")], 201),
            ([permission("Alarm")], 403),
            ([permission("Alarm", "list")], 403),
            ([permission("Resource", "read")], 403),
            ([permission("Alarm", "read", "all")], 403),
        ):
            answer = send(
                "max", "POST", f"{ADMIN}/roles", {"name": f"r{len(state()[2])}", "permissions": given}
            )
            assert answer.status_code == status, given
        mine = f"{ADMIN}/roles/{maker.pk}"
        wider = [permission("Role"), permission("Alarm")]
        assert edit("max", "PATCH", mine, {"permissions": wider}).status_code == 403
        assert edit("max", "PATCH", mine, {"permissions": wider[:1]}).status_code == 200

    def test_no_role_of_a_tenant_gets_a_permission_of_the_platform_not_even_from_root(
        self, staff: Cast, send: Call
    ) -> None:
        for given in (
            permission("ResourcePool", "read", "all"), permission("Source", "read"),
            permission("ResourcePool", "update", "shared"), permission("Tenant"),
            permission("Quota", "update"),
        ):  # fmt: skip
            body = {"name": "More", "permissions": [given], "tenantId": "acme"}
            answer = send("root", "POST", f"{ADMIN}/roles", body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/permissions")
        assert not Role.objects.filter(name="More").exists()

    def test_a_token_acts_for_nobody_who_may_more(self, staff: Cast, send: Call) -> None:
        for who, may in (("adam", {"adam", "olga", "bob", "nora"}), ("carol", {"carol", "nora"})):
            for name, user in staff.users.items():
                status = send(who, "POST", f"{ADMIN}/tokens", {"userId": str(user.pk)}).status_code
                if who == "adam" and name in {"charlie", "root", "iris", "carol"}:
                    assert status == 422, name  # not of this tenant
                else:
                    assert status == (201 if name in may else 403), (who, name)

    def test_what_is_somebodys_own_is_the_tenants_to_who_gets_their_token(
        self, staff: Cast, send: Call
    ) -> None:
        staff.join("ella", "acme", custom("acme", "Self", "User:read:own"))
        staff.join("max", "acme", custom("acme", "Own", "Token:manage:tenant", "User:read:own"))
        staff.join("pia", "acme", custom("acme", "Tenant", "Token:manage:tenant", "User:read:tenant"))
        for who, status in (("max", 403), ("pia", 201), ("ella", 403)):
            body = {"userId": str(staff.users["ella"].pk)}
            assert send(who, "POST", f"{ADMIN}/tokens", body).status_code == status, who
        assert send("max", "POST", f"{ADMIN}/tokens", {}).status_code == 201

    def test_a_tenant_admin_touches_no_system_role(self, staff: Cast, edit: Call) -> None:
        roots = staff.users["root"].bindings.get()
        where = f"{ADMIN}/bindings/{roots.pk}"
        for method, body in (("DELETE", None), ("PATCH", {"roleId": ROLE["TenantAdmin"]})):
            assert edit("carol", method, where, body).status_code == 403
        token = f"{ADMIN}/tokens/{staff.rows['root'].pk}"
        assert edit("carol", "DELETE", token).status_code == 403
        assert edit("carol", "DELETE", f"{ADMIN}/tokens/{staff.rows['alice'].pk}").status_code == 204
        assert edit("root", "PATCH", where, {"roleId": ROLE["Auditor"]}).status_code == 200


class TestALastOwner:
    def test_stays_whatever_is_tried_and_whoever_tries(self, staff: Cast, edit: Call) -> None:
        alice = staff.users["alice"]
        held = f"{ADMIN}/bindings/{alice.bindings.get().pk}"
        user = f"{ADMIN}/tenants/acme/users/{alice.pk}"
        soon = (timezone.now() + timedelta(days=9)).isoformat()
        before = state()
        for who in ("alice", "root"):
            for method, where, body in (
                ("DELETE", held, None),
                ("PATCH", held, {"roleId": ROLE["Admin"]}),
                ("PATCH", held, {"expiresAt": soon}),
                ("PUT", held, {"roleId": ROLE["Viewer"], "expiresAt": soon}),
                ("PATCH", user, {"status": "suspended"}),
                ("DELETE", user, None),
            ):
                answer = edit(who, method, where, body)
                assert answer.status_code == 409, (who, method, where)
                assert "no Owner left" in answer.json()["detail"]
        assert state() == before

    def test_goes_when_there_is_another(self, staff: Cast, send: Call, edit: Call) -> None:
        assert bound(send, staff, "alice", "adam", ROLE["Owner"]) == 201
        held = staff.users["alice"].bindings.get()
        assert edit("alice", "DELETE", f"{ADMIN}/bindings/{held.pk}").status_code == 204


def test_what_was_not_offered_is_not_assigned(staff: Cast, send: Call, edit: Call) -> None:
    """T18: tenant, id, role, createdAt, secret, ..."""
    bob = staff.users["bob"]
    users = f"{ADMIN}/tenants/acme/users"
    token = {
        "secret": "nwt_mine",
        "digest": "x",
        "prefix": "nwt_mine",
        "tokenId": str(bob.pk),
        "tenantId": "acme",
    }
    role = Role(tenant_id="acme", name="Own", permissions=["Alarm:read:tenant"])
    role.save()
    before = state()
    for path, body, extras in (
        (users, {"name": "dora@acme"}, {
            "tenant": "globex", "tenantId": "globex", "userId": str(bob.pk), "roles": ["Owner"],
            "role": "Owner", "createdAt": "2020-01-01T00:00:00Z", "is_superuser": True, "isStaff": True,
            "password": "x", "status": "active", "commonName": "alice.acme.o2ims.example.com",
        }),
        (f"{ADMIN}/roles", {"name": "R", "permissions": []}, {
            "tenant": "acme", "roleId": ROLE["Owner"], "kind": "system", "system": True, "createdAt": None,
        }),
        (f"{ADMIN}/bindings", {"userId": str(bob.pk), "roleId": ROLE["Admin"]}, {
            "bindingId": str(bob.pk), "tenantId": "globex", "roleName": "Owner", "permissions": [],
            "userName": "x",
        }),
        (f"{ADMIN}/tokens", {}, {**token, "createdAt": None, "revokedAt": None, "lastUsedAt": None}),
    ):  # fmt: skip
        for key, value in extras.items():
            answer = send("alice", "POST", path, {**body, key: value})
            assert answer.status_code == 400, (path, key)
            assert {fault["pointer"] for fault in answer.json()["errors"]} == {f"/{key}"}
    for path, whole, fixed in (
        (f"{ADMIN}/tenants/acme", {"name": "A", "status": "active"}, {
            "tenantId": "globex", "createdAt": None,
        }),
        (f"{users}/{bob.pk}", {"status": "active"}, {
            "name": "root@acme", "tenantId": "globex", "roles": ["Owner"], "userId": str(bob.pk)[::-1],
            "createdAt": "2020-01-01T00:00:00Z", "commonName": "root.acme.o2ims.example.com",
            "tenant": "globex",
        }),
        (f"{ADMIN}/roles/{role.pk}", {"name": "Own", "permissions": []}, {
            "tenantId": "globex", "kind": "system", "roleId": ROLE["Owner"], "system": True,
        }),
        (f"{ADMIN}/bindings/{bob.bindings.get().pk}", {"roleId": ROLE["Viewer"]}, {
            "userId": str(staff.users["adam"].pk), "tenantId": "globex", "roleName": "Owner", "userName": "x",
        }),
    ):  # fmt: skip
        for key, value in fixed.items():
            for method, body in (("PUT", whole), ("PATCH", {})):
                answer = edit("root", method, path, {**body, key: value})
                assert answer.status_code == 400, (path, method, key)
                assert {fault["pointer"] for fault in answer.json()["errors"]} == {f"/{key}"}
    assert state() == before


def test_a_foreign_id_in_a_body_or_a_filter_is_an_unknown_one(staff: Cast, call: Call, send: Call) -> None:
    """T2, for the admin API: the same bytes, and nothing happens."""
    charlie = staff.users["charlie"]
    foreign = Role(tenant_id="globex", name="Theirs", permissions=["Alarm:read:tenant"])
    foreign.save()
    before = state()
    unknown = "00000000-0000-4000-8000-000000000000"
    bob = str(staff.users["bob"].pk)
    for path, body, key, theirs in (
        ("bindings", {"roleId": ROLE["Viewer"]}, "userId", str(charlie.pk)),
        ("bindings", {"roleId": ROLE["Viewer"]}, "userId", str(staff.users["root"].pk)),
        ("bindings", {"userId": bob}, "roleId", str(foreign.pk)),
        ("bindings", {"userId": bob}, "roleId", ROLE["PlatformAdmin"]),
        ("tokens", {}, "userId", str(charlie.pk)),
        ("roles", {"name": "x", "permissions": []}, "tenantId", "globex"),
    ):
        answers = [
            send("alice", "POST", f"{ADMIN}/{path}", {**body, key: id_}, X_Request_Id="same")
            for id_ in (theirs, "nobody" if key == "tenantId" else unknown)
        ]
        assert [answer.status_code for answer in answers] == [422, 422], (path, key)
        assert answers[0].content == answers[1].content
    for query in (f"bindings?userId={charlie.pk}", "roles?tenantId=globex", f"tokens?userId={charlie.pk}",
                  f"bindings?roleId={foreign.pk}", "tokens?tenantId=globex"):  # fmt: skip
        assert call("alice", f"{ADMIN}/{query}").json() == {"items": []}
    assert json.loads(call("root", f"{ADMIN}/roles?tenantId=globex").content)["items"]
    assert state() == before
