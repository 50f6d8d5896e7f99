"""The admin API: what each noun looks like, how it is made, changed and removed, and what its lists do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.principals import principals
from tenancy.roles import BUILT_IN
from tests.world import Cast, World, pool

Call = Callable[..., Any]
ADMIN = "/admin/v1"
TENANT_KEYS = [
    "tenantId", "name", "description", "status", "quotas", "usage", "rateLimit", "callbackCheck",
    "callbackNetworks", "contactEmail", "metadata",
    "createdAt", "updatedAt",
]  # fmt: skip
USER_KEYS = [
    "userId", "tenantId", "name", "commonName", "email", "roles", "status", "lastSeenAt", "createdAt",
    "updatedAt",
]  # fmt: skip


def faults(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


def ids(answer: Any, key: str) -> list[str]:
    return [item[key] for item in answer.json()["items"]]


class TestATenant:
    def test_is_made_read_changed_and_removed(self, cast: Cast, call: Call, send: Call, edit: Call) -> None:
        body = {"tenantId": "initech", "name": "Initech", "contactEmail": "noc@initech.example"}
        made = send("root", "POST", f"{ADMIN}/tenants", {**body, "metadata": {"contract": [17, None]}})
        assert made.status_code == 201
        assert list(made.json()) == TENANT_KEYS
        assert (made.json()["status"], made.json()["metadata"]) == ("active", {"contract": [17, None]})
        where = f"{ADMIN}/tenants/initech"
        assert made["Location"].endswith(where)
        again = call("root", where)
        assert (again.json(), again["ETag"]) == (made.json(), made["ETag"])
        patched = edit("root", "PATCH", where, {"name": "Initech Ltd", "metadata": None})
        assert patched.status_code == 200
        assert patched.json() == {
            **made.json(), "name": "Initech Ltd", "metadata": {}, "updatedAt": patched.json()["updatedAt"]
        }  # fmt: skip
        put = edit("root", "PUT", where, {"name": "I", "status": "suspended"})
        assert (put.json()["contactEmail"], put.json()["status"]) == ("", "suspended")
        assert call("root", where)["ETag"] == put["ETag"]
        assert edit("root", "DELETE", where).status_code == 204
        assert call("root", where).status_code == 404

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({"tenantId": "No Good", "name": "x"}, {"/tenantId"}),
            ({"tenantId": "x" * 64, "name": "x"}, {"/tenantId"}),
            ({"tenantId": "ok"}, {"/name"}),
            ({"tenantId": "ok", "name": " ", "contactEmail": "nobody"}, {"/name", "/contactEmail"}),
            ({"tenantId": "ok", "name": "x", "metadata": {"a": "x" * 20_000}}, {"/metadata"}),
            ({"tenantId": "ok", "name": "x", "metadata": {"a": "\x00"}}, {"/metadata"}),
            ({"tenantId": "ok", "name": "\ud800", "colour": 1}, {"/name", "/colour"}),
            ([], {""}),
        ],
    )
    def test_that_cannot_be_is_refused_with_every_place(
        self, cast: Cast, send: Call, body: Any, wrong: set[str]
    ) -> None:
        answer = send("root", "POST", f"{ADMIN}/tenants", body)
        assert answer.status_code == 400
        assert set(faults(answer)) == wrong
        assert Tenant.objects.count() == 2

    def test_has_an_id_of_its_own(self, cast: Cast, send: Call) -> None:
        assert send("root", "POST", f"{ADMIN}/tenants", {"tenantId": "acme", "name": "x"}).status_code == 409

    def test_that_is_suspended_is_shut_out_at_once(self, cast: Cast, call: Call, edit: Call) -> None:
        assert call("charlie", f"{ADMIN}/me").status_code == 200
        assert edit("root", "PATCH", f"{ADMIN}/tenants/globex", {"status": "suspended"}).status_code == 200
        principals.follow()  # as the follower does each second
        assert call("charlie", f"{ADMIN}/me").status_code == 403
        assert edit("root", "PATCH", f"{ADMIN}/tenants/globex", {"status": "active"}).status_code == 200
        principals.follow()
        assert call("charlie", f"{ADMIN}/me").status_code == 200

    def test_with_people_or_roles_goes_with_cascade_only(self, cast: Cast, call: Call, edit: Call) -> None:
        Role(tenant_id="globex", name="Own", permissions=["ResourcePool:read:tenant"]).save()
        where = f"{ADMIN}/tenants/globex"
        refused = edit("root", "DELETE", where)
        assert refused.status_code == 409
        assert "1 users, 1 roles and 0 subscriptions" in refused.json()["detail"]
        assert Tenant.objects.get(pk="globex").status == "active"  # what is refused changes nothing
        assert edit("root", "DELETE", f"{where}?cascade=maybe").status_code == 400
        assert edit("root", "DELETE", f"{where}?cascade=true").status_code == 204
        assert not User.objects.filter(username="charlie@globex").exists()
        assert not Role.objects.filter(tenant="globex").exists()
        principals.follow()
        assert call("charlie", f"{ADMIN}/me").status_code == 401

    def test_that_still_has_objects_stays(self, cast: Cast, world: World, call: Call, edit: Call) -> None:
        one = world.add("one", things=[pool(tenant="globex")])
        where = f"{ADMIN}/tenants/globex?cascade=true"
        refused = edit("root", "DELETE", where)
        assert refused.status_code == 409
        assert "1 objects in the inventory" in refused.json()["detail"]
        assert call("charlie", f"{ADMIN}/me").status_code == 200
        one.lose(pool(tenant="globex"))
        assert edit("root", "DELETE", where).status_code == 204


class TestAUser:
    def test_is_added_read_changed_and_removed(self, cast: Cast, call: Call, send: Call, edit: Call) -> None:
        users = f"{ADMIN}/tenants/acme/users"
        made = send("alice", "POST", users, {"name": "dora@acme", "email": "dora@acme.example"})
        assert made.status_code == 201
        assert list(made.json()) == USER_KEYS
        assert made.json()["commonName"] == "dora.acme.o2ims.example.com"
        assert (made.json()["roles"], made.json()["status"]) == ([], "active")
        where = f"{users}/{made.json()['userId']}"
        assert made["Location"].endswith(where)
        assert call("alice", where).json() == made.json()
        put = edit("alice", "PUT", where, {**made.json(), "status": "suspended", "email": ""})
        assert (put.status_code, put.json()["status"], put.json()["email"]) == (200, "suspended", "")
        assert edit("alice", "PATCH", where, {"status": "active"}).json()["email"] == ""
        assert edit("alice", "DELETE", where).status_code == 204
        assert call("alice", where).status_code == 404

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("dora", 400), ("dora@globex", 400), ("@acme", 400), ("Dora@acme", 400), ("a.b@acme", 400),
            ("d" * 64 + "@acme", 400), ("dora@acme\n", 400), (7, 400), (None, 400), ("bob@acme", 409),
        ],
    )  # fmt: skip
    def test_has_a_name_in_the_tenant(self, cast: Cast, send: Call, name: Any, status: int) -> None:
        answer = send("alice", "POST", f"{ADMIN}/tenants/acme/users", {"name": name})
        assert answer.status_code == status
        assert User.objects.filter(tenant="acme").count() == 2

    def test_tells_roles_in_force_and_when_it_was_seen_last(self, cast: Cast, call: Call) -> None:
        bob, now = cast.users["bob"], timezone.now()
        Binding(user=bob, role=Role.built_in("Operator"), expires_at=now + timedelta(days=1)).save()
        Binding(user=bob, role=Role.built_in("Admin"), expires_at=now - timedelta(seconds=1)).save()
        where = f"{ADMIN}/tenants/acme/users/{bob.pk}"
        before = call("alice", where)
        assert (before.json()["roles"], before.json()["lastSeenAt"]) == (["Operator", "Viewer"], None)
        Token.objects.filter(user=bob).update(last_used_at=now)
        after = call("alice", where)
        assert after.json()["lastSeenAt"].endswith("Z")
        assert after["ETag"] == before["ETag"]  # being seen is no change

    def test_without_a_name_that_fits_has_no_common_name(self, cast: Cast, call: Call) -> None:
        odd = User(username="Scanner 7", tenant_id="acme")
        odd.save()
        assert call("alice", f"{ADMIN}/tenants/acme/users/{odd.pk}").json()["commonName"] is None


def test_everybody_reads_who_they_are_and_what_they_may(
    cast: Cast, call: Call, django_assert_num_queries: Callable[[int], Any]
) -> None:
    cast.join("nora", "acme")
    for who, tenant, role in (("bob", "acme", "Viewer"), ("root", None, "PlatformAdmin")):
        me = call(who, f"{ADMIN}/me").json()
        assert (me["userId"], me["tenantId"]) == (str(cast.users[who].pk), tenant)
        assert me["roles"] == [{"name": role, "expiresAt": None}]
        written = {f"{one['resource']}:{one['action']}:{one['scope']}" for one in me["permissions"]}
        assert written == set(map(str, BUILT_IN[role].permissions))
        with django_assert_num_queries(0):
            call(who, f"{ADMIN}/me")
    assert call("nora", f"{ADMIN}/me").json()["permissions"] == []


class TestAList:
    def test_is_paged_by_links_in_the_order_of_ids(self, cast: Cast, call: Call) -> None:
        for number in range(5):
            Tenant(id=f"tenant-{number}", name="t").save()
        path, found = f"{ADMIN}/tenants?limit=3", []
        while path:
            answer = call("root", path)
            found.append(ids(answer, "tenantId"))
            path = answer.headers.get("Link", "").split(">")[0].removeprefix("<http://testserver")
        assert [len(page) for page in found] == [3, 3, 1]
        assert [one for page in found for one in page] == sorted(t.pk for t in Tenant.objects.all())
        last = ids(call("root", f"{ADMIN}/tenants?limit=3&nextpage_opaque_marker=9"), "tenantId")
        assert last == found[-1]
        second = (
            call("root", f"{ADMIN}/tenants?limit=3")
            .headers["Link"]
            .split(">")[0][len("<http://testserver") :]
        )
        assert call("iris", second).status_code == 200
        assert call("alice", second).status_code == 400  # another's marker
        assert call("root", second.replace("/tenants?", "/roles?")).status_code == 400

    def test_is_narrowed(self, cast: Cast, call: Call) -> None:
        bob = cast.users["bob"].pk
        assert ids(call("root", f"{ADMIN}/bindings?userId={bob}"), "roleName") == ["Viewer"]
        assert len(ids(call("root", f"{ADMIN}/tokens?tenantId=acme"), "tokenId")) == 2
        assert ids(call("root", f"{ADMIN}/roles?name=Owner"), "name") == ["Owner"]
        assert ids(call("root", f"{ADMIN}/tenants?status=suspended"), "tenantId") == []
        assert ids(call("root", f"{ADMIN}/tenants/acme/users?name=bob@acme"), "name") == ["bob@acme"]
        role = BUILT_IN["Owner"].id
        found = call("root", f"{ADMIN}/bindings?roleId={role}&tenantId=acme")
        assert ids(found, "userName") == ["alice@acme"]

    @pytest.mark.parametrize(
        "query", ["colour=red", "userId=x", "tenantId=a&tenantId=b", "tenantId=%00", "limit=0", "tenant=acme"]
    )
    def test_refuses_what_it_does_not_know(self, cast: Cast, call: Call, query: str) -> None:
        assert call("root", f"{ADMIN}/bindings?{query}").status_code == 400

    def test_has_an_etag_and_a_bounded_number_of_queries(
        self, cast: Cast, call: Call, django_assert_max_num_queries: Callable[[int], Any]
    ) -> None:
        for number in range(30):
            cast.join(f"user-{number}", "acme", "Viewer", "Operator")
        for noun in ("tenants", "tenants/acme/users", "roles", "bindings", "tokens"):
            first = call("alice", f"{ADMIN}/{noun}")
            with django_assert_max_num_queries(5):
                again = call("alice", f"{ADMIN}/{noun}", headers={"If-None-Match": first["ETag"]})
            assert again.status_code == 304


def test_a_change_needs_the_etag_of_what_is_meant(cast: Cast, call: Call, send: Call) -> None:
    where = f"{ADMIN}/tenants/acme/users/{cast.users['bob'].pk}"
    tag = call("alice", where)["ETag"]
    for method, body in (("PUT", {"status": "active"}), ("PATCH", {}), ("DELETE", None)):
        missing = send("alice", method, where, body)
        assert missing.status_code == 428
        assert missing["Content-Type"] == "application/problem+json"
        assert send("alice", method, where, body, If_Match='W/"other"').status_code == 412
    assert send("alice", "PATCH", where, {"email": "bob@acme.example"}, If_Match=tag).status_code == 200
    assert send("alice", "DELETE", where, If_Match=tag).status_code == 412
    assert User.objects.filter(username="bob@acme").exists()


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/tenants/", "/tenants/acme/", "/tenants/acme/roles", "/users", "/me/you"]
)
def test_a_path_that_is_none_is_a_problem_never_a_login_page(cast: Cast, call: Call, path: str) -> None:
    answer = call("root", ADMIN + path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert call("", ADMIN + path).status_code == 401
