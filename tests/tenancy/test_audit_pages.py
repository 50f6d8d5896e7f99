"""The audit trail in the admin site: an auditor selects, reads, follows and takes away; nobody writes."""

from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenancy.audit import Deed, append
from tenancy.trail import AuditEntry
from tests.tenancy.test_audit_api import trail
from tests.world import Cast

__all__ = ["trail"]

LIST = "/admin/tenancy/auditentry/"
EXPORTS = (f"{LIST}export/csv/", f"{LIST}export/jsonl/")


@pytest.fixture
def browsers(trail: Cast) -> dict[str, Client]:
    """Everybody's, Carol's too, who administers tenants and may not read the trail."""
    trail.join("carol", None, "TenantAdmin")
    found = {"": Client()}
    for name, user in trail.users.items():
        found[name] = Client()
        found[name].force_login(user)
    return found


@pytest.fixture
def iris(browsers: dict[str, Client]) -> Client:
    return browsers["iris"]


def one(**wanted: Any) -> AuditEntry:
    return AuditEntry.objects.get(**wanted)


def detail(client: Client, entry: AuditEntry) -> str:
    answer = client.get(f"{LIST}{entry.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def deeds(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [f"{row.action} {row.kind} {row.label}".strip() for row in answer.context["cl"].result_list]


ACME = ["delete Resource", "update ResourcePool edge-pool", "create ResourcePool edge-pool"]


class TestASelection:
    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ("", ["update Role canary-of-the-platform", "create ResourcePool canary-of-globex", *ACME]),
            ("tenantId=acme", ACME),
            ("userName=alice%40acme&result=denied", ACME[:1]),
            ("from=2026-11-01+13%3A00&to=2026-11-01+14%3A00", ACME[1:2]),
            ("from=2026-11-01T14:00%2B01:00&to=2026-11-01T14:00Z&action=update", ACME[1:2]),
            ("resource=ResourcePool&resourceId=p-1", ACME[1:]),
            ("requestId=r-1&action=create", ACME[2:]),
            ("q=192.0.2.7&result=denied", ACME[:1]),
            ("q=NEEDS&tenantId=acme", ACME[:1]),
            ("q=o2ims%2Fv1&action=delete", ACME[:1]),
            ("tenantId=acme&action=&from=&q=", ACME),
            ("tenantId=initech", []),
        ],
    )
    def test_combines_what_the_link_says(self, iris: Client, query: str, wanted: list[str]) -> None:
        assert deeds(iris.get(f"{LIST}?{query}")) == wanted

    @pytest.mark.parametrize(
        ("query", "fault"),
        [
            ("from=yesterday", "From must be a date or a time"),
            ("result=bad", "Outcome must be one of success, denied, error."),
            ("userId=alice", "User id must be a UUID."),
            ("tenant=acme", "tenant is not known here"),
            ("actor__startswith=a", "actor__startswith is not known here"),
            ("action=create&action=delete", "Action must be given once"),
            (f"q={'x' * 201}", "q must be given once, in 1 to 200"),
        ],
    )
    def test_that_is_wrong_is_told_and_shows_nothing(self, iris: Client, query: str, fault: str) -> None:
        answer = iris.get(f"{LIST}?{query}")
        assert fault in answer.content.decode()
        assert deeds(answer) == []
        for export in EXPORTS:
            led = iris.get(f"{export}?{query}")
            assert (led.status_code, led["Location"]) == (302, f"{LIST}?{urlsplit(led['Location']).query}")
            assert fault in iris.get(led["Location"]).content.decode()
        assert not AuditEntry.objects.filter(action="export").exists()

    def test_stays_in_the_form_in_the_search_and_in_every_link(self, iris: Client) -> None:
        page = iris.get(f"{LIST}?tenantId=acme&action=create&q=edge").content.decode()
        form = page[page.index('class="selection"') :]
        assert 'name="tenantId" id="selected-tenantId" value="acme"' in form
        assert "<option selected>create</option>" in form
        assert '<input type="hidden" name="q" value="edge">' in form
        search = page[page.index("changelist-search") :].partition("</form>")[0]
        assert '<input type="hidden" name="tenantId" value="acme">' in search
        spans = [parse_qs(unescape(href.split('"')[0])) for href in form.split('href="?')[1:]]
        assert [sorted(span) for span in spans] == [["action", "from", "q", "tenantId"]] * 3

    def test_without_hits_leads_out(self, iris: Client) -> None:
        page = iris.get(f"{LIST}?tenantId=initech").content.decode()
        assert "No audit entries fit this search and these filters." in page


def test_pages_neither_skip_nor_repeat_while_entries_come_in_and_lead_back(iris: Client) -> None:
    append([Deed(actor="root").entry("create", "Tenant", n, label=str(n)) for n in range(120)])
    seen, pages, link = [], [LIST], "?action=create&resource=Tenant"
    while link:
        answer = iris.get(LIST + link)
        seen += [row.label for row in answer.context["cl"].result_list]
        pages.append(link)
        append([Deed(actor="root").entry("create", "Tenant", "new", label="new")])
        link = answer.context["cl"].older
    assert [len(pages), seen] == [4, [str(n) for n in range(119, -1, -1)]]
    assert [row.label for row in iris.get(LIST + answer.context["cl"].newer).context["cl"].result_list] == [
        str(n) for n in range(69, 19, -1)
    ]
    page = iris.get(LIST + answer.context["cl"].newest).content.decode()
    assert ">Older</a>" in page
    assert ">Newer</a>" not in page
    assert "result" not in page[page.index("changelist-search") :].partition("</form>")[0]


def test_a_page_costs_few_questions_and_counts_nothing(iris: Client) -> None:
    append([Deed(actor="root", request_id=str(n)).entry("create", "Tenant", n) for n in range(200)])
    entry = AuditEntry.objects.latest("pk")
    for path, most in ((LIST, 8), (f"{LIST}?q=root&p={entry.pk}", 9), (f"{LIST}{entry.pk}/change/", 9)):
        with CaptureQueriesContext(connection) as asked:
            assert iris.get(path).status_code == 200
        questions = [one["sql"] for one in asked]
        assert len(questions) <= most, (path, questions)
        assert not [sql for sql in questions if "COUNT(" in sql], path


class TestAnEntry:
    def test_shows_what_was_changed_and_leads_to_its_relatives(self, iris: Client) -> None:
        entry = one(action="update", kind="ResourcePool")
        page = detail(iris, entry)
        assert "a: <del>1</del> <ins>2</ins>" in page
        assert page.count("<del>") == 1
        assert "2026-11-01T13:00:00.000000Z" in page
        assert page.count("<details>") == 2
        for words, wanted in (
            ("same request", ACME),
            ("all its entries", ACME[1:]),
            ("all their entries", ACME),
        ):
            before, _, _ = page.partition(f'">{words}</a>')
            link = before.rpartition('href="')[2]
            assert deeds(iris.get(unescape(link))) == wanted, words
        assert "as it is now" in page  # Alice is still there
        assert "not yet" in page  # sealed

    def test_of_a_whole_object_or_none_says_so(self, iris: Client) -> None:
        assert "the whole object" in detail(iris, one(label="edge-pool", action="create"))
        assert "nothing was changed" in detail(iris, one(action="delete"))

    def test_of_strangers_and_odd_ids_is_shown_too(self, iris: Client) -> None:
        append([Deed(path="/o2ims/v1/x").entry("read", "User", "no uuid"), Deed().entry("read", "")])
        assert "no uuid" in detail(iris, one(object_id="no uuid"))
        assert "nobody known" in detail(iris, AuditEntry.objects.latest("pk"))

    def test_cannot_write_html(self, iris: Client) -> None:
        evil = "<script>x</script>"
        append(
            [
                Deed(actor=evil, tenant=evil, path=evil, address=evil, request_id=evil, reason=evil).entry(
                    "update", evil, evil, label=evil, before={evil: evil}, after={evil: 1}
                )
            ]
        )
        entry = one(label=evil)
        for page in (iris.get(LIST).content.decode(), detail(iris, entry)):
            assert evil not in page
            assert "&lt;script&gt;" in page


@pytest.mark.parametrize("page", ["tenant", "user", "role", "binding", "token"])
def test_the_history_of_a_row_is_what_the_trail_says_of_it(
    browsers: dict[str, Client], trail: Cast, page: str
) -> None:
    row: Any = {
        "tenant": trail.users["alice"].tenant,
        "user": trail.users["alice"],
        "binding": trail.users["alice"].bindings.get(),
        "role": trail.users["alice"].bindings.get().role,
        "token": trail.rows["alice"],
    }[page]
    append([Deed(actor="root").entry("update", str(row.resource), row.pk, label="this one")])
    append([Deed(actor="root").entry("update", str(row.resource), "other", label="another")])
    shown = browsers["iris"].get(reverse(f"admin:tenancy_{page}_change", args=[row.pk])).content.decode()
    link = shown.partition('" class="historylink"')[0].rpartition('href="')[2]
    answer = browsers["iris"].get(link, follow=True)
    assert {entry.label for entry in answer.context["cl"].result_list} == {"this one"}
