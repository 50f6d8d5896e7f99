"""Routes are closed: each says what it needs, in the URL map and in the OpenAPI document alike."""

import json
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from rest_framework.permissions import AllowAny
from rest_framework.viewsets import ViewSet

from api.openapi import named
from netweave import urls
from netweave.checks import api_routes
from o2ims.openapi import documented as is_documented
from tenancy.guard import needed
from tenancy.permissions import Action, Resource
from tenancy.roles import TABLE

#: What each noun, the last word of a path that is no parameter, needs a permission of.
NOUNS = {
    "deploymentManagers": Resource.DEPLOYMENT_MANAGER,
    "resourcePools": Resource.RESOURCE_POOL,
    "resources": Resource.RESOURCE,
    "resourceTypes": Resource.RESOURCE_TYPE,
    "oCloudInfrastructure": Resource.DEPLOYMENT_MANAGER,
    "api_versions": Resource.DEPLOYMENT_MANAGER,
    "v1": Resource.DEPLOYMENT_MANAGER,
    "tenants": Resource.TENANT,
    "users": Resource.USER,
    "roles": Resource.ROLE,
    "bindings": Resource.BINDING,
    "tokens": Resource.TOKEN,
    "audit": Resource.AUDIT,
    "subscriptions": Resource.SUBSCRIPTION,
    "deliveries": Resource.DELIVERY,
    "issuers": Resource.CERTIFICATE,
    "certificates": Resource.CERTIFICATE,
}
#: What is done with a subscription, by POST to the last word of a path.
DEEDS = {"test", "rotate-secret", "resume", "replay"}
ONE = {"oCloudInfrastructure", "api_versions", "v1"}  # not lists


def expected(where: str, method: str) -> str:
    """The permission that a method of a documented path needs."""
    words = [word for word in where.split("/") if word]
    noun = next(word for word in reversed(words) if not word.startswith("{"))
    if noun in DEEDS:
        return f"{Resource.SUBSCRIPTION}:{Action.UPDATE}"
    if noun == "me":
        return "anyone"
    reads = Action.READ if words[-1].startswith("{") or noun in ONE else Action.LIST
    changes = {"post": Action.CREATE, "put": Action.UPDATE, "patch": Action.UPDATE, "delete": Action.DELETE}
    return f"{NOUNS[noun]}:{changes.get(method, reads)}"


def documented(where: str) -> str:
    return named(re.sub(r"<str:(\w+)>", r"{\1}", where))


def test_the_url_map_the_document_and_the_table_of_permissions_agree(db: None) -> None:
    routed: dict[tuple[str, str], str] = {}
    for where, view in api_routes():
        for method, action in view.actions.items():
            wanted = needed(view.cls, action)
            assert wanted is not None, where
            if is_documented(where) and method != "head":
                routed[documented(where), method] = wanted if isinstance(wanted, str) else ":".join(wanted)
    assert routed == {key: expected(*key) for key in routed}
    document = json.loads(Client().get("/openapi.json").content)
    described = {
        (where, method): operation["x-permission"]
        for where, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert described == routed
    in_table = {resource for resources, _ in TABLE for resource in resources}
    assert {permission.split(":")[0] for permission in routed.values()} - {"anyone"} <= in_table
    assert [key for key, permission in routed.items() if permission == "anyone"] == [("/admin/v1/me", "get")]
    assert len(routed) > 40


class _Silent(ViewSet):
    def list(self, request: Any) -> Any: ...


class _Open(ViewSet):
    permission_classes = [AllowAny]
    resource = Resource.RESOURCE

    def list(self, request: Any) -> Any: ...


class _Strange(ViewSet):
    resource = Resource.RESOURCE

    def explode(self, request: Any) -> Any: ...


@pytest.mark.parametrize(
    "view",
    [
        _Silent.as_view({"get": "list"}),
        _Open.as_view({"get": "list"}),
        _Strange.as_view({"post": "explode"}),
        lambda _request: None,
    ],
    ids=["without a resource", "open to all", "with an action that is none", "of another kind"],
)
def test_a_route_that_does_not_say_what_it_needs_stops_the_start(view: Any, monkeypatch: Any) -> None:
    call_command("check")
    monkeypatch.setattr(urls.gateway_v1[0], "callback", view)
    with pytest.raises(SystemCheckError, match=r"(?s)E001.*/o2ims/v1/oCloudInfrastructure"):
        call_command("check")


def test_a_view_that_says_nothing_lets_nobody_in(sample: Any, call: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(urls.gateway_v1[0], "callback", _Silent.as_view({"get": "list"}))
    for who in ("root", "alice"):
        assert call(who, "/o2ims/v1/oCloudInfrastructure").status_code == 403
