"""The OpenAPI description of the O2-IMS roots, made from the same attributes that are answered."""

import re
from typing import Any

from adapters.types import Kind
from o2ims.openapi_parts import DRAFTS, HEADERS, PARAMETERS, PROBLEM_SCHEMA, VERSIONS_SCHEMA
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
    403: ("Forbidden", "The tenant is not active, or the caller may not do this."),
    404: ("NotFound", "Nothing of that id in the caller's scope."),
    405: ("MethodNotAllowed", "The path does not take this method; `Allow` says which it takes."),
    406: ("NotAcceptable", "Neither JSON nor the offered version is acceptable to the caller."),
    413: ("ContentTooLarge", "A body larger than 1 MiB."),
    500: ("InternalServerError", "A fault of the gateway; the request id finds it in the log."),
    502: ("BadGateway", "With `Prefer: handling=strict`: a source is not fresh."),
    503: ("ServiceUnavailable", "The gateway cannot answer now; try again after `Retry-After` seconds."),
    504: ("GatewayTimeout", "With `Prefer: handling=strict`: a source does not answer."),
}
_WRITE_ERRORS = {
    409: ("Conflict", "The backend has such an object already, or it has changed, or it is not empty."),
    412: ("PreconditionFailed", "The object is not what `If-Match` names any more."),
    415: ("UnsupportedMediaType", "The body is not application/json."),
    422: ("UnprocessableContent", "No backend takes this, or the idempotency key was another request's."),
    501: ("NotImplemented", "The backend cannot do this; `detail` names the missing ability."),
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
            **_problems(_ERRORS),
        },
    }


def describe_write(flavour: Representation, noun: str, kind: Kind, path: str, method: str) -> dict[str, Any]:
    """The OpenAPI operation of POST, PUT or DELETE on `path`."""
    verb = {"POST": "Create", "PUT": "Update", "DELETE": "Delete"}[method]
    one = noun[0].upper() + noun[1:-1]
    shape, component = flavour.shapes[kind], flavour.components[kind]
    body = {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{component}"},
            "example": example(shape),
        }
    }
    tag, shown = {"ETag": "ETag", "X-Request-Id": "X-Request-Id"}, {"X-Request-Id": "X-Request-Id"}
    answers: dict[str, dict[str, Any]] = {
        "POST": {"201": _answer("It is made.", {**tag, "Location": "Location"}, body)},
        "PUT": {"200": _answer("It is so now.", tag, body)},
        "DELETE": {
            "204": _answer("It is gone.", shown),
            "202": _answer("The backend has begun; so it is now.", {**tag, "Location": "Location"}, body),
        },
    }
    names = ["idempotencyKey", *([] if method == "POST" else ["ifMatch"])]
    names += ["cascade"] if method == "DELETE" and kind is Kind.RESOURCE_POOL else []
    operation = {
        "operationId": f"o2ims{verb}{one}",
        "summary": f"{verb} one of the {noun}",
        "tags": [TAGS[0]["name"]],
        "security": [{"bearer": []}],
        "parameters": [
            *_path_parameters(path),
            *({"$ref": f"#/components/parameters/{name}"} for name in names),
        ],
        "responses": {**answers[method], **_problems(_ERRORS | _WRITE_ERRORS)},
    }
    if method == "DELETE":
        return operation
    draft = DRAFTS[verb + one]
    content = {"schema": {"$ref": f"#/components/schemas/{verb}{one}"}, "example": draft["examples"][0]}
    return {**operation, "requestBody": {"required": True, "content": {"application/json": content}}}


def _answer(text: str, headers: dict[str, str], content: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": text,
        "headers": {
            name: {"$ref": f"#/components/headers/{component}"} for name, component in headers.items()
        },
    }
    return {**found, "content": content} if content else found


def _problems(errors: dict[int, tuple[str, str]]) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{name}"} for status, (name, _) in errors.items()}


def components() -> dict[str, dict[str, Any]]:
    """What operations refer to: schemas, error responses, parameters, headers, the security scheme."""
    schemas: dict[str, Any] = {"Problem": PROBLEM_SCHEMA, "ApiVersions": VERSIONS_SCHEMA, **DRAFTS}
    for flavour in FLAVOURS:
        for kind, shape in flavour.shapes.items():
            schemas[flavour.components[kind]] = _component(shape)
        schemas[flavour.o_cloud_component] = _component(flavour.o_cloud)
    return {
        "schemas": schemas,
        "responses": {
            name: _problem_response(status, name, text)
            for status, (name, text) in (_ERRORS | _WRITE_ERRORS).items()
        },
        "parameters": PARAMETERS,
        "headers": HEADERS,
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
        shown: Any = VERSIONS_SCHEMA["examples"][0]
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


def _problem_response(status: int, name: str, text: str) -> dict[str, Any]:
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    shown = {"type": "about:blank", "title": title, "status": status, "detail": text, "requestId": "7f0c2c4e"}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    if status in {409, 503}:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 405:
        headers["Allow"] = {"$ref": "#/components/headers/Allow"}
    content = {"application/problem+json": {"schema": {"$ref": PROBLEM}, "example": shown}}
    return {"description": text, "headers": headers, "content": content}
