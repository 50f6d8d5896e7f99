"""`/admin/v1/audit`: what is selected, whose it is, and what an export is."""

import csv
import io
import json
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenancy.audit import Deed, append, waiting
from tenancy.exports import written
from tenancy.tables import CSV, JSON_LINES
from tenancy.trail import AuditEntry, Result
from tests.gateway import Gateway
from tests.world import Cast

Call = Callable[..., Any]
AUDIT = "/admin/v1/audit"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def trail(cast: Cast) -> Cast:
    """Three deeds of acme's, an hour apart; one of globex'; one of the platform's."""
    waiting.__init__()  # type: ignore[misc]
    alice = Deed(
        user_id=str(cast.users["alice"].pk),
        actor="alice@acme",
        tenant="acme",
        address="192.0.2.7",
        path="/o2ims/v1/resourcePools",
        request_id="r-1",
    )
    charlie, root = Deed(actor="charlie@globex", tenant="globex"), Deed(actor="root")
    made = [
        alice.entry("create", "ResourcePool", "p-1", label="edge-pool", after={"name": "edge-pool"}),
        alice.entry("update", "ResourcePool", "p-1", label="edge-pool", before={"a": 1}, after={"a": 2}),
        alice.entry("delete", "Resource", "r-9", result=Result.DENIED, reason="This needs Resource:delete."),
        charlie.entry("create", "ResourcePool", "p-2", label="canary-of-globex"),
        root.entry("update", "Role", "x", label="canary-of-the-platform"),
    ]
    append(entry._replace(timestamp=NOON + timedelta(hours=n)) for n, entry in enumerate(made))
    return cast


def actions(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [f"{one['action']} {one['resource']}" for one in answer.json()["items"]]


ALL = ["delete Resource", "update ResourcePool", "create ResourcePool"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ALL),
        ("?action=update", ALL[1:2]),
        ("?resource=ResourcePool&resourceId=p-1", ALL[1:]),
        ("?result=denied", ALL[:1]),
        ("?from=2026-11-01T13:00:00Z", ALL[:2]),
        ("?from=2026-11-01T14:00:00%2B01:00&to=2026-11-01T14:00:00", ALL[1:2]),
        ("?to=2026-11-01", []),
        ("?from=2026-11-01&to=2026-11-02", ALL),
        ("?requestId=r-1", ALL),
        ("?q=NEEDS", ALL[:1]),
        ("?q=192.0.2.7&action=create", ALL[2:]),
        ("?q=100%25", []),
        ("?tenantId=globex", []),
    ],
)
def test_a_selection_combines_what_it_is_told(trail: Cast, call: Call, query: str, wanted: list[str]) -> None:
    assert actions(call("alice", AUDIT + query)) == wanted


def test_by_user(trail: Cast, call: Call) -> None:
    assert actions(call("iris", f"{AUDIT}?userId={trail.users['alice'].pk}")) == ALL


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("result=bad", "result"),
        ("userId=alice", "userId"),
        ("nothing=1", "nothing"),
        ("action=a&action=b", "action"),
        ("q=", "q"),
        ("q=a%00b", "q"),
        (f"q={'x' * 201}", "q"),
    ],
)
def test_what_is_wrong_with_one_is_named(trail: Cast, call: Call, query: str, parameter: str) -> None:
    answer = call("iris", f"{AUDIT}?{query}")
    assert answer.status_code == 400
    assert [one["parameter"] for one in answer.json()["errors"]] == [parameter]


def test_a_tenants_reader_sees_nothing_of_anybody_elses(trail: Cast, call: Call) -> None:
    mine = call("alice", AUDIT)
    assert b"canary" not in mine.content
    theirs = AuditEntry.objects.get(actor="charlie@globex").pk
    assert call("alice", f"{AUDIT}/{theirs}").status_code == 404
    assert call("alice", f"{AUDIT}/{mine.json()['items'][0]['id']}").json() == mine.json()["items"][0]
    for id_ in ("0", "x", "-1", "9" * 30, "1e3"):
        assert call("alice", f"{AUDIT}/{id_}").status_code == 404
    assert call("bob", AUDIT).status_code == 403


def test_an_auditors_reading_is_in_the_trail_too(trail: Cast, call: Call) -> None:
    assert len(actions(call("iris", f"{AUDIT}?q=canary"))) == 2
    waiting.flush()
    assert actions(call("iris", f"{AUDIT}?resource=Audit")) == ["list Audit"]


def test_pages_neither_skip_nor_repeat_while_entries_come_in(trail: Cast, call: Call) -> None:
    seen, path = [], f"{AUDIT}?limit=2"
    while path:
        answer = call("iris", path)
        seen += [one["resourceName"] for one in answer.json()["items"]]
        append([Deed(actor="new").entry("read", "Tenant")])
        link = answer.get("Link", "")
        path = link[link.index("/admin") : link.index(">")] if link else ""
    assert seen == ["canary-of-the-platform", "canary-of-globex", "", "edge-pool", "edge-pool"]


class TestAnExport:
    def test_defuses_formulas_and_keeps_a_line_an_entry(self, trail: Cast) -> None:
        for label in ("=1+1", "+1", "-1", "@cmd", 'a "quoted", one'):
            append([Deed(actor=label).entry("create", "User", label=label)])
        rows = AuditEntry.objects.filter(kind="User")
        lines = b"".join(written(rows, CSV)).decode().splitlines()
        cells = [row["resourceName"] for row in csv.DictReader(io.StringIO("\n".join(lines)))]
        assert cells == ['a "quoted", one', "'@cmd", "'-1", "'+1", "'=1+1"]
        assert len(lines) == 6
        objects = [json.loads(line) for line in b"".join(written(rows, JSON_LINES)).splitlines()]
        assert [one["resourceName"] for one in objects][::-1][:2] == ["=1+1", "+1"]

    def test_by_the_command_is_the_same_and_is_told(self, trail: Cast) -> None:
        out = io.TextIOWrapper(io.BytesIO())
        call_command("audit", "export", "--result", "denied", stdout=out)
        (line,) = out.buffer.getvalue().splitlines()
        assert json.loads(line)["reason"] == "This needs Resource:delete."
        told = AuditEntry.objects.get(action="export")
        login = pwd.getpwuid(os.getuid()).pw_name
        assert (told.actor, told.method) == (f"{login}, at a shell", "COMMAND")
        assert json.loads(told.after or "")["selection"] == {"result": "denied"}
        with pytest.raises(CommandError, match="--from must be"):
            call_command("audit", "export", "--from", "yesterday")

    def test_needs_its_own_permission(self, trail: Cast, call: Call) -> None:
        carol = trail.join("carol", "acme", "Admin")
        assert carol.tenant_id == "acme"
        assert call("carol", AUDIT).status_code == 200
        refused = call("carol", AUDIT, headers={"Accept": "text/csv"})
        assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")


def test_an_export_is_streamed_and_leaves_an_entry_with_its_selection(gateway: Gateway) -> None:
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.start(gateway.both)
    for _ in range(3):
        gateway.get("bob", AUDIT)  # refused
    raw = gateway.raw("alice", f"{AUDIT}?result=denied", Accept="application/jsonl")
    lines = [json.loads(line) for line in raw.splitlines()]
    assert [(one["userName"], one["status"]) for one in lines] == [("bob@acme", 403)] * 3
    table = list(
        csv.DictReader(io.StringIO(gateway.raw("alice", f"{AUDIT}?result=denied", Accept="text/csv")))
    )
    assert [row["id"] for row in table] == [one["id"] for one in lines]
    exports = gateway.get("alice", f"{AUDIT}?action=export").body["items"]
    assert [one["after"]["format"] for one in exports] == ["csv", "jsonl"]
    assert exports[0]["after"]["selection"] == {"result": "denied"}
    gateway.until(lambda: "seals: 0" not in gateway.manage("audit", "verify"), seconds=5, what="a seal")
