"""The admin API's roles, bindings and tokens: how each is made, changed and removed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenancy.models import Binding, Role, Token
from tenancy.principals import principals
from tenancy.roles import BUILT_IN
from tests.world import Cast

Call = Callable[..., Any]
ADMIN = "/admin/v1"
POOLS = [{"resource": "ResourcePool", "action": "manage", "scope": "tenant"}]


def faults(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


def ids(answer: Any, key: str) -> list[str]:
    return [item[key] for item in answer.json()["items"]]


class TestARole:
    def test_is_made_read_changed_and_removed(self, cast: Cast, call: Call, send: Call, edit: Call) -> None:
        made = send("alice", "POST", f"{ADMIN}/roles", {"name": "Pool keeper", "permissions": POOLS})
        assert made.status_code == 201
        assert (made.json()["tenantId"], made.json()["kind"]) == ("acme", "custom")
        assert made.json()["permissions"] == POOLS
        where = f"{ADMIN}/roles/{made.json()['roleId']}"
        more = [*POOLS, {"resource": "Alarm", "action": "read", "scope": "shared"}]
        put = edit("alice", "PUT", where, {"name": "Keeper", "permissions": more})
        assert (put.status_code, len(put.json()["permissions"]), put.json()["description"]) == (200, 2, "")
        assert edit("alice", "PATCH", where, {"description": "d"}).json()["name"] == "Keeper"
        assert edit("alice", "DELETE", where).status_code == 204
        assert call("alice", where).status_code == 404

    def test_that_is_built_in_is_read_and_not_changed(self, cast: Cast, call: Call, edit: Call) -> None:
        owner = f"{ADMIN}/roles/{BUILT_IN['Owner'].id}"
        assert call("bob", owner).json()["kind"] == "tenant"
        for who in ("alice", "root"):
            for method, body in (("PATCH", {"name": "King"}), ("DELETE", None)):
                answer = edit(who, method, owner, body)
                assert answer.status_code == 403
                assert answer.json()["detail"] == "Owner is a built-in role: it cannot be changed."

    def test_of_the_platform_is_nothing_to_tenants(self, cast: Cast, call: Call) -> None:
        assert len(ids(call("root", f"{ADMIN}/roles"), "name")) == 7
        assert sorted(ids(call("bob", f"{ADMIN}/roles"), "name")) == ["Admin", "Operator", "Owner", "Viewer"]
        assert call("alice", f"{ADMIN}/roles/{BUILT_IN['Auditor'].id}").status_code == 404

    def test_of_a_tenant_is_made_by_the_platform_where_it_is_named(self, cast: Cast, send: Call) -> None:
        body = {"name": "Pool keeper", "permissions": POOLS}
        assert send("root", "POST", f"{ADMIN}/roles", body).status_code == 422
        made = send("root", "POST", f"{ADMIN}/roles", {**body, "tenantId": "globex"})
        assert (made.status_code, made.json()["tenantId"]) == (201, "globex")

    @pytest.mark.parametrize(
        ("permissions", "pointer"),
        [
            (None, "/permissions"),
            ("ResourcePool", "/permissions"),
            ([{"resource": "ResourcePool", "action": "manage"}], "/permissions/0"),
            ([*POOLS, {**POOLS[0], "scope": "galaxy"}], "/permissions/1"),
            ([{**POOLS[0], "action": "export"}], "/permissions/0"),
            ([{**POOLS[0], "more": 1}], "/permissions/0"),
            ([7], "/permissions/0"),
            (POOLS * 501, "/permissions"),
        ],
    )
    def test_has_permissions_that_are_some(
        self, cast: Cast, send: Call, permissions: Any, pointer: str
    ) -> None:
        answer = send("alice", "POST", f"{ADMIN}/roles", {"name": "x", "permissions": permissions})
        assert answer.status_code == 400
        assert set(faults(answer)) == {pointer}

    def test_has_a_name_of_its_own_and_goes_when_nobody_has_it(
        self, cast: Cast, send: Call, edit: Call
    ) -> None:
        role = send("alice", "POST", f"{ADMIN}/roles", {"name": "Keeper", "permissions": POOLS}).json()
        body = {"name": "Keeper", "permissions": POOLS}
        assert send("alice", "POST", f"{ADMIN}/roles", body).status_code == 409
        assert faults(send("alice", "POST", f"{ADMIN}/roles", {**body, "name": "owner"})).keys() == {"/name"}
        Binding(user=cast.users["bob"], role_id=role["roleId"]).save()
        assert edit("alice", "DELETE", f"{ADMIN}/roles/{role['roleId']}").status_code == 409


class TestABinding:
    def test_is_made_read_changed_and_removed(self, cast: Cast, call: Call, send: Call, edit: Call) -> None:
        bob = str(cast.users["bob"].pk)
        ends = (timezone.now() + timedelta(days=1)).isoformat()
        body = {"userId": bob, "roleId": str(BUILT_IN["Operator"].id), "expiresAt": ends}
        made = send("alice", "POST", f"{ADMIN}/bindings", body)
        assert made.status_code == 201
        assert (made.json()["userName"], made.json()["roleName"]) == ("bob@acme", "Operator")
        assert send("alice", "POST", f"{ADMIN}/bindings", body).status_code == 409
        where = f"{ADMIN}/bindings/{made.json()['bindingId']}"
        moved = edit("alice", "PATCH", where, {"roleId": str(BUILT_IN["Admin"].id)})
        assert (moved.json()["roleName"], moved.json()["expiresAt"]) == ("Admin", made.json()["expiresAt"])
        assert edit("alice", "PUT", where, {"roleId": moved.json()["roleId"]}).json()["expiresAt"] is None
        assert edit("alice", "DELETE", where).status_code == 204
        assert call("alice", where).status_code == 404

    @pytest.mark.parametrize("ends", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "tomorrow", 7])
    def test_ends_in_the_future(self, cast: Cast, send: Call, ends: Any) -> None:
        body = {"userId": str(cast.users["bob"].pk), "roleId": str(BUILT_IN["Admin"].id), "expiresAt": ends}
        assert faults(send("alice", "POST", f"{ADMIN}/bindings", body)).keys() == {"/expiresAt"}

    def test_that_has_ended_can_still_be_given_anew(self, cast: Cast, edit: Call) -> None:
        ended = Binding(user=cast.users["bob"], role=Role.built_in("Admin"), expires_at=timezone.now())
        ended.save()
        where = f"{ADMIN}/bindings/{ended.pk}"
        moved = edit("alice", "PATCH", where, {"roleId": str(BUILT_IN["Operator"].id)})
        assert (moved.status_code, moved.json()["roleName"]) == (200, "Operator")
        assert edit("alice", "PATCH", where, {"expiresAt": None}).json()["expiresAt"] is None


class TestAToken:
    def test_shows_its_secret_once_works_and_is_revoked(
        self, cast: Cast, call: Call, send: Call, edit: Call
    ) -> None:
        made = send("alice", "POST", f"{ADMIN}/tokens", {"name": "SMO", "userId": str(cast.users["bob"].pk)})
        assert made.status_code == 201
        assert made["Cache-Control"] == "no-store"
        secret = made.json()["secret"]
        where = f"{ADMIN}/tokens/{made.json()['tokenId']}"
        read = call("alice", where)
        assert read.json() == {key: value for key, value in made.json().items() if key != "secret"}
        assert secret not in read.content.decode() + call("alice", f"{ADMIN}/tokens").content.decode()
        cast.tokens["bob-again"] = secret
        assert call("bob-again", f"{ADMIN}/me").json()["name"] == "bob@acme"
        assert edit("alice", "DELETE", where).status_code == 204
        principals.follow()
        assert call("bob-again", f"{ADMIN}/me").status_code == 401
        assert call("alice", where).json()["revokedAt"]

    def test_is_ones_own_for_90_days_where_nothing_else_is_said(self, cast: Cast, send: Call) -> None:
        made = send("alice", "POST", f"{ADMIN}/tokens", {}).json()
        token = Token.objects.get(pk=made["tokenId"])
        assert token.user == cast.users["alice"]
        assert token.expires_at is not None
        assert timedelta(days=89) < token.expires_at - timezone.now() < timedelta(days=91)
        assert send("alice", "POST", f"{ADMIN}/tokens", {"expiresAt": None}).json()["expiresAt"] is None
        past = send("alice", "POST", f"{ADMIN}/tokens", {"expiresAt": "2020-01-01T00:00:00Z"})
        assert faults(past).keys() == {"/expiresAt"}

    def test_is_not_changed(self, cast: Cast, send: Call) -> None:
        for method in ("PUT", "PATCH"):
            answer = send("alice", method, f"{ADMIN}/tokens/{cast.rows['bob'].pk}", {}, If_Match="*")
            assert answer.status_code == 405
