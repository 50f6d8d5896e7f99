"""T35: what a session can be tricked into: requests that somebody else has written, a session that somebody
else has begun, and pages in somebody else's frame."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from tenancy.trail import AuditEntry
from tests.gateway import Gateway
from tests.netweave.signing_in import LOGIN, PASSWORD, Person
from tests.tenancy.test_doors import pages
from tests.world import Cast, World

CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def root(sample: World, cast: Cast) -> Client:
    """Root, in a browser that asks for tokens of forms."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.users["root"])
    return client


def rows() -> dict[str, list[Any]]:
    """Everything in the database, but for the sessions themselves and what the trail says of refusals."""
    there = set(connection.introspection.table_names())
    models = [m for m in apps.get_models() if m not in {Session, AuditEntry} and m._meta.db_table in there]
    assert len(models) > 15
    return {model._meta.label: sorted(map(repr, model._default_manager.values())) for model in models}


def paths() -> Iterator[str]:
    """Every page of the admin site; 1 is a row of some of them, and the real rows follow."""
    yield from pages(admin.site.urls[0], "/admin/")
    for model in admin.site._registry:
        if (row := model._default_manager.first()) is not None:
            for end in ("change", "delete"):
                yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/{end}/"


def test_no_page_does_anything_without_the_token_of_its_form(root: Client) -> None:
    before = rows()
    seen = list(paths())
    assert len(seen) > 60
    for path in seen:
        for method in CHANGING:
            form = {"post": "yes", "action": "delete_selected", "_selected_action": "1"}
            answer = root.generic(
                method,
                path,
                "&".join(f"{k}={v}" for k, v in form.items()),
                "application/x-www-form-urlencoded",
            )
            assert answer.status_code == 403, (method, path)
    assert rows() == before


def test_looking_at_a_page_changes_nothing(root: Client) -> None:
    before = rows()
    for path in paths():
        answer = root.get(path)
        assert answer.status_code in {200, 302, 403, 404, 405}, path
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert rows() == before
    assert root.get("/admin/").status_code == 200


def test_with_its_token_a_form_is_taken(root: Client) -> None:
    page = root.get("/admin/tenancy/tenant/add/")
    form = {"id": "initech", "name": "Initech", "status": "active"}
    assert root.post("/admin/tenancy/tenant/add/", form).status_code == 403
    token = page.context["csrf_token"]
    assert root.post("/admin/tenancy/tenant/add/", {**form, "csrfmiddlewaretoken": token}).status_code == 302


@pytest.mark.usefixtures("counted")
def test_a_session_that_began_before_signing_in_is_not_the_one_after(cast: Cast) -> None:
    cast.users["root"].set_password(PASSWORD)
    cast.users["root"].save()
    planted, victim = Client(), Client()
    session = planted.session
    session["planted"] = True
    session.save()
    key = str(session.session_key)
    victim.cookies["session"] = key
    form = {"username": "root", "password": PASSWORD, "next": "/admin/"}
    assert victim.post(LOGIN, form).status_code == 302
    assert victim.cookies["session"].value != key
    assert victim.get("/admin/").status_code == 200
    planted.cookies["session"] = key
    assert planted.get("/admin/").status_code == 302
    assert not Session.objects.filter(session_key=key).exists()


@pytest.mark.parametrize("plain", [False, True], ids=["over TLS", "over plain HTTP"])
def test_cookies_are_for_this_host_alone_and_for_no_script(gateway: Gateway, plain: bool) -> None:
    if not plain:
        gateway.environment |= {"ALLOW_PLAIN_HTTP": "0"}
        gateway.environment |= {"ALLOWED_HOSTS": "gate.test", "EXTERNAL_URL": "https://gate.test"}
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.web.command[:] = gateway._command("serve", "--port", str(gateway.port))
    gateway.web.start()
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    gateway.until(lambda: gateway.get("", "/livez").status == 200)
    person = Person(gateway) if plain else Person(gateway, Host="gate.test", Origin="https://gate.test")
    page = person.sign_in("boss")
    assert page.status == 302
    prefix = "" if plain else "__Host-"
    assert {cookie.partition("=")[0] for cookie in page.cookies} == {f"{prefix}session", f"{prefix}csrf"}
    for cookie in page.cookies:
        said = {part.strip().partition("=")[0].lower(): part for part in cookie.split(";")[1:]}
        assert said["samesite"].strip() == "SameSite=Strict"
        assert {"httponly", "path"} <= said.keys()
        assert ("secure" in said) is not plain
        assert "domain" not in said
