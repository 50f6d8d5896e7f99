"""T1: every operation of the OpenAPI document, asked for by those who must not have it. What is not declared
is not answered, and nothing happens."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import models
from django.test import Client

from adapters.types import DeploymentManager
from o2ims.models import Change, Item, Operation
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions.models import Delivery, Endpoint, Journal, Lane
from tenancy.audit import Deed
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action, Resource, Rights
from tenancy.revocations import Revocation
from tenancy.roles import BUILT_IN
from tenancy.trail import AuditEntry
from tenancy.trust import Certificate, Issuer
from tests.certificates import Authority
from tests.subscriptions.world import delivered, subscribed
from tests.world import Cast, World, custom, small

Call = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """One operation; `path` leads to something of acme's."""

    template: str
    path: str
    method: str
    permission: str
    declared: frozenset[str]
    body: Any

    @property
    def about_acme(self) -> bool:
        return "{" in self.template


@pytest.fixture
def matrix(world: World, cast: Cast, call: Call, tmp_path: Path) -> list[Asked]:
    """Every operation there is, on things that are acme's alone."""
    world.add(
        "one", things=[*small(), DeploymentManager(native_id="dm", name="dm", tenant="acme", version="1")]
    )
    cast.join("nora", "acme")
    Tenant.objects.create(id="initech", name="Initech", status="suspended")
    cast.join("sam", "initech", "Owner")
    ids = {"tenantId": "acme", "roleId": str(custom("acme", "Own", "Alarm:read:tenant").pk)}
    for noun in ("deploymentManagers", "resourcePools", "resources", "resourceTypes"):
        (key, id_), *_ = call("alice", f"/o2ims/v1/{noun}").json()["items"][0].items()
        ids[key] = id_
    bob = cast.users["bob"]
    ids |= {
        "userId": str(bob.pk),
        "bindingId": str(bob.bindings.get().pk),
        "tokenId": str(cast.rows["bob"].pk),
        "auditId": str(an_entry_of("acme")),
        **trusted(tmp_path, bob),
        **subscriptions_of("acme"),
    }
    document = json.loads(Client().get("/openapi.json").content)
    return list(operations(document, ids))


def trusted(folder: Path, user: User) -> dict[str, str]:
    """An issuer of the user's tenant, and a certificate of theirs that was used."""
    authority = Authority(folder)
    issuer = Issuer(tenant=user.tenant, pem=authority.file.read_text())
    issuer.save()
    Certificate.note(authority.issue(names=[user.username]).x509, user)
    return {"issuerId": str(issuer.pk), "certificateId": str(Certificate.objects.get(user=user).pk)}


def subscriptions_of(tenant: str) -> dict[str, str]:
    """One on each root, the first with a delivery; the key of the other begins with its root's."""
    first = subscribed(tenant)
    delivered(first, Change.objects.filter(tenant=tenant)[0])
    return {
        "subscriptionId": first.id,
        "o2ims-infrastructureInventory.subscriptionId": subscribed(
            tenant, flavour=INVENTORY_V1.name, filter=None
        ).id,
    }


def filled(template: str, ids: dict[str, str]) -> str:
    """A path of something that is there."""
    root = template.split("/")[1]
    return re.sub(r"{(\w+)}", lambda match: ids.get(f"{root}.{match[1]}") or ids[match[1]], template)


def an_entry_of(tenant: str) -> int:
    deed = Deed(tenant=tenant, actor=f"somebody@{tenant}")
    deed.tell(deed.entry("read", "Tenant", tenant))
    return AuditEntry.objects.values_list("pk", flat=True)[0]


def operations(document: dict[str, Any], ids: dict[str, str]) -> Iterator[Asked]:
    for template, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield Asked(
                template=template,
                path=filled(template, ids),
                method=method.upper(),
                permission=operation["x-permission"],
                declared=frozenset(operation["responses"]),
                body=content.get("example"),
            )


def everything() -> list[Any]:
    """All rows that a request could change."""
    tables: tuple[type[models.Model], ...] = (
        Tenant,
        User,
        Role,
        Binding,
        Token,
        Revocation,
        Issuer,
        Certificate,
        Item,
        Change,
        Operation,
        Journal,
        Endpoint,
        Lane,
        Delivery,
    )
    return [list(model._default_manager.order_by("pk").values_list()) for model in tables]


def answers(matrix: list[Asked], send: Call, who: str) -> Iterator[tuple[Asked, Any]]:
    """Each operation with what `who` was answered; every answer is declared, and a problem if it is none."""
    for asked in matrix:
        answer = send(who, asked.method, asked.path, asked.body, If_Match="*", X_Request_Id="same")
        assert str(answer.status_code) in asked.declared, (asked, answer.status_code)
        kinds = {"application/json", "application/problem+json"}
        assert answer.get("Content-Type") in (kinds if answer.content else {None})
        yield asked, answer


def test_there_is_every_kind_of_operation_in_it(matrix: list[Asked]) -> None:
    assert len(matrix) > 40
    assert {asked.method for asked in matrix} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert sum(asked.about_acme for asked in matrix) > 20


def test_its_own_people_do_find_what_the_others_ask_for(matrix: list[Asked], call: Call) -> None:
    for asked in matrix:
        if asked.method == "GET":
            assert call("alice", asked.path).status_code == 200, asked.path


def test_who_is_nobody_is_401(matrix: list[Asked], send: Call) -> None:
    before = everything()
    assert [a for a, answer in answers(matrix, send, "") if answer.status_code != 401] == []
    assert everything() == before


def test_whose_tenant_is_suspended_is_403(matrix: list[Asked], send: Call) -> None:
    before = everything()
    assert [a for a, answer in answers(matrix, send, "sam") if answer.status_code != 403] == []
    assert everything() == before


def test_who_has_no_role_is_403_but_for_being_told_so(matrix: list[Asked], send: Call) -> None:
    before = everything()
    passed = [a.path for a, answer in answers(matrix, send, "nora") if answer.status_code != 403]
    assert passed == ["/admin/v1/me"]
    assert everything() == before


def test_another_tenants_owner_is_404_or_403_by_role_alone_in_the_bytes_of_something_unknown(
    matrix: list[Asked], send: Call, cast: Cast
) -> None:
    owner = Rights(BUILT_IN["Owner"].permissions)
    theirs = [asked for asked in matrix if asked.about_acme]
    before = everything()
    for asked, answer in answers(theirs, send, "charlie"):
        resource, action = asked.permission.split(":")
        allowed = owner.scopes(Resource(resource), Action(action))
        assert answer.status_code == (404 if allowed else 403), asked
        nowhere = re.sub(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, asked.path
        )
        nowhere = nowhere.replace("/tenants/acme", "/tenants/nobody")
        nowhere = re.sub(r"/audit/[0-9]+", "/audit/1000000", nowhere)
        unknown = send("charlie", asked.method, nowhere, asked.body, If_Match="*", X_Request_Id="same")
        assert (unknown.status_code, unknown.content) == (answer.status_code, answer.content), asked
    assert everything() == before


def test_no_list_of_another_tenants_owner_has_anything_of_acme_in_it(matrix: list[Asked], call: Call) -> None:
    mine = {asked.path for asked in matrix if asked.about_acme}
    ids = {part for path in mine for part in path.split("/") if "-" in part and len(part) == 36} | {"acme"}
    for asked in matrix:
        if asked.method == "GET" and not asked.about_acme:
            text = call("charlie", asked.path).content.decode()
            assert [id_ for id_ in ids if id_ in text] == [], asked.path


def test_an_auditor_reads_all_of_it_and_changes_nothing(matrix: list[Asked], send: Call) -> None:
    before = everything()
    for asked, answer in answers(matrix, send, "iris"):
        assert answer.status_code == (200 if asked.method == "GET" else 403), asked
    assert everything() == before


def test_a_viewer_changes_nothing(matrix: list[Asked], send: Call) -> None:
    before = everything()
    for asked, answer in answers(matrix, send, "bob"):
        assert answer.status_code == 403 or asked.method == "GET", asked
    assert everything() == before
