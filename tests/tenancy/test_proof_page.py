"""The proof in the admin site: an auditor has all of the trail checked, and reads what was found."""

from datetime import UTC, datetime

import pytest
from django.db import connections
from django.test import Client

from tenancy import sealing
from tenancy.audit import Deed, append
from tenancy.trail import AuditEntry
from tests.world import Cast

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
PROOF = "/admin/tenancy/auditentry/proof/"


@pytest.fixture
def iris(cast: Cast) -> Client:
    """Iris' browser, and a sealed trail of five entries."""
    client = Client()
    client.force_login(cast.users["iris"])
    sealing.make_partitions()
    append([Deed(actor="alice@acme").entry("create", "ResourcePool", n) for n in range(5)])
    assert sealing.seal() >= 5
    return client


def read(client: Client, **form: str) -> str:
    answer = client.post(PROOF, form) if form else client.get(PROOF)
    assert answer.status_code == 200
    return answer.content.decode()


def test_says_how_much_there_is_and_checks_only_when_asked_to(iris: Client) -> None:
    count = AuditEntry.objects.count()
    page = read(iris)
    assert f"{count} sealed entries" in page
    assert "state-up" not in page
    assert not AuditEntry.objects.filter(action="verify").exists()
    page = read(iris, head="")
    assert "● whole" in page
    assert f"entries as they were sealed: {count}" in page
    told = AuditEntry.objects.get(action="verify")
    assert (told.actor, told.kind, told.result, told.method) == ("iris", "Audit", "success", "POST")


def test_names_what_was_changed_and_leads_to_it(iris: Client) -> None:
    entry = AuditEntry.objects.earliest("pk")
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE tenancy_auditentry SET actor = 'bob@acme' WHERE id = %s", [entry.pk])
    page = read(iris, head="")
    assert "✕ not whole: 1 fault<" in page
    assert f"entry {entry.pk} (seal 1): was changed after it was sealed" in page
    assert iris.get(f"/admin/tenancy/auditentry/{entry.pk}/change/").status_code == 200
    told = AuditEntry.objects.get(action="verify")
    assert '"whole":false' in (told.after or "")


def test_looks_for_the_head_that_was_noted_down(iris: Client) -> None:
    head = read(iris, head="").partition("noted down: ")[2].partition("<")[0]
    assert "● whole" in read(iris, head=head)
    for noted in ("1:0", "²:0", "nothing", "9" * 5000):
        assert "the seal that was noted down is not there" in read(iris, head=noted), noted


def test_an_entry_says_by_which_seal_it_is_vouched_for_and_the_list_up_to_where(iris: Client) -> None:
    entry = AuditEntry.objects.earliest("pk")
    page = iris.get(f"/admin/tenancy/auditentry/{entry.pk}/change/").content.decode()
    assert "by seal 1, 20" in page
    foot = iris.get("/admin/tenancy/auditentry/").content.decode()
    assert "by seal 1 at 20" in foot
    assert "Entries are kept for 400 days" in foot
    append([Deed().entry("read", "Tenant")._replace(timestamp=datetime.now(UTC))])
    later = AuditEntry.objects.latest("pk")
    page = iris.get(f"/admin/tenancy/auditentry/{later.pk}/change/").content.decode()
    assert "not yet" in page
