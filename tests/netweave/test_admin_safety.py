"""T35: what a session can be tricked into: requests that somebody else has written, a session that somebody
else has begun, and pages in somebody else's frame."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from tenancy.middleware import API_ROOT
from tenancy.trail import AuditEntry
from tests.gateway import Gateway
from tests.netweave.signing_in import LOGIN, PASSWORD, Person
from tests.tenancy.test_doors import pages
from tests.world import Cast, World

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
ONE_OF = re.compile(r"\^\(\?P<\w+>([\w|]+)\)/\$")
ONLY_READ = {"/docs/", "/openapi.json"}
#: Those that answer what no other one does.
CATCHING = {r"^admin/v1(?:/|\Z)", "(?P<url>.*)$"}


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


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[str]:
    """Every path of the URL map, with 1 for what it asks for."""
    for pattern in patterns:
        if isinstance(pattern.pattern, RegexPattern):
            words = ONE_OF.fullmatch(str(pattern.pattern))
            assert words or str(pattern.pattern) in CATCHING, f"no path can be made of {pattern}"
            yield from (f"{prefix}{word}/" for word in (words[1].split("|") if words else ()))
        elif isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield re.sub("<[^>]+>", "1", prefix + str(pattern.pattern))


def everywhere() -> list[str]:
    return sorted(set(routes(get_resolver().url_patterns)))


def test_no_route_of_any_kind_does_anything_for_a_session_alone(root: Client) -> None:
    """The URL map's, so that one that is added is tried too: an API takes no session, and all that does asks
    for the token of a form, or takes nothing but GET."""
    before, seen = rows(), everywhere()
    assert len(seen) > 150
    for path in seen:
        expected = {401} if API_ROOT.match(path) else {405} if path in ONLY_READ else {403}
        for method in CHANGING:
            for kind, body in (("application/json", "{}"), ("application/x-www-form-urlencoded", "post=yes")):
                answer = root.generic(method, path, body, kind)
                assert answer.status_code in expected, (method, path, answer.status_code)
    assert rows() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"csrfmiddlewaretoken": ""},
        {"csrfmiddlewaretoken": "x" * 64},
        {"csrfmiddlewaretoken": "of another"},
        {"origin": "https://elsewhere.test"},
        {"origin": "null"},
        {"origin": "http://testserver.elsewhere.test"},
    ],
    ids=str,
)
def test_a_form_with_a_wrong_token_or_of_another_place_is_not_taken(
    root: Client, cast: Cast, wrong: dict[str, str]
) -> None:
    page = root.get("/admin/tenancy/tenant/add/")
    other = Client(enforce_csrf_checks=True)
    other.force_login(cast.users["iris"])
    tokens = {"of another": str(other.get("/admin/").context["csrf_token"])}
    token = wrong.get("csrfmiddlewaretoken", str(page.context["csrf_token"]))
    form = {"id": "initech", "name": "Initech", "status": "active"}
    form["csrfmiddlewaretoken"] = tokens.get(token, token)
    headers = {name: value for name, value in wrong.items() if name == "origin"}
    before = rows()
    answer = root.post("/admin/tenancy/tenant/add/", form, headers=headers)
    assert answer.status_code == 403
    assert rows() == before


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


@pytest.mark.usefixtures("counted")
def test_signing_in_and_out_leaves_nothing_of_before(cast: Cast) -> None:
    for name in ("root", "iris"):
        cast.users[name].set_password(PASSWORD)
        cast.users[name].save()
    browser, kept = Client(enforce_csrf_checks=True), list[str]()
    for name in ("root", "iris", "root"):
        token = browser.get(LOGIN if not kept else "/admin/password_change/").context["csrf_token"]
        before = browser.cookies["csrf"].value
        form = {"username": name, "password": PASSWORD, "next": "/admin/", "csrfmiddlewaretoken": str(token)}
        assert browser.post(LOGIN, form).status_code == 302
        assert browser.cookies["csrf"].value != before
        kept.append(browser.cookies["session"].value)
    assert len(set(kept)) == 3
    token = browser.get("/admin/password_change/").context["csrf_token"]
    assert browser.post("/admin/logout/", {"csrfmiddlewaretoken": str(token)}).status_code == 200
    for key in kept:
        again = Client()
        again.cookies["session"] = key
        assert again.get("/admin/").status_code == 302
    assert not Session.objects.filter(session_key__in=kept).exists()


def test_every_page_says_that_nobody_may_frame_it(gateway: Gateway) -> None:
    """As it is served, to who is signed in and to who is not; pages that refuse are among them."""
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.start(gateway.both)
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    boss = Person(gateway)
    assert boss.sign_in("boss").status == 302
    seen = [path for path in everywhere() if not API_ROOT.match(path)]
    assert len(seen) > 60
    for person in (Person(gateway), boss):
        for path in (*seen, "/nowhere/"):
            for page in (person.ask("GET", path), person.ask("POST", path, post="yes")):
                assert page.headers["x-frame-options"] == "DENY", path
                assert "frame-ancestors 'none'" in page.headers["content-security-policy"], path


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
