"""The OpenAPI description of the audit trail."""

from typing import Any

from api.openapi import SECURITY, answer, problems, reference
from api.openapi_parts import query
from tenancy.exports import TRAIL
from tenancy.schemas import SCHEMAS
from tenancy.tables import FORMATS, Format
from tenancy.trail import AuditEntry

_PROBLEMS = (400, 401, 403, 404, 405, 406, 413, 500, 503)
_PARAMETERS = {
    "from": "Entries of this time and later: ISO 8601, UTC where it does not say.",
    "to": "Entries before this time.",
    "userId": "Only what this user did.",
    "userName": "Only what was done under this login name.",
    "tenantId": "Only what concerns this tenant.",
    "action": "Only this action: `create`, `login`, `prune`, ...",
    "result": "Only what ended so: `success`, `denied` or `error`.",
    "resource": "Only what was done with this resource: `ResourcePool`, `User`, ...",
    "resourceId": "Only what was done with this object.",
    "requestId": "Only what this request led to.",
    "q": "Only where this text is somewhere in it.",
}


def describe(path: str) -> dict[str, Any]:
    """The OpenAPI operation of GET on `path`."""
    one = path.endswith("}")
    return _one() if one else _list()


def components() -> dict[str, dict[str, Any]]:
    """The parameters that these operations refer to."""
    return {"parameters": {_named(name): query(name, text, "") for name, text in _PARAMETERS.items()}}


def _named(parameter: str) -> str:
    return f"audit{parameter[0].upper()}{parameter[1:]}"


def _list() -> dict[str, Any]:
    (example,) = SCHEMAS["AuditEntry"]["examples"]
    items = {"type": "array", "items": reference("schemas", "AuditEntry")}
    schema = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    ok = answer(
        "What was asked for, newest first; in the other media types all of it, with the permission "
        "`Audit:export`.",
        ["ETag", "X-Request-Id", "Link"],
        {
            "application/json": {"schema": schema, "example": {"items": [example]}},
            **{to.media_type: {"schema": {"type": "string"}, "example": _file(to)} for to in FORMATS},
        },
    )
    names = ["ifNoneMatch", *map(_named, _PARAMETERS), "limit", "marker"]
    return {
        **_common("adminListAuditEntries", "The audit trail"),
        "parameters": [reference("parameters", name) for name in names],
        "responses": {"200": ok, **_UNCHANGED, **problems(*_PROBLEMS)},
    }


def _file(to: Format) -> str:
    """What an export of one entry looks like."""
    wires = TRAIL.wires([AuditEntry(id=4711, actor="alice@acme", action="create")])
    return (to.head(TRAIL.keys) + to.lines(wires)).decode()


def _one() -> dict[str, Any]:
    (example,) = SCHEMAS["AuditEntry"]["examples"]
    content = {"application/json": {"schema": reference("schemas", "AuditEntry"), "example": example}}
    part = {
        "name": "auditId",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    }
    ok = answer("What was asked for.", ["ETag", "X-Request-Id"], content)
    return {
        **_common("adminGetAuditEntry", "One entry of the audit trail"),
        "parameters": [part, reference("parameters", "ifNoneMatch")],
        "responses": {"200": ok, **_UNCHANGED, **problems(*_PROBLEMS)},
    }


def _common(operation_id: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["Administration"],
        "security": SECURITY,
    }


_UNCHANGED = {"304": {"description": "The caller has this very answer already (`If-None-Match`)."}}
