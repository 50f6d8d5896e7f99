"""The check that every answer in these tests goes through finds what it is there for."""

import json
from typing import Any

import pytest

from tests.traffic import check

TOKEN = "nwt_" + "a" * 43
USER = {"userId": "u", "name": "bob@acme", "roles": [], "status": "active"}
PROBLEM = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no", "requestId": "r"}


def answered(method: str, url: str, status: int, body: Any) -> None:
    check(method, url, status, "application/json", json.dumps(body).encode())


@pytest.mark.parametrize(
    "key",
    ["secret", "password", "accessToken", "token", "profileData", "digest", "private_key", "credentials"],
)
def test_a_key_named_like_a_secret_is_found_wherever_it_is(key: str) -> None:
    with pytest.raises(AssertionError, match="shows"):
        answered("GET", "/admin/v1/me", 200, {"roles": [{"inner": {key: "x"}}]})
    with pytest.raises(AssertionError, match="shows"):
        answered("GET", "/o2ims/v1/nothing", 404, {**PROBLEM, key: "x"})


@pytest.mark.parametrize("text", [TOKEN, "-----BEGIN PRIVATE KEY-----", "postgresql://u:p@h/d", "argon2id$v"])
def test_a_secret_is_found_under_any_name(text: str) -> None:
    with pytest.raises(AssertionError, match="shows"):
        answered("GET", "/o2ims/v1/nothing", 404, {**PROBLEM, "detail": f"see {text}"})


def test_an_answer_that_fits_no_schema_or_is_not_declared_is_found() -> None:
    answered("GET", "/o2ims/v1/nothing", 404, PROBLEM)
    for url, status, body in (
        ("/o2ims/v1/nothing", 404, {"detail": "no"}),
        ("/o2ims/v1/nothing", 200, {}),
        ("/admin/v1/users", 404, []),
        ("/admin/v1/tenants/acme/users/u", 200, USER | {"status": 7}),
        ("/admin/v1/me", 418, PROBLEM),
        ("/O2ims_infrastructureInventory/v1/resourceTypes", 200, [{"name": 1}]),
    ):
        with pytest.raises(AssertionError):
            answered("GET", url, status, body)


def test_a_token_may_be_shown_where_it_is_made_and_nowhere_else() -> None:
    with pytest.raises(AssertionError, match="tokenId"):
        answered("POST", "/admin/v1/tokens", 201, {"secret": TOKEN})
    with pytest.raises(AssertionError, match="shows"):
        answered("POST", "/admin/v1/tokens", 201, {"secret": TOKEN, "again": TOKEN.replace("a", "b")})
    with pytest.raises(AssertionError, match="shows"):
        answered("GET", "/admin/v1/tokens", 200, {"items": [{"secret": TOKEN}]})


def test_what_is_no_api_is_not_looked_at() -> None:
    answered("GET", "/docs/", 200, {"secret": TOKEN})
    check("HEAD", "/o2ims/v1/resources", 200, "application/json", b"")
