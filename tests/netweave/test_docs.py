"""The documentation: who may read it, and what everybody else is told."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.world import Cast

LOGIN = "/admin/login/?next=/docs/"


@pytest.fixture
def private(settings: Any) -> None:
    """The default of production."""
    settings.DOCS_PUBLIC = False


def signed_in(cast: Cast, who: str) -> Client:
    client = Client()
    client.force_login(cast.users[who])
    return client


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize("who", ["", "alice"])
def test_a_stranger_is_led_to_the_login_and_a_program_is_told(cast: Cast, who: str) -> None:
    client = signed_in(cast, who) if who else Client()
    page = client.get("/docs/")
    assert (page.status_code, page["Location"]) == (302, LOGIN)
    assert client.get(page["Location"]).status_code == 200
    document = client.get("/openapi.json")
    assert (document.status_code, document["Content-Type"]) == (403, "application/problem+json")
    assert "/admin/" in document.json()["detail"]


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize("who", ["root", "iris"])
def test_whoever_is_signed_in_to_the_admin_site_reads_them(cast: Cast, who: str) -> None:
    client = signed_in(cast, who)
    assert client.get("/docs/").status_code == 200
    assert client.get("/docs/?script=").status_code == 200
    assert client.get("/openapi.json").json()["info"]["title"] == "netweave"


@pytest.mark.usefixtures("private", "counted")
def test_a_login_leads_back_to_the_documentation(cast: Cast) -> None:
    cast.users["iris"].set_password("not the shortest one")
    cast.users["iris"].save()
    answer = Client().post(LOGIN, {"username": "iris", "password": "not the shortest one"})
    assert (answer.status_code, answer["Location"]) == (302, "/docs/")


@pytest.mark.parametrize(("path", "page"), [("/", "/docs/"), ("/docs", "/docs/"), ("/admin", "/admin/")])
def test_who_leaves_out_the_end_of_an_address_is_led_to_the_page(db: None, path: str, page: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, page)


@pytest.mark.usefixtures("private")
def test_a_token_of_the_api_opens_no_documentation(cast: Cast) -> None:
    bearer = {"Authorization": f"Bearer {cast.tokens['root']}"}
    assert Client().get("/openapi.json", headers=bearer).status_code == 403


def test_where_it_is_public_everybody_reads_it_and_nothing_in_it_is_inline_or_foreign(db: None) -> None:
    page = Client().get("/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    assert [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag] == []
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?://", html)
    assert Client().get("/openapi.json").status_code == 200
