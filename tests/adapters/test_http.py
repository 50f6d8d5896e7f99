"""What a backend's answers and failures become. The real servers are in the contract; here is the rest of the
table."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
import trustme
import urllib3

from adapters import http, tls
from adapters.errors import (
    BackendError,
    Broken,
    Busy,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    TimedOut,
    Unauthorized,
    Unreachable,
    Untrusted,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Expired),
        (422, Invalid),
        (429, Busy),
        (503, Busy),
        (301, Broken),
        (308, Broken),
        (418, Broken),
        (500, Broken),
        (502, Broken),
        (504, Broken),
    ],
)
def test_a_status_has_its_error(status: int, kind: type[BackendError]) -> None:
    error = http.refusal("lab", "list nodes", status, {}, b'{"message": "because"}')
    assert type(error) is kind
    assert str(error).startswith("lab: ")
    assert "list nodes" in str(error)


def test_what_a_backend_says_is_bounded_and_on_one_line() -> None:
    body = b'{"message": "a\\u0000b\\r\\nc' + b"x" * 5_000 + b'"}'
    said = str(http.refusal("lab", "list nodes", 409, {}, body))
    assert said.startswith("lab: reports a conflict when asked to list nodes: a b  cxxx")
    assert len(said) < 300
    assert said.isprintable()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("before", ["", "x" * 190])
def test_what_a_backend_repeats_of_our_credentials_is_told_to_nobody(status: int, before: str) -> None:
    body = json.dumps({"message": f"{before} no such token: Bearer tell-nobody"}).encode()
    said = str(http.refusal("lab", "list nodes", status, {}, body, secrets=("tell-nobody",)))
    assert "tell" not in said
    assert before or said.endswith("no such token: Bearer ***")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b'{"message": null}', b'{"code": 1}'])
def test_what_it_does_not_say_is_left_out(body: bytes) -> None:
    assert str(http.refusal("lab", "list nodes", 404, {}, body)).startswith(
        "lab: does not have what we need to list nodes"
    )


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-3", None), ("1.5", None)]
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    error = http.refusal("lab", "list nodes", 429, {"Retry-After": value})
    assert isinstance(error, Busy)
    assert error.retry_after == seconds


def test_retry_after_as_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    error = http.refusal("lab", "list nodes", 503, {"Retry-After": at})
    assert isinstance(error, Busy)
    assert error.retry_after == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), TimedOut),
        (ConnectionRefusedError(), Unreachable),
        (OSError("no route"), Unreachable),
        (aiohttp.ServerDisconnectedError(), Unreachable),
        (aiohttp.ServerTimeoutError(), TimedOut),
        (aiohttp.ClientPayloadError(), Unreachable),
        (aiohttp.InvalidURL("x"), Misconfigured),
        (urllib3.exceptions.ReadTimeoutError(None, "x", "late"), TimedOut),  # type: ignore[arg-type]
        (urllib3.exceptions.NewConnectionError(None, "refused"), Unreachable),  # type: ignore[arg-type]
        (urllib3.exceptions.LocationParseError("x"), Misconfigured),
        (urllib3.exceptions.DecodeError("x"), Broken),
        (ssl.SSLError(1, "wrong version"), Untrusted),
        (ssl.SSLEOFError(8, "EOF"), Unreachable),
    ],
)
def test_an_exception_has_its_error(error: Exception, kind: type[BackendError]) -> None:
    assert type(http.failure("lab", "list nodes", error)) is kind
    wrapped = urllib3.exceptions.MaxRetryError(None, "/", error)  # type: ignore[arg-type]
    assert type(http.failure("lab", "list nodes", wrapped)) in {kind, Unreachable}


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        ({}, b"{}", "something nameless"),
        ({"Content-Type": "text/html; charset=utf-8"}, b"{}", "text/html"),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, b"{}", "compressed"),
        ({"Content-Type": "application/json"}, b"[]", "no JSON object"),
        ({"Content-Type": "application/json"}, b'{"a": NaN}', "not JSON"),
        ({"Content-Type": "application/json"}, b"", "not JSON"),
    ],
)
def test_an_answer_that_is_no_json_object_is_broken(headers: dict[str, str], body: bytes, says: str) -> None:
    with pytest.raises(Broken, match=says):
        http.document("lab", "list nodes", headers, body)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"]
)
def test_json_is_json_however_it_is_called(kind: str) -> None:
    assert http.document("lab", "list nodes", {"Content-Type": kind}, b'{"a": 1}') == {"a": 1}


class TestTls:
    def test_it_always_verifies(self, tmp_path: Path) -> None:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        for made in (
            tls.context("lab"),
            tls.context("lab", ca_file=str(tmp_path / "ca.pem")),
            tls.context("lab", ca_data=ca.cert_pem.bytes().decode()),
        ):
            assert made.verify_mode is ssl.CERT_REQUIRED
            assert made.check_hostname
            assert made.minimum_version is ssl.TLSVersion.TLSv1_2
            assert made.cert_store_stats()["x509_ca"] > 0

    def test_a_ca_that_is_given_is_the_only_one(self, tmp_path: Path) -> None:
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        assert tls.context("lab", ca_file=str(tmp_path / "ca.pem")).cert_store_stats()["x509_ca"] == 1

    def test_what_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        nothing = tmp_path / "nothing.pem"
        with pytest.raises(Misconfigured, match=r"CA certificate .*nothing\.pem"):
            tls.context("lab", ca_file=str(nothing))
        with pytest.raises(Misconfigured, match="given as text"):
            tls.context("lab", ca_data="no PEM")
        with pytest.raises(Misconfigured, match=r"client certificate .*nothing\.pem"):
            tls.context("lab", cert_file=str(nothing))

    def test_a_key_with_a_password_is_refused_and_not_asked_for(self, tmp_path: Path) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        leaf = trustme.CA().issue_cert("lab")
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        (tmp_path / "key.pem").write_bytes(locked)
        leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        with pytest.raises(Misconfigured, match="with its key"):
            tls.context("lab", cert_file=str(tmp_path / "cert.pem"), key_file=str(tmp_path / "key.pem"))
