"""CAs and client certificates in the admin API: whose CA is believed about whom is a matter of rights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenancy.principals import Unidentified, principals
from tenancy.trail import AuditEntry
from tenancy.trust import Certificate, Issuer
from tests.certificates import Authority
from tests.world import Cast

Call = Callable[..., Any]
ISSUERS, CERTIFICATES = "/admin/v1/issuers", "/admin/v1/certificates"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pem(authority: Authority) -> str:
    return authority.file.read_text()


def test_an_owner_has_a_ca_believed_about_the_own_tenant_and_no_longer(
    cast: Cast, send: Call, call: Call, edit: Call, pem: str
) -> None:
    made = send("alice", "POST", ISSUERS, {"certificate": pem})
    assert made.status_code == 201
    assert (made.json()["tenantId"], made.json()["certificate"]) == ("acme", pem)
    where = f"{ISSUERS}/{made.json()['issuerId']}"
    assert made["Location"].endswith(where)
    assert call("alice", ISSUERS).json()["items"] == [made.json()]
    assert call("charlie", ISSUERS).json()["items"] == []
    assert call("charlie", where).status_code == 404
    assert send("alice", "POST", ISSUERS, {"certificate": pem}).status_code == 409
    assert edit("alice", "PATCH", where, {}).status_code == 405
    assert edit("alice", "DELETE", where).status_code == 204
    assert not Issuer.objects.exists()
    assert [e.action for e in AuditEntry.objects.filter(kind="Certificate", result="success")] == [
        "delete",
        "create",
    ]


def test_nobody_has_one_believed_about_others_or_about_who_may_do_more(
    cast: Cast, send: Call, call: Call, pem: str
) -> None:
    cast.join("adam", "acme", "Admin")
    cast.join("carol", None, "TenantAdmin")
    for who, tenant, status in (
        ("alice", "globex", 422),
        ("alice", "nobody", 422),
        ("alice", None, 403),
        ("adam", "acme", 403),
        ("carol", "acme", 403),
        ("carol", None, 403),
        ("bob", "acme", 403),
        ("iris", "acme", 403),
        ("root", "acme", 201),
        ("root", None, 201),
    ):
        answer = send(who, "POST", ISSUERS, {"tenantId": tenant, "certificate": pem})
        assert answer.status_code == status, (who, tenant, answer.content)
    assert {issuer.tenant_id for issuer in Issuer.objects.all()} == {"acme", None}


@pytest.mark.parametrize("what", ["a leaf", "no certificate", "", None])
def test_what_is_no_cas_certificate_is_refused_where_it_is(
    cast: Cast, send: Call, authority: Authority, what: str | None
) -> None:
    leaf = authority.issue(names=["alice.acme.o2ims.example.com"]).certificate.read_text()
    answer = send("alice", "POST", ISSUERS, {"certificate": leaf if what == "a leaf" else what})
    assert answer.status_code == (422 if what or what == "" else 400)
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/certificate"]
    assert not Issuer.objects.exists()


def test_a_certificate_is_revoked_and_stays_to_be_seen(
    cast: Cast, call: Call, edit: Call, authority: Authority, pem: str
) -> None:
    Issuer(tenant_id="acme", pem=pem).save()
    issued = authority.issue(names=["alice.acme.o2ims.example.com"]).certificate.read_bytes()
    assert principals.of_certificate(issued).name == "alice@acme"
    row = Certificate.objects.get()
    where = f"{CERTIFICATES}/{row.pk}"
    assert call("alice", where).json()["fingerprint"] == row.fingerprint
    assert call("bob", CERTIFICATES).json()["items"] == [], "a viewer sees the own ones"
    assert call("charlie", where).status_code == 404
    assert edit("bob", "DELETE", where).status_code == 403
    assert edit("alice", "DELETE", where).status_code == 204
    assert call("iris", where).json()["revokedAt"] is not None
    principals.follow()
    with pytest.raises(Unidentified):
        principals.of_certificate(issued)


def test_those_of_the_platforms_people_are_revoked_by_who_may_as_much(
    cast: Cast, edit: Call, authority: Authority
) -> None:
    cast.join("carol", None, "TenantAdmin")
    Certificate.note(authority.issue(names=["root"]).x509, cast.users["root"])
    where = f"{CERTIFICATES}/{Certificate.objects.get().pk}"
    assert edit("carol", "DELETE", where).status_code == 403
    assert edit("root", "DELETE", where).status_code == 204
