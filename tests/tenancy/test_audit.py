"""The audit trail: everything that is asked for leaves what an auditor wants to know, once."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tenancy.audit import Deed, waiting
from tenancy.models import Binding, Tenant
from tenancy.trail import AuditEntry
from tests.tenancy.test_matrix import Asked, answers, matrix
from tests.world import Cast, World

__all__ = ["matrix"]

Call = Callable[..., Any]
POOLS = "/o2ims/v1/resourcePools"


@pytest.fixture(autouse=True)
def nothing_waits(forgetful: None) -> Iterator[None]:
    waiting.__init__()  # type: ignore[misc]
    yield
    waiting.__init__()  # type: ignore[misc]


def told(**wanted: Any) -> list[AuditEntry]:
    """The entries there are, oldest first, those that still waited among them."""
    waiting.flush(all_of_it=True)
    return list(AuditEntry.objects.filter(**wanted).order_by("pk"))


class TestEveryRequest:
    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "root", "iris", "nora", "sam", ""])
    def test_that_could_change_something_leaves_one_entry_of_who_and_what_came_of_it(
        self, matrix: list[Asked], send: Call, cast: Cast, settings: Settings, who: str
    ) -> None:
        settings.AUDIT_READS = "off"
        newest = AuditEntry.objects.latest("pk").pk
        for asked, answer in answers([one for one in matrix if one.method != "GET"], send, who):
            (entry,) = AuditEntry.objects.filter(pk__gt=newest)
            newest = entry.pk
            assert (entry.method, entry.path) == (asked.method, asked.path.partition("?")[0])
            assert entry.status == answer.status_code
            ended = "success" if answer.status_code < 400 else "error"
            assert entry.result == ("denied" if answer.status_code in {401, 403} else ended)
            assert entry.actor == (cast.users[who].username if who else "")
            assert f"{entry.kind}:{entry.action}" == asked.permission
            assert (entry.address, entry.request_id) == ("127.0.0.1", "same")

    def test_that_reads_leaves_one_within_a_second_and_costs_no_query(
        self, sample: World, call: Call, django_assert_num_queries: Any
    ) -> None:
        call("alice", POOLS)
        with django_assert_num_queries(0):
            call("alice", POOLS)
        entries = told(kind="ResourcePool")
        assert [(e.actor, e.tenant, e.action, e.status) for e in entries] == [
            ("alice@acme", "acme", "list", 200)
        ] * 2

    def test_that_is_refused_says_why_in_the_words_of_the_answer(self, sample: World, call: Call) -> None:
        answer = call("bob", "/admin/v1/audit")
        assert answer.status_code == 403
        (entry,) = AuditEntry.objects.all()  # there before the answer
        assert (entry.result, entry.reason) == ("denied", answer.json()["detail"])

    def test_to_where_nobody_answers_leaves_one(self, cast: Cast, call: Call) -> None:
        call("alice", "/o2ims/v1/nothing", method="DELETE")
        (entry,) = told()
        assert (entry.actor, entry.path, entry.status, entry.action) == (
            "alice@acme",
            "/o2ims/v1/nothing",
            404,
            "delete",
        )


def test_what_a_suspended_tenants_people_try_is_theirs(matrix: list[Asked], call: Call) -> None:
    call("sam", POOLS)
    (entry,) = told(status=403)
    assert (entry.actor, entry.tenant, entry.authentication) == ("sam@initech", "initech", "token")


class TestReads:
    def test_are_summed_by_the_minute_if_that_is_wanted(
        self, sample: World, call: Call, settings: Settings
    ) -> None:
        settings.AUDIT_READS = "summary"
        for _ in range(5):
            call("alice", POOLS)
        call("bob", POOLS)
        sums = [(e.actor, e.kind, e.action, json.loads(e.after or "")) for e in told()]
        assert (
            sorted(sums)
            == [  # (a minute may end in between)
                ("alice@acme", "ResourcePool", "list", {"count": 5}),
                ("bob@acme", "ResourcePool", "list", {"count": 1}),
            ]
            or sum(one[3]["count"] for one in sums) == 6
        )

    def test_leave_none_if_that_is_wanted_but_refused_ones_do(
        self, sample: World, call: Call, settings: Settings
    ) -> None:
        settings.AUDIT_READS = "off"
        call("alice", POOLS)
        call("bob", "/admin/v1/audit")
        assert [e.result for e in told()] == ["denied"]


def test_strangers_that_keep_asking_are_summed_by_address_and_minute(cast: Cast, call: Call) -> None:
    for _ in range(75):
        call("", POOLS)
    own, sums = told(status=401), told(status=None)
    assert 60 <= len(own) <= 75
    assert len(own) + sum(json.loads(e.after or "")["count"] for e in sums) == 75
    assert {(e.actor, e.address, e.result) for e in (*own, *sums)} == {("", "127.0.0.1", "denied")}


def test_one_entry_is_one_line_whatever_it_is_about(cast: Cast, call: Call) -> None:
    call("alice", "/o2ims/v1/a\u202eb%0Ac%1b[31m", method="DELETE", headers={"X-Audit-Reason": "ticket 17"})
    (entry,) = told()
    assert entry.path == "/o2ims/v1/a\\u202eb\\nc\\x1b[31m"
    assert entry.reason == "ticket 17 — failed: There is nothing at this path."


def test_the_callers_reason_and_ours_are_told_apart(cast: Cast, call: Call) -> None:
    call("bob", POOLS, method="POST", headers={"X-Audit-Reason": "ticket 17"})
    call("bob", POOLS, method="POST")
    both, ours = (entry.reason for entry in told())
    assert ours == "This needs the permission ResourcePool:create."
    assert both == f"ticket 17 — refused: {ours}"


def test_an_admin_change_shows_before_and_after_and_no_secret(cast: Cast, send: Call, edit: Call) -> None:
    edit("root", "PATCH", "/admin/v1/tenants/acme", {"status": "suspended"})
    (entry,) = told(action="update")
    assert (entry.kind, entry.object_id, entry.label, entry.tenant) == ("Tenant", "acme", "Acme", "acme")
    before, after = json.loads(entry.before or ""), json.loads(entry.after or "")
    assert {key for key in after if before[key] != after[key]} == {"status", "updatedAt"}
    secret = send("root", "POST", "/admin/v1/tokens", {"userId": str(cast.users["root"].pk)}).json()["secret"]
    (entry,) = told(kind="Token")
    assert entry.action == "create"
    assert secret not in "".join(str(value) for value in entry.facts())


def test_a_change_that_is_refused_at_the_last_moment_is_told_as_that(cast: Cast, edit: Call) -> None:
    binding = Binding.objects.get(user=cast.users["alice"])
    answer = edit("alice", "DELETE", f"/admin/v1/bindings/{binding.pk}")
    assert answer.status_code == 409  # the last Owner
    (entry,) = told(kind="Binding", action="delete")
    assert (entry.result, entry.status, entry.reason) == ("error", 409, answer.json()["detail"])


def test_what_cannot_be_written_now_waits_for_the_database(cast: Cast, call: Call) -> None:
    deed = Deed(actor="alice@acme")
    waiting.add(deed.entry("read", "Tenant")._replace(result="much too long for it"))
    with pytest.raises(Exception, match="too long"):
        waiting.flush()
    assert len(waiting._entries) == 1


def test_removing_a_tenant_tells_of_both_steps(cast: Cast, edit: Call) -> None:
    Tenant.objects.create(id="initech", name="Initech")
    assert edit("root", "DELETE", "/admin/v1/tenants/initech").status_code == 204
    suspended, gone = told(kind="Tenant", object_id="initech", method="DELETE")
    assert json.loads(suspended.after or "")["status"] == "pendingDeletion"
    assert (gone.action, gone.after) == ("delete", None)


def test_a_session_is_nobody_to_the_api(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.users["root"])
    assert client.delete("/o2ims/v1/resourcePools/x").status_code == 401
    (entry,) = told(status=401)
    assert entry.actor == ""
