"""Whom a caller sees: everybody, those of a tenant, or oneself; never more than a permission reaches."""

from collections.abc import Callable
from typing import Any

from tenancy.directory import Directory
from tenancy.permissions import Action, Grant, Permission, Resource, Rights
from tenancy.principals import Principal
from tests.world import Cast, custom

Call = Callable[..., Any]
ADMIN = "/admin/v1"


def shown(call: Call, who: str, noun: str, key: str) -> list[str]:
    answer = call(who, f"{ADMIN}/{noun}")
    assert answer.status_code == 200, (who, noun)
    return sorted(item[key] for item in answer.json()["items"])


def test_a_viewer_sees_oneself_an_owner_the_tenant_the_platform_everybody(cast: Cast, call: Call) -> None:
    everybody = ["alice@acme", "bob@acme", "charlie@globex", "iris", "root"]
    for noun, key in (("bindings", "userName"), ("tokens", "userName")):
        assert shown(call, "bob", noun, key) == ["bob@acme"]
        assert shown(call, "alice", noun, key) == ["alice@acme", "bob@acme"]
        assert shown(call, "charlie", noun, key) == ["charlie@globex"]
        for who in ("root", "iris"):
            assert shown(call, who, noun, key) == everybody
    assert shown(call, "bob", "tenants/acme/users", "name") == ["bob@acme"]
    assert shown(call, "alice", "tenants/acme/users", "name") == ["alice@acme", "bob@acme"]
    assert shown(call, "iris", "tenants/globex/users", "name") == ["charlie@globex"]


def test_tenants_are_seen_by_those_in_them(cast: Cast, call: Call) -> None:
    for who in ("alice", "bob"):
        assert shown(call, who, "tenants", "tenantId") == ["acme"]
    assert shown(call, "iris", "tenants", "tenantId") == ["acme", "globex"]


def test_another_person_of_the_tenant_is_unknown_to_who_sees_oneself(cast: Cast, call: Call) -> None:
    where = f"{ADMIN}/tenants/acme/users"
    assert call("bob", f"{where}/{cast.users['bob'].pk}").status_code == 200
    headers = {"X-Request-Id": "same"}
    alices = call("bob", f"{where}/{cast.users['alice'].pk}", headers=headers)
    nobodys = call("bob", f"{where}/00000000-0000-4000-8000-000000000000", headers=headers)
    assert (alices.status_code, alices.content) == (404, nobodys.content)


def test_one_who_manages_only_what_is_ones_own_reaches_nobody_else(
    cast: Cast, call: Call, send: Call
) -> None:
    mine = ["User:manage:own", "Token:manage:own", "Binding:manage:own", "Role:manage:own", "Tenant:read:own"]
    cast.join("max", "acme", custom("acme", "Mine", *mine))
    assert send("max", "POST", f"{ADMIN}/tokens", {}).status_code == 201
    bob = str(cast.users["bob"].pk)
    assert send("max", "POST", f"{ADMIN}/tokens", {"userId": bob}).status_code == 422
    assert send("max", "POST", f"{ADMIN}/tenants/acme/users", {"name": "dora@acme"}).status_code == 404
    assert send("max", "POST", f"{ADMIN}/roles", {"name": "x", "permissions": []}).status_code == 422
    assert send("max", "DELETE", f"{ADMIN}/tokens/{cast.rows['bob'].pk}", If_Match="*").status_code == 404
    assert call("max", f"{ADMIN}/roles").json() == {"items": []}


def test_a_scope_that_means_nothing_here_reaches_nothing(cast: Cast) -> None:
    held = frozenset(
        {Permission.parse(f"{noun}:list:shared") for noun in ("Tenant", "User", "Role", "Token")}
    )
    caller = Principal(
        user_id=str(cast.users["bob"].pk), name="bob@acme", tenant="acme", authentication="token",
        expires_at=None, grants=(Grant("odd", held, None),), rights=Rights(held), rights_until=None,
    )  # fmt: skip
    assert not Directory(caller, Resource.TENANT, Action.LIST).tenants().exists()
    assert not Directory(caller, Resource.ROLE, Action.LIST).roles().exists()
    for rows in (
        Directory(caller, Resource.USER, Action.LIST).users(),
        Directory(caller, Resource.TOKEN, Action.LIST).tokens(),
        Directory(caller, Resource.TOKEN, Action.LIST).bindings(),
    ):
        assert not rows.exists()


def test_the_tenant_comes_from_the_caller_alone(cast: Cast, call: Call) -> None:
    headers = {"X-Tenant": "globex", "X-Tenant-Id": "globex", "Tenant": "globex", "X-Forwarded-User": "root"}
    assert [t["tenantId"] for t in call("alice", f"{ADMIN}/tenants", headers=headers).json()["items"]] == [
        "acme"
    ]
    assert call("alice", f"{ADMIN}/tenants?tenant=globex").status_code == 400
