"""What every operation of the OpenAPI document refers to: parameters, headers, bodies that are no object."""

from typing import Any


def _query(name: str, text: str, shown: str, **more: Any) -> dict[str, Any]:
    found = {"name": name, "in": "query", "description": text, "schema": {"type": "string"}, **more}
    return found if not shown else {**found, "examples": {"one": {"value": shown}}}


def _flag(name: str, text: str) -> dict[str, Any]:
    return _query(name, text, "", schema={"type": "string", "enum": ["", "true"]}, allowEmptyValue=True)


def _header(text: str, type_: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": type_}}


def _limit(default: int) -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 1, "default": default}
    return _query("limit", "At most this many (never more than 1,000).", "", schema=whole)


PARAMETERS: dict[str, dict[str, Any]] = {
    "filter": _query(
        "filter",
        "Terms joined by `;` (and): `(eq,name,x)`, with eq neq gt gte lt lte in nin cont ncont (SOL013 5.2).",
        "",
    ),
    "allFields": _flag("all_fields", "Everything there is of each object."),
    "fields": _query("fields", "These complex attributes too; paths with `/` pick a part.", ""),
    "excludeFields": _query("exclude_fields", "Everything but these.", ""),
    "excludeDefault": _flag("exclude_default", "Without what is left out by default."),
    "limit": _limit(100),
    "limitInventory": _limit(30),
    "marker": _query(
        "nextpage_opaque_marker", "From the `Link` of the page before; a page number is accepted too.", ""
    ),
    "ifNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag the caller has.",
        "schema": {"type": "string"},
    },
    "ifMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what the caller means to change; another state of it is 412.",
        "schema": {"type": "string"},
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeat with the same key is answered as the first was, and done once.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "cascade": _query(
        "cascade", "What is in the pool goes with it.", "", schema={"type": "boolean", "default": False}
    ),
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`handling=strict`: an error rather than an old answer.",
        "schema": {"type": "string"},
    },
    "version": {
        "name": "Version",
        "in": "header",
        "description": "The wanted version of the API, for instance 1.2.0.",
        "schema": {"type": "string"},
    },
}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": _header("Names this very answer."),
    "X-Request-Id": _header("The caller's request id, or a new one."),
    "Version": _header("The version of the API that answers."),
    "Age": _header(
        "Seconds since the oldest of the shown was confirmed; only where something is not fresh.", "integer"
    ),
    "Proxy-Status": _header("RFC 9209: which source is not fresh, and why."),
    "Preference-Applied": _header("The preference that was honoured."),
    "Link": _header('`rel="next"`: the next page.'),
    "WWW-Authenticate": _header("How to authenticate."),
    "Retry-After": _header("Seconds to wait.", "integer"),
    "Allow": _header("The methods this path takes."),
    "Location": _header("Where the object is."),
}
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_TEXT = {"type": "string", "maxLength": 4000}
_POOL_DRAFT = {
    "name": _NAME,
    "description": _TEXT,
    "location": _TEXT,
    "resourceTypeId": {"type": "string", "format": "uuid"},
    "extensions": {"type": "object", "additionalProperties": True},
}
DRAFTS: dict[str, dict[str, Any]] = {
    "CreateResourcePool": {
        "type": "object",
        "description": "A pool to make; which extensions a backend needs is in docs/backend-plugins.md.",
        "required": ["name"],
        "properties": _POOL_DRAFT,
        "additionalProperties": False,
        "examples": [
            {
                "name": "workers-eu-1b",
                "description": "Workers in zone 1b",
                "extensions": {"k8s.machineTemplate": "m5-large", "k8s.machineset.replicas": 3},
            }
        ],
    },
    "UpdateResourcePool": {
        "type": "object",
        "description": "What of a pool is to change. What was read can be sent back; what is absent stays.",
        "properties": _POOL_DRAFT,
        "additionalProperties": True,
        "examples": [{"description": "Workers, more of them", "extensions": {"k8s.machineset.replicas": 5}}],
    },
    "CreateResource": {
        "type": "object",
        "description": "A resource to make in a pool; without a name it gets one.",
        "required": ["resourcePoolId"],
        "properties": {
            "name": _NAME,
            "description": _TEXT,
            "resourcePoolId": {"type": "string", "format": "uuid"},
            "resourceTypeId": {"type": "string", "format": "uuid"},
            "extensions": {"type": "object", "additionalProperties": True},
        },
        "additionalProperties": False,
        "examples": [{"name": "worker-17", "resourcePoolId": "b3a2b1de-6f6d-5d40-9a4e-3f1f1c5f7a10"}],
    },
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "requestId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "parameter": {"type": "string"},
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "sources": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The sources that are not fresh.",
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "requestId": "7f0c2c4e",
            "detail": "filter: unknown attribute 'nme'",
            "errors": [{"parameter": "filter", "detail": "unknown attribute 'nme'"}],
        }
    ],
}
VERSIONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["uriPrefix", "apiVersions"],
    "properties": {
        "uriPrefix": {"type": "string"},
        "apiVersions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["version"],
                "properties": {
                    "version": {"type": "string"},
                    "isDeprecated": {"type": "boolean"},
                    "retirementDate": {"type": "string", "format": "date-time"},
                },
            },
        },
    },
    "examples": [
        {
            "uriPrefix": "/o2ims-infrastructureInventory/v1",
            "apiVersions": [{"version": "1.2.0", "isDeprecated": False}],
        }
    ],
}
