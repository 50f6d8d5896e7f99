"""The OpenAPI description of the O2-IMS roots, made from the same attributes that are answered."""

import re
from typing import Any

from adapters.types import Kind
from o2ims.representations.attribute import Shape
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation, example, schema

FLAVOURS = (GATEWAY_V1, INVENTORY_V1)
TAGS = [
    {"name": "O2-IMS (gateway)", "description": "The gateway's own API: /o2ims/v1."},
    {"name": "O2-IMS (O-RAN inventory)", "description": "O-RAN.WG6.O2IMS-INTERFACE, inventory, version 1."},
]
PROBLEM = "#/components/schemas/Problem"
_ERRORS = {
    400: ("BadRequest", "A parameter is wrong: `errors` says which and why."),
    401: ("Unauthorized", "No token, or one that is unknown, expired or revoked."),
    403: ("Forbidden", "The tenant is not active."),
    404: ("NotFound", "Nothing of that id in the caller's scope."),
    405: ("MethodNotAllowed", "The path does not take this method; `Allow` says which it takes."),
    406: ("NotAcceptable", "Neither JSON nor the offered version is acceptable to the caller."),
    413: ("ContentTooLarge", "A body larger than 1 MiB."),
    500: ("InternalServerError", "A fault of the gateway; the request id finds it in the log."),
    502: ("BadGateway", "With `Prefer: handling=strict`: a source is not fresh."),
    503: ("ServiceUnavailable", "The gateway cannot answer now; try again after `Retry-After` seconds."),
    504: ("GatewayTimeout", "With `Prefer: handling=strict`: a source does not answer."),
}
_VARIANTS = re.compile(r"/(?:O2ims[-_]|o2ims_)infrastructure|/v1/\Z")


def documented(path: str) -> bool:
    """Whether a path is one of the documented spellings rather than a variant of one."""
    return not _VARIANTS.search(path)


def named(path: str) -> str:
    """A path with its parameters under the names the objects give them: `resourcePools/{resourcePoolId}`."""
    return re.sub(r"(\w+)s/{(?:pool|id)}", r"\1s/{\1Id}", path)


def describe(flavour: Representation, noun: str, kind: Kind | None, path: str) -> dict[str, Any]:
    """The OpenAPI operation of GET on `path`: a list of `kind`, one of it, or (without a kind) the O-Cloud
    or its versions."""
    one = kind is None or path.endswith("{id}")
    ours = flavour is GATEWAY_V1
    name = noun[0].upper() + (noun[1:-1] if one and kind else noun[1:])
    where = "InPool" if "{pool}" in path else "OfV1" if path.endswith("/v1/api_versions") else ""
    return {
        "operationId": f"{'o2ims' if ours else 'inventory'}{'Get' if one else 'List'}{name}{where}",
        "summary": f"{'One of' if one and kind else 'The'} {noun}",
        "tags": [TAGS[0 if ours else 1]["name"]],
        "security": [{"bearer": []}],
        "parameters": [
            *_path_parameters(path),
            *_parameters(one=one, versions=noun == "api_versions", flavour=flavour),
        ],
        "responses": {
            "200": _ok(flavour, noun, kind, one=one),
            "304": {"description": "The caller has this very answer already (`If-None-Match`)."},
            **{
                str(status): {"$ref": f"#/components/responses/{name}"}
                for status, (name, _) in _ERRORS.items()
            },
        },
    }


def components() -> dict[str, dict[str, Any]]:
    """What operations refer to: schemas, error responses, parameters, headers, the security scheme."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM_SCHEMA, "ApiVersions": _VERSIONS_SCHEMA}
    for flavour in FLAVOURS:
        for kind, shape in flavour.shapes.items():
            schemas[flavour.components[kind]] = _component(shape)
        schemas[flavour.o_cloud_component] = _component(flavour.o_cloud)
    return {
        "schemas": schemas,
        "responses": {name: _problem_response(status, text) for status, (name, text) in _ERRORS.items()},
        "parameters": _PARAMETERS,
        "headers": _HEADERS,
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of a user: `manage.py issue_token`.",
            }
        },
    }


def _component(shape: Shape) -> dict[str, Any]:
    return {**schema(shape), "examples": [example(shape)]}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"{(\w+)}", named(path))
    ]


def _parameters(*, one: bool, versions: bool, flavour: Representation) -> list[dict[str, str]]:
    names = ["ifNoneMatch"]
    if not versions:
        names += ["allFields", "fields", "excludeFields", "excludeDefault", "prefer"]
    if not one:
        names += ["filter", "limit" if flavour.page == 100 else "limitInventory", "marker"]
    if flavour.version:
        names.append("version")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _ok(flavour: Representation, noun: str, kind: Kind | None, *, one: bool) -> dict[str, Any]:
    headers = ["ETag", "X-Request-Id", *(["Version"] if flavour.version else [])]
    if noun == "api_versions":
        body: dict[str, Any] = {"$ref": "#/components/schemas/ApiVersions"}
        shown: Any = _VERSIONS_SCHEMA["examples"][0]
    elif kind is None:
        body = {"$ref": f"#/components/schemas/{flavour.o_cloud_component}"}
        shown = example(flavour.o_cloud)
    else:
        headers += ["Age", "Proxy-Status", "Preference-Applied", *([] if one else ["Link"])]
        shape = flavour.shapes[kind]
        body = {"$ref": f"#/components/schemas/{flavour.components[kind]}"}
        shown = example(shape)
        if not one:
            listed = {a.name for a in shape if not a.default_excluded}
            shown = [{name: value for name, value in shown.items() if name in listed}]
            body = {"type": "array", "items": body}
            if flavour.envelope:
                body, shown = (
                    {"type": "object", "properties": {"items": body}, "required": ["items"]},
                    {"items": shown},
                )
    return {
        "description": "What was asked for.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/json": {"schema": body, "example": shown}},
    }


def _problem_response(status: int, text: str) -> dict[str, Any]:
    name = _ERRORS[status][0]
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    shown = {"type": "about:blank", "title": title, "status": status, "detail": text, "requestId": "7f0c2c4e"}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    if status == 503:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 405:
        headers["Allow"] = {"$ref": "#/components/headers/Allow"}
    content = {"application/problem+json": {"schema": {"$ref": PROBLEM}, "example": shown}}
    return {"description": text, "headers": headers, "content": content}


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


_PARAMETERS: dict[str, dict[str, Any]] = {
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
_HEADERS: dict[str, dict[str, Any]] = {
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
}
_PROBLEM_SCHEMA: dict[str, Any] = {
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
_VERSIONS_SCHEMA: dict[str, Any] = {
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
