"""The OpenAPI document says what the server does: valid, whole, with every error and an example for every
body."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator

from api.openapi import named
from o2ims.openapi import documented as is_documented
from tests.gateway import Gateway
from tests.tenancy.test_matrix import an_entry_of, filled, subscriptions_of, trusted
from tests.world import Cast, World

Call = Callable[..., Any]


@pytest.fixture
def document(db: None) -> dict[str, Any]:
    answer = Client().get("/openapi.json")
    assert answer.status_code == 200
    return json.loads(answer.content)


def served() -> set[str]:
    """Every API path of the URL map, as the document spells it."""
    found: set[str] = set()

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> None:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path)
            elif path.startswith(("o2ims", "O2ims", "admin/v1/")):
                found.add("/" + path.replace("<str:", "{").replace(">", "}"))

    walk(get_resolver().url_patterns, "")
    return {named(path) for path in found if is_documented(path)}


def test_every_path_served_is_documented_and_no_other(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == served()
    assert document["openapi"].startswith("3.1")


READ_CODES = {"200", "304"}
ERRORS = {"400", "401", "403", "404", "405", "406", "413", "429", "500", "503"}
BACKEND_ERRORS = {"502", "504"}
WRITE_CODES = {"post": {"201"}, "put": {"200"}, "patch": {"200"}, "delete": {"202", "204"}}
WRITE_ERRORS = {"409", "412", "415", "422", "501"}
#: What is done with a subscription, and its answer.
DEEDS = {"test": "202", "rotate-secret": "200", "resume": "200", "replay": "202"}
ADMIN_ERRORS = {
    "post": {"409", "415", "422"},
    "put": {"409", "412", "415", "422", "428"},
    "patch": {"409", "412", "415", "422", "428"},
    "delete": {"409", "412", "428"},
}


def declared(path: str, method: str) -> set[str]:
    """The answers that an operation has to declare."""
    if path.startswith("/admin/v1/"):
        codes = READ_CODES if method == "get" else WRITE_CODES[method] - {"202"}
        return codes | ERRORS | ADMIN_ERRORS.get(method, set())
    if "/subscriptions" in path:  # no backend is asked
        if method == "get":
            return READ_CODES | ERRORS
        done = DEEDS.get(path.rsplit("/", 1)[-1]) or {"post": "201", "put": "200"}.get(method)
        ended = "204" if path.startswith("/o2ims/") else "200"
        return {done or ended} | ERRORS | {"409", "412", "415", "422"}
    if method == "get":
        return READ_CODES | ERRORS | BACKEND_ERRORS
    return WRITE_CODES[method] | ERRORS | BACKEND_ERRORS | WRITE_ERRORS


def test_every_operation_declares_every_answer_and_examples(document: dict[str, Any]) -> None:
    components = document["components"]["responses"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            bodiless = path.endswith(("/test", "/rotate-secret", "/resume"))
            if method not in {"get", "delete"} and not bodiless:
                assert operation["requestBody"]["content"]["application/json"]["example"]
            assert set(operation["responses"]) == declared(path, method), path
            for code in {"200", "201", "202"} & set(operation["responses"]):
                for content in operation["responses"][code].get("content", {}).values():
                    assert content["example"], path
    for response in components.values():
        (content,) = response["content"].values()
        assert content["example"]["status"] >= 400


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for inner in value.values() for found in references(inner)]
        if isinstance(value, list):
            return [found for inner in value for found in references(inner)]
        return []

    for reference in set(references(document)):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_answer_and_example_fits_its_schema(
    sample: World, call: Call, cast: Cast, tmp_path: Path, document: dict[str, Any]
) -> None:
    ids = {
        "resourcePoolId": call("alice", "/o2ims/v1/resourcePools").json()["items"][0]["resourcePoolId"],
        "resourceTypeId": call("alice", "/o2ims/v1/resourceTypes").json()["items"][0]["resourceTypeId"],
        "deploymentManagerId": call("alice", "/o2ims/v1/deploymentManagers").json()["items"][0][
            "deploymentManagerId"
        ],
    }
    first = call("alice", f"/o2ims/v1/resourcePools/{ids['resourcePoolId']}/resources").json()["items"][0]
    ids["resourceId"] = first["resourceId"]
    ids["tenantId"] = "acme"
    ids |= trusted(tmp_path, cast.users["bob"])
    ids["auditId"] = str(an_entry_of("acme"))
    ids |= subscriptions_of("acme")
    for noun in ("tenants/acme/users", "roles", "bindings", "tokens"):
        (key, id_), *_ = call("alice", f"/admin/v1/{noun}").json()["items"][0].items()
        ids[key] = id_
    for path, item in document["paths"].items():
        if "get" not in item:
            continue
        content = item["get"]["responses"]["200"]["content"]["application/json"]
        validator = Draft202012Validator({**content["schema"], "components": document["components"]})
        answer = call("alice", filled(path, ids))
        assert answer.status_code == 200, path
        for body in (answer.json(), content["example"]):
            assert [error.message for error in validator.iter_errors(body)] == [], path


def test_every_example_of_a_body_fits_its_schema(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            answers = [answer for answer in operation["responses"].values() if "content" in answer]
            for part in [*answers, *([operation["requestBody"]] if "requestBody" in operation else [])]:
                for content in part["content"].values():
                    schema = Draft202012Validator({**content["schema"], "components": document["components"]})
                    assert [error.message for error in schema.iter_errors(content["example"])] == [], path


@pytest.mark.timeout(300)  # 20 to 100 seconds, as the machine is
@pytest.mark.parametrize("root", ["/o2ims", "/admin"])
def test_generated_requests_get_only_what_is_declared(gateway: Gateway, root: str) -> None:
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    pool = gateway.get("alice", "/o2ims/v1/resourcePools?filter=(cont,name,Edge)").body["items"][0]
    user = gateway.get("alice", "/admin/v1/tenants/acme/users?name=bob@acme").body["items"][0]
    known = {key: {**pool, **user}[key] for key in ("resourcePoolId", "tenantId", "userId")}
    lines = [f'"path.{key}" = "{id_}"' for key, id_ in known.items()]  # so that writes get somewhere
    (gateway.den.path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines, ""]))
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    words = [
        "--checks",
        checks,
        "--include-path-regex",
        f"^{root}",
        "--max-examples",
        "8",
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "1",
        "--warnings",
        "off",  # that some generated ids do not exist
        "--header",
        f"Authorization: Bearer {gateway.tokens['alice']}",
        "--suppress-health-check",
        "all",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.url}/openapi.json", *words],
        cwd=gateway.den.path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:] + failures(gateway)
    assert "No issues found" in done.stdout, done.stdout


def failures(gateway: Gateway) -> str:
    """What the gateway's log says of requests that failed."""
    lines = gateway.both.log.read_text().splitlines()
    return "\n".join(line for line in lines if '"request_failed"' in line)
