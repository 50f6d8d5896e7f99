"""T17: no way round the doors: not by Django's admin site, another method, or an odd spelling of a path."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver

from tenancy.models import Binding, Role, Tenant, User
from tests.world import Cast, World

Call = Callable[..., Any]

SPELLINGS = [
    "//admin/v1/tenants/globex", "/admin//v1/tenants/globex", "/admin/v1//tenants/globex",
    "/admin/v1/tenants//globex", "/admin/v1/tenants/globex/", "/admin/v1/tenants/globex/.",
    "/admin/v1/tenants/acme/../globex", "/admin/v1/tenants/acme%2F..%2Fglobex",
    "/admin/v1/./tenants/globex", "/admin/v1/tenants/GLOBEX", "/admin/v1/tenants/globex%20",
    "/admin/v1/tenants/globex%00", "/admin/v1/tenants/%67lobex", "/admin/v1/tenants/globex;acme",
    "/admin/v1;x/tenants/globex", "/ADMIN/v1/tenants/globex", "/admin/V1/tenants/globex",
    "/admin/v1.0/tenants/globex", "/admin/v2/tenants/globex", "/admin/%76%31/tenants/globex",
    "/admin/v1/tenants/%E2%80%8Bglobex", "/admin/v1/tenants/ｇlobex", "/admin/v1/tenants/globex%0d%0a",
    "/admin/v1/tenants/globex/users/..", "/o2ims/../admin/v1/tenants/globex",
    "/o2ims/v1/../../admin/v1/tenants/globex", "/admin/v1/tenants/globex.json", "/admin/v1/tenants/*",
    "/admin/v1/tenants/globex,acme", "/admin/v1/tenants/acme%26id=globex",
    "/admin/tenancy/tenant/globex/change/",
]  # fmt: skip


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_leads_into_another_tenant(cast: Cast, call: Call, path: str) -> None:
    for who in ("alice", "bob", ""):
        answer = call(who, path)
        assert answer.status_code in {301, 302, 401, 404}, (who, answer.status_code)
        assert b"Globex" not in answer.content


@pytest.mark.parametrize("path", ["/admin/v1/tenants/globex", "/admin/v1/tenants/acme", "/admin/v1/tenants"])
def test_no_header_or_field_makes_another_method_of_one(cast: Cast, send: Call, path: str) -> None:
    before = list(Tenant.objects.values_list())
    for header in ("X_HTTP_Method_Override", "X_Method_Override", "X_HTTP_Method"):
        for method in ("DELETE", "PATCH", "PUT"):
            headers = {header: method, "If_Match": "*"}
            assert send("alice", "GET", f"{path}?_method={method}", **headers).status_code in {200, 400, 404}
            assert send("bob", "POST", path, {"_method": method}, **headers).status_code in {403, 405}
    for method in ("TRACE", "CONNECT", "PROPFIND", "OPTIONS", "delete", "GET\tDELETE"):
        assert send("alice", method, path, If_Match="*").status_code in {400, 403, 404, 405}, method
    assert list(Tenant.objects.values_list()) == before


def pages(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    """Every path of the admin site, with 1 for what it asks for."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns, path)
        elif "(?P" not in path:
            yield (
                path.replace("<path:object_id>", "1")
                .replace("<id>", "1")
                .replace("<path:content_type_id>", "1")
                .replace("<path:url>", "x")
            )


def test_a_tenants_people_get_nowhere_in_the_admin_site(sample: World, cast: Cast) -> None:
    paths = [p for p in pages(admin.site.urls[0], "/admin/") if "login" not in p and "logout" not in p]
    assert len(paths) > 30
    bearer = Client(
        headers={"Authorization": f"Bearer {cast.tokens['root']}"}
    )  # the API's, and not a session
    alice, nils = Client(), Client()
    alice.force_login(cast.users["alice"])
    nils.force_login(cast.join("nils", None))
    for client in (bearer, alice, nils):
        for path in paths:
            for answer in (client.get(path), client.post(path, {"post": "yes"})):
                assert (answer.status_code, answer.headers.get("Location", "")[:13]) == (
                    302,
                    "/admin/login/",
                ), path


@pytest.mark.usefixtures("counted")
def test_signing_in_needs_a_role_of_the_platform_and_tells_nobody_why_not(cast: Cast) -> None:
    password = "long enough for anybody"
    cast.join("nils", None)
    for user in User.objects.all():
        user.set_password(password)
        user.save()

    def sign_in(name: str, word: str = password) -> tuple[int, str]:
        answer = Client().post("/admin/login/?next=/admin/", {"username": name, "password": word})
        text = answer.content.decode()
        return answer.status_code, text[text.find('class="errornote"') :].partition("</p>")[0]

    for name in ("root", "iris"):
        assert sign_in(name)[0] == 302
    wrong = sign_in("root", "wrong")
    assert wrong[0] == 200
    assert "errornote" in wrong[1]
    for name in ("alice@acme", "nils", "nobody"):
        assert sign_in(name) == wrong, name


def test_a_session_ends_with_the_role(cast: Cast) -> None:
    iris = Client()
    iris.force_login(cast.users["iris"])
    assert iris.get("/admin/").status_code == 200
    Binding.objects.get(user=cast.users["iris"]).delete()
    assert iris.get("/admin/").status_code == 302
    Binding(user=cast.users["iris"], role=Role.built_in("TenantAdmin")).save()
    assert iris.get("/admin/").status_code == 200
    assert iris.get("/admin/o2ims/source/").status_code == 403
