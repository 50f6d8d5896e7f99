"""The OpenAPI description of the O2-IMS roots, made from the same attributes that are answered."""

import re
from typing import Any

from adapters.types import Kind
from api.openapi import SECURITY, answer, named, problems, reference
from o2ims.openapi_parts import DRAFTS, PARAMETERS, VERSIONS_SCHEMA
from o2ims.representations.attribute import Shape
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation, example, schema

FLAVOURS = (GATEWAY_V1, INVENTORY_V1)
TAGS = [
    {"name": "O2-IMS (gateway)", "description": "The gateway's own API: /o2ims/v1."},
    {"name": "O2-IMS (O-RAN inventory)", "description": "O-RAN.WG6.O2IMS-INTERFACE, inventory, version 1."},
]
_READ = (400, 401, 403, 404, 405, 406, 413, 500, 502, 503, 504)
_WRITE = (*_READ, 409, 412, 415, 422, 429, 501)
_VARIANTS = re.compile(r"/(?:O2ims[-_]|o2ims_)infrastructure|/v1/\Z")


def documented(path: str) -> bool:
    """Whether a path is one of the documented spellings rather than a variant of one."""
    return not _VARIANTS.search(path)


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
        "security": SECURITY,
        "parameters": [
            *_path_parameters(path),
            *_parameters(one=one, versions=noun == "api_versions", flavour=flavour),
        ],
        "responses": {
            "200": _ok(flavour, noun, kind, one=one),
            "304": {"description": "The caller has this very answer already (`If-None-Match`)."},
            **problems(*_READ),
        },
    }


def describe_write(flavour: Representation, noun: str, kind: Kind, path: str, method: str) -> dict[str, Any]:
    """The OpenAPI operation of POST, PUT or DELETE on `path`."""
    verb = {"POST": "Create", "PUT": "Update", "DELETE": "Delete"}[method]
    one = noun[0].upper() + noun[1:-1]
    shape, component = flavour.shapes[kind], flavour.components[kind]
    body = {
        "application/json": {
            "schema": reference("schemas", component),
            "example": example(shape),
        }
    }
    tag, shown = ["ETag", "X-Request-Id"], ["X-Request-Id"]
    answers: dict[str, dict[str, Any]] = {
        "POST": {"201": answer("It is made.", [*tag, "Location"], body)},
        "PUT": {"200": answer("It is so now.", tag, body)},
        "DELETE": {
            "204": answer("It is gone.", shown),
            "202": answer("The backend has begun; so it is now.", [*tag, "Location"], body),
        },
    }
    names = ["idempotencyKey", *([] if method == "POST" else ["ifMatch"])]
    names += ["cascade"] if method == "DELETE" and kind is Kind.RESOURCE_POOL else []
    operation = {
        "operationId": f"o2ims{verb}{one}",
        "summary": f"{verb} one of the {noun}",
        "tags": [TAGS[0]["name"]],
        "security": SECURITY,
        "parameters": [
            *_path_parameters(path),
            *(reference("parameters", name) for name in names),
        ],
        "responses": {**answers[method], **problems(*_WRITE)},
    }
    if method == "DELETE":
        return operation
    draft = DRAFTS[verb + one]
    content = {"schema": {"$ref": f"#/components/schemas/{verb}{one}"}, "example": draft["examples"][0]}
    return {**operation, "requestBody": {"required": True, "content": {"application/json": content}}}


def components() -> dict[str, dict[str, Any]]:
    """What the operations of these roots refer to, beside what those of every root do."""
    schemas: dict[str, Any] = {"ApiVersions": VERSIONS_SCHEMA, **DRAFTS}
    for flavour in FLAVOURS:
        for kind, shape in flavour.shapes.items():
            schemas[flavour.components[kind]] = _component(shape)
        schemas[flavour.o_cloud_component] = _component(flavour.o_cloud)
    return {"schemas": schemas, "parameters": PARAMETERS}


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
    return [reference("parameters", name) for name in names]


def _ok(flavour: Representation, noun: str, kind: Kind | None, *, one: bool) -> dict[str, Any]:
    headers = ["ETag", "X-Request-Id", *(["Version"] if flavour.version else [])]
    if noun == "api_versions":
        body: dict[str, Any] = reference("schemas", "ApiVersions")
        shown: Any = VERSIONS_SCHEMA["examples"][0]
    elif kind is None:
        body = reference("schemas", flavour.o_cloud_component)
        shown = example(flavour.o_cloud)
    else:
        headers += ["Age", "Proxy-Status", "Preference-Applied", *([] if one else ["Link"])]
        shape = flavour.shapes[kind]
        body = reference("schemas", flavour.components[kind])
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
    return answer("What was asked for.", headers, {"application/json": {"schema": body, "example": shown}})
