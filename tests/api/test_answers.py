"""What every answer of an API root has in common."""

import gc
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from api import problems, requests
from api.compression import accepts_gzip
from api.parsers import JSONParser
from tests.world import Cast, World

Call = Callable[..., Any]
PATH = "/o2ims/v1/resources"


def test_an_etag_makes_the_second_answer_304(sample: World, call: Call) -> None:
    first = call("alice", PATH)
    for given_tag in (first["ETag"], f'"other", {first["ETag"]}', first["ETag"].removeprefix("W/"), "*"):
        again = call("alice", PATH, headers={"If-None-Match": given_tag})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert call("alice", PATH, headers={"If-None-Match": '"other"'}).status_code == 200


def test_an_etag_changes_with_the_content_and_with_nothing_else(sample: World, call: Call) -> None:
    before = call("alice", PATH)["ETag"]
    assert call("alice", PATH)["ETag"] == before
    assert call("alice", f"{PATH}?limit=5")["ETag"] != before


def test_gzip_when_asked_for(sample: World, call: Call) -> None:
    plain = call("alice", PATH)
    assert "Content-Encoding" not in plain
    packed = call("alice", PATH, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] == plain["ETag"]
    assert "Accept-Encoding" in packed["Vary"]


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False), ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("*", True),
        ("*;q=0", False),
        ("identity", False), ("gzip;q=x", False), ("*, gzip;q=0", False), ("deflate, x-gzip", True),
    ],
)  # fmt: skip
def test_accept_encoding_is_read_as_it_is_meant(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def test_head_answers_as_get_does(sample: World, call: Call) -> None:
    for path in (PATH, "/o2ims/v1/oCloudInfrastructure", "/o2ims-infrastructureInventory/api_versions"):
        head, get = call("alice", path, method="HEAD"), call("alice", path)
        assert head.status_code == 200
        assert head["ETag"] == get["ETag"]


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
ALLOWED = {
    "/o2ims/v1/resources": "GET, HEAD, POST",
    "/o2ims/v1/resources/x": "GET, HEAD, DELETE",
    "/o2ims/v1/resourcePools": "GET, HEAD, POST",
    "/o2ims/v1/resourcePools/x": "GET, HEAD, PUT, DELETE",
    "/o2ims/v1/resourceTypes": "GET, HEAD",
    "/o2ims-infrastructureInventory/v1": "GET, HEAD",
    "/o2ims-infrastructureInventory/v1/resourcePools": "GET, HEAD",
}


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, allowed in ALLOWED.items()
        for method in sorted(METHODS - {*allowed.split(", ")})
    ],
)
def test_other_methods_are_405_with_allow(sample: World, call: Call, path: str, method: str) -> None:
    answer = call("alice", path, method=method)
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert answer["Allow"] == ALLOWED[path]


@pytest.mark.parametrize(
    ("who", "path", "headers", "status"),
    [
        ("alice", "/o2ims/v1/nothing", {}, 404), ("alice", "/o2ims/v9/resourcePools", {}, 404),
        ("alice", "/o2ims-infrastructureInventory/v2/resourcePools", {}, 404), ("", "/nowhere", {}, 404),
        ("alice", PATH, {"Accept": "text/html"}, 406), ("alice", f"{PATH}?filter=(", {}, 400),
        ("", PATH, {}, 401), ("", "/o2ims/v1/nothing", {}, 401), ("", f"{PATH}?filter=(", {}, 401),
        ("", "/o2ims-infrastructureInventory/anything", {}, 401),
        ("", "/O2ims_infrastructureMonitoring/v1", {}, 401),
        ("", "/o2dms/v1", {}, 401), ("", "/admin/v1/x", {}, 401),
    ],
)  # fmt: skip
def test_every_error_is_a_problem(
    sample: World, call: Call, who: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = call(who, path, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "instance" not in body
    assert (status == 401) == ("WWW-Authenticate" in answer)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic YWxpY2U6eA==",
        "Bearer",
        "Bearer ",
        "bearer nwt_wrong",
        "Bearer \udcff",
        "Token x",
        "Bearer a b",
    ],
)
def test_a_credential_that_is_none_is_401(sample: World, call: Call, header: str) -> None:
    assert call("", PATH, headers={"Authorization": header}).status_code == 401


def test_a_fault_of_ours_is_500_and_tells_nothing(
    sample: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o2ims.inventory import Inventory

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("canary-secret in /some/path.py")

    monkeypatch.setattr(Inventory, "page", broken)
    answer = call("alice", PATH)
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"canary" not in answer.content
    assert b".py" not in answer.content


@pytest.mark.parametrize("given_id", ["abc-123", "A.b_c-9", "x" * 64])
def test_a_sane_request_id_is_kept(sample: World, call: Call, given_id: str) -> None:
    assert (
        call("alice", f"{PATH}?limit=0", headers={"X-Request-Id": given_id}).json()["requestId"] == given_id
    )


@given(st.text(max_size=80))
def test_any_other_request_id_is_replaced(text: str) -> None:
    kept = requests.request_id(text)
    assert 1 <= len(kept) <= 64
    assert kept.replace("-", "x").replace(".", "x").replace("_", "x").isalnum()
    assert kept.isascii()


@given(st.text(alphabet="0123456789abcdef-", max_size=60))
def test_a_traceparent_is_always_well_formed(text: str) -> None:
    version, trace, span, flags = requests.traceparent(text).split("-")
    assert (version, len(trace), len(span), len(flags)) == ("00", 32, 16, 2)
    assert set(trace) != {"0"}


def test_the_titles_are_those_of_http() -> None:
    assert b'"title":"Content Too Large"' in problems.body("id", 413, "x")
    assert b'"title":"Not Found"' in problems.body("id", 404, "x")


class Stream:
    def __init__(self, text: bytes) -> None:
        self.text = text

    def read(self) -> bytes:
        return self.text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[Infinity]",
        b"\xff",
        b"[" * 40 + b"]" * 40,
        b"[" * 5000,
        b"9" * 5000,
        b"{}x",
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(text: bytes) -> None:
    with pytest.raises(ParseError):
        JSONParser().parse(Stream(text))  # type: ignore[arg-type]


def test_a_body_that_is_none_is_told_with_its_place(cast: Cast, call: Call) -> None:
    for path in ("/admin/v1/roles", "/o2ims/v1/resourcePools"):
        answer = call("alice", path, method="POST", data=b"{", content_type="application/json")
        (fault,) = answer.json()["errors"]
        assert (answer.status_code, fault["pointer"]) == (400, "")
        assert "at line 1, column 2" in fault["detail"]


def test_of_a_body_that_is_all_wrong_the_first_hundred_faults_are_told(cast: Cast, call: Call) -> None:
    bomb = json.dumps({f"k{number}": number for number in range(60_000)})
    answer = call("alice", "/admin/v1/roles", method="POST", data=bomb, content_type="application/json")
    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/k{n}" for n in range(100)]
    assert len(answer.content) < 64 * 1024


@pytest.mark.parametrize("path", ["/admin/v1/roles", "/o2ims/v1/resourcePools"])
def test_a_body_that_was_refused_is_let_go_with_its_answer(cast: Cast, call: Call, path: str) -> None:
    """A mebibyte of brackets is many times that in lists: it does not wait for a collection."""

    def bombs() -> int:
        return sum(isinstance(found, list) and len(found) > 100_000 for found in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            bomb = b"[" + b"[]," * 200_000 + b"[]]"
            assert (
                call("alice", path, method="POST", data=bomb, content_type="application/json").status_code
                == 400
            )
        assert bombs() == 0
    finally:
        gc.enable()


def test_a_body_of_strict_json_is_read() -> None:
    assert JSONParser().parse(Stream(b'{"a": [1, "\xc3\xa4", null]}')) == {"a": [1, "ä", None]}  # type: ignore[arg-type]
