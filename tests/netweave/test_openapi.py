"""The OpenAPI document says what the server does: valid, whole, with every error and an example for every
body."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator

from o2ims import openapi
from tests.gateway import Gateway
from tests.world import World

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
            elif path.startswith(("o2ims", "O2ims")):
                found.add("/" + path.replace("<str:", "{").replace(">", "}"))

    walk(get_resolver().url_patterns, "")
    return {openapi.named(path) for path in found if openapi.documented(path)}


def test_every_path_served_is_documented_and_no_other(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == served()
    assert document["openapi"].startswith("3.1")


READ_CODES = {"200", "304"}
ERRORS = {"400", "401", "403", "404", "405", "406", "413", "500", "502", "503", "504"}
WRITE_CODES = {"post": {"201"}, "put": {"200"}, "delete": {"202", "204"}}
WRITE_ERRORS = {"409", "412", "415", "422", "501"}


def test_every_operation_declares_every_answer_and_examples(document: dict[str, Any]) -> None:
    components = document["components"]["responses"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            expected = READ_CODES | ERRORS
            if method != "get":
                expected = WRITE_CODES[method] | ERRORS | WRITE_ERRORS
                assert (
                    method == "delete" or operation["requestBody"]["content"]["application/json"]["example"]
                )
            assert set(operation["responses"]) == expected, path
            for code in expected - ERRORS - WRITE_ERRORS - {"204", "304"}:
                (content,) = operation["responses"][code]["content"].values()
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
    sample: World, call: Call, document: dict[str, Any]
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
    for path, item in document["paths"].items():
        (content,) = item["get"]["responses"]["200"]["content"].values()
        validator = Draft202012Validator({**content["schema"], "components": document["components"]})
        answer = call("alice", path.format(**ids))
        assert answer.status_code == 200, path
        for body in (answer.json(), content["example"]):
            assert [error.message for error in validator.iter_errors(body)] == [], path


def test_generated_requests_get_only_what_is_declared(gateway: Gateway) -> None:
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    pool = gateway.get("alice", "/o2ims/v1/resourcePools?filter=(cont,name,Edge)").body["items"][0]
    known = f'"path.resourcePoolId" = "{pool["resourcePoolId"]}"'  # so that writes get somewhere
    (gateway.den.path / "schemathesis.toml").write_text(f"[parameters]\n{known}\n")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    words = [
        "--checks",
        checks,
        "--max-examples",
        "8",
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "1",
        "--warnings",
        "off",  # that some generated ids do not exist
    ]
    words += [
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
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout
