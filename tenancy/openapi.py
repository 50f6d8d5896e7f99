"""The OpenAPI description of the admin API."""

import re
from typing import Any

from api.openapi import SECURITY, answer, named, problems, reference
from api.openapi_parts import query
from tenancy import schemas, trust_schemas
from tenancy.representation import NOUNS, Noun

SCHEMAS = schemas.SCHEMAS | trust_schemas.SCHEMAS
TAGS = [{"name": "Administration", "description": "Tenants, people and roles: /admin/v1."}]
_READ = (400, 401, 403, 404, 405, 406, 413, 500, 503)
_OF = {
    "POST": (*_READ, 409, 415, 422),
    "PUT": (*_READ, 409, 412, 415, 422, 428),
    "PATCH": (*_READ, 409, 412, 415, 422, 428),
    "DELETE": (*_READ, 409, 412, 428),
}
_VERBS = {"POST": "Create", "PUT": "Update", "PATCH": "Patch", "DELETE": "Delete"}
_FILTERS = {
    "status": "Only those in this state.",
    "name": "Only the one of this name.",
    "tenantId": "Only what belongs to this tenant.",
    "userId": "Only what belongs to this user.",
    "roleId": "Only those of this role.",
}
_CASCADE = query(
    "cascade",
    "The tenant's users, roles and subscriptions go with it.",
    "",
    schema={"type": "boolean", "default": False},
)
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what the caller means to change; another state of it is 412.",
    "schema": {"type": "string"},
}


def describe(noun: Noun, path: str, method: str) -> dict[str, Any]:
    """The OpenAPI operation of `method` on `path`."""
    if method == "GET":
        return _read(noun, path)
    component, verb = noun.component, _VERBS[method]
    shown = _json("IssuedToken" if component == "Token" else component)
    headers = ["ETag", "X-Request-Id"]
    answers = {
        "POST": {"201": answer("It is made.", [*headers, "Location"], shown)},
        "DELETE": {"204": answer("It is gone.", ["X-Request-Id"])},
    }.get(method, {"200": answer("It is so now.", headers, shown)})
    names = [] if method == "POST" else ["ifMatchNeeded"]
    names += ["cascadeTenant"] if (method, component) == ("DELETE", "Tenant") else []
    operation = {
        **_common(f"admin{verb}{component}", f"{verb} one of the {noun.name}", path, names),
        "responses": {**answers, **problems(*_OF[method])},
    }
    if method == "DELETE":
        return operation
    return {**operation, "requestBody": {"required": True, "content": _json(f"{verb}{component}")}}


def describe_me() -> dict[str, Any]:
    """The OpenAPI operation of GET /admin/v1/me."""
    ok = {"200": answer("Who the caller is.", ["ETag", "X-Request-Id"], _json("Me")), **_UNCHANGED}
    operation = _common("adminGetMe", "Who am I, and what may I?", "", ["ifNoneMatch"])
    return {**operation, "responses": {**ok, **problems(*_READ)}}


def components() -> dict[str, dict[str, Any]]:
    """What these operations refer to, beside what those of every root do."""
    filters = {name: query(name, text, "") for name, text in _FILTERS.items()}
    return {
        "schemas": SCHEMAS,
        "parameters": {
            "ifMatchNeeded": _IF_MATCH,
            "cascadeTenant": _CASCADE,
            **{f"{name}Filter": found for name, found in filters.items()},
        },
    }


_UNCHANGED = {"304": {"description": "The caller has this very answer already (`If-None-Match`)."}}


def _read(noun: Noun, path: str) -> dict[str, Any]:
    one = path.endswith("}")
    verb, word = ("Get", noun.component) if one else ("List", f"{noun.component}s")
    names = ["ifNoneMatch"]
    names += [] if one else [*(f"{name}Filter" for name in noun.filters), "limit", "marker"]
    headers = ["ETag", "X-Request-Id", *([] if one else ["Link"])]
    content = _json(noun.component) if one else _listed(noun.component)
    summary = f"One of the {noun.name}" if one else f"The {noun.name}"
    return {
        **_common(f"admin{verb}{word}", summary, path, names),
        "responses": {
            "200": answer("What was asked for.", headers, content),
            **_UNCHANGED,
            **problems(*_READ),
        },
    }


def _common(operation_id: str, summary: str, path: str, names: list[str]) -> dict[str, Any]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": _id(name)}
        for name in re.findall(r"{(\w+)}", named(path))
    ]
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": [TAGS[0]["name"]],
        "security": SECURITY,
        "parameters": [*parts, *(reference("parameters", name) for name in names)],
    }


def _id(name: str) -> dict[str, str]:
    return {"type": "string"} if name == "tenantId" else {"type": "string", "format": "uuid"}


def _json(component: str) -> dict[str, Any]:
    (example,) = SCHEMAS[component]["examples"]
    return {"application/json": {"schema": reference("schemas", component), "example": example}}


def _listed(component: str) -> dict[str, Any]:
    (example,) = SCHEMAS[component]["examples"]
    items = {"type": "array", "items": reference("schemas", component)}
    schema = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    return {"application/json": {"schema": schema, "example": {"items": [example]}}}


assert {noun.component for noun in NOUNS} <= SCHEMAS.keys()
