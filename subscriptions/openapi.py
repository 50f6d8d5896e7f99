"""The OpenAPI description of subscriptions, made from the same attributes that are answered."""

import re
from typing import Any

from api.openapi import SECURITY, answer, named, problems, reference
from api.openapi_parts import query
from o2ims.openapi import TAGS
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation, example, schema
from subscriptions.drafts import CALLBACK_MOST, CONSUMER_MOST, EVENT_TYPES, FILTER_MOST, IDS, MOST_VALUES
from subscriptions.models import Delivery
from subscriptions.representation import COMPONENTS, SHAPES
from subscriptions.schedule import Outcome

_READ = (400, 401, 403, 404, 405, 406, 413, 500, 503)
_WRITE = (*_READ, 409, 412, 415, 422)
_VERBS = {"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}
_DONE = {"test": "Test", "rotate-secret": "RotateSecret", "resume": "Resume", "replay": "Replay"}
_SUMMARIES = {
    "test": "Send a notification of nothing",
    "rotate-secret": "A new secret, beside which the old one signs for 24 hours more",
    "resume": "Try at once what waits",
    "replay": "Send once more what has ended",
}
_SECRET = {
    "type": "string",
    "pattern": "^whsec_",
    "description": "Notifications are signed with it (Standard Webhooks 1.0). Shown this once.",
    "examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
}
_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}


def describe(flavour: Representation, path: str, method: str) -> dict[str, Any]:
    """The OpenAPI operation of `method` on `path`."""
    last = path.rsplit("/", 1)[-1]
    if last in _DONE:
        return _done(path, last)
    ours, one = flavour is GATEWAY_V1, path.endswith("}")
    verb = "List" if method == "GET" and not one else _VERBS[method]
    word = "Subscriptions" if verb == "List" else "Subscription"
    names = {"GET": ["ifNoneMatch", "allFields", "fields", "excludeFields", "excludeDefault"], "POST": []}
    parameters = names.get(method, ["ifMatch"])
    if verb == "List":
        parameters = [*parameters, "filter", "limit" if ours else "limitInventory", "marker"]
    operation = {
        "operationId": f"{'o2ims' if ours else 'inventory'}{verb}{word}",
        "summary": {"List": "The subscriptions", "Get": "One of the subscriptions"}.get(
            verb, f"{verb} one of the subscriptions"
        ),
        "tags": [TAGS[0 if ours else 1]["name"]],
        "security": SECURITY,
        "parameters": [
            *_path_parameters(path),
            *(reference("parameters", name) for name in [*parameters, *([] if ours else ["version"])]),
        ],
        "responses": {
            **_answers(flavour, method, one=one),
            **problems(*(_READ if method == "GET" else _WRITE)),
        },
    }
    if method in {"POST", "PUT"}:
        name = f"{'' if ours else 'Inventory'}SubscriptionDraft"
        content = {"schema": reference("schemas", name), "example": _draft_example(flavour)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def describe_deliveries() -> dict[str, Any]:
    """The OpenAPI operation of GET deliveries."""
    body = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": reference("schemas", "Delivery")}},
        "required": ["items"],
    }
    return {
        "operationId": "o2imsListDeliveries",
        "summary": "What was, or is to be, sent to one subscription",
        "tags": [TAGS[0]["name"]],
        "security": SECURITY,
        "parameters": [
            *_path_parameters("subscriptions/{id}"),
            *(
                reference("parameters", n)
                for n in ("ifNoneMatch", "after", "deliveryState", "limit", "marker")
            ),
        ],
        "responses": {
            "200": answer(
                "In the order of `o2-sequence`.",
                ["ETag", "X-Request-Id", "Link"],
                {"application/json": {"schema": body, "example": {"items": [_DELIVERY_EXAMPLE]}}},
            ),
            "304": {"description": "The caller has this very answer already (`If-None-Match`)."},
            **problems(*_READ),
        },
    }


def components() -> dict[str, dict[str, Any]]:
    """What these operations refer to, beside what those of every root do."""
    schemas: dict[str, Any] = {}
    for flavour, shape in SHAPES.items():
        found = {**schema(shape), "examples": [example(shape)]}
        schemas[COMPONENTS[flavour]] = found
        made = {**found["properties"], "secret": _SECRET}
        schemas[f"Created{COMPONENTS[flavour]}"] = {
            **found,
            "properties": made,
            "required": [*found["required"], "secret"],
            "examples": [{**example(shape), "secret": _SECRET["examples"][0]}],
        }
    return {
        "schemas": schemas | _SCHEMAS,
        "parameters": {
            "after": query("after", "Only those whose `o2-sequence` is greater.", "", schema=_COUNT),
            "deliveryState": query(
                "state",
                "Only those in this state.",
                "",
                schema={"type": "string", "enum": Delivery.State.values},
            ),
        },
    }


def _answers(flavour: Representation, method: str, *, one: bool) -> dict[str, Any]:
    component = COMPONENTS[flavour.name]
    headers = ["ETag", "X-Request-Id", *(["Version"] if flavour.version else [])]
    known = example(SHAPES[flavour.name])
    shown = {"application/json": {"schema": reference("schemas", component), "example": known}}
    if method == "POST":
        secret = {**known, "secret": _SECRET["examples"][0]}
        made = {
            "application/json": {"schema": reference("schemas", f"Created{component}"), "example": secret}
        }
        plain = [name for name in headers if name != "ETag"]
        return {"201": answer("It is made. The secret is shown this once.", [*plain, "Location"], made)}
    if method == "DELETE":
        plain = [name for name in headers if name != "ETag"]
        return {"204" if flavour.envelope else "200": answer("It has ended.", plain)}
    if method == "PUT":
        return {"200": answer("It is so now.", headers, shown)}
    unchanged = {"304": {"description": "The caller has this very answer already (`If-None-Match`)."}}
    if one:
        return {"200": answer("What was asked for.", headers, shown), **unchanged}
    listed: dict[str, Any] = {"type": "array", "items": reference("schemas", component)}
    some: Any = [known]
    if flavour.envelope:
        listed = {"type": "object", "properties": {"items": listed}, "required": ["items"]}
        some = {"items": some}
    content = {"application/json": {"schema": listed, "example": some}}
    return {"200": answer("What was asked for.", [*headers, "Link"], content), **unchanged}


def _done(path: str, what: str) -> dict[str, Any]:
    """POST of something that is done with one."""
    known = example(SHAPES[GATEWAY_V1.name])
    rotated = {
        "subscriptionId": known["subscriptionId"],
        "secret": _SECRET["examples"][0],
        "overlapEnds": "2026-11-28T10:30:00Z",
    }
    status, text, component, shown = {
        "test": ("202", "It is on its way.", "SentTest", {"sequence": 18}),
        "rotate-secret": ("200", "The new secret, shown this once.", "RotatedSecret", rotated),
        "resume": ("200", "It is tried at once.", "Subscription", known),
        "replay": ("202", "So many are on their way.", "Replayed", {"deliveries": 3}),
    }[what]
    shape: dict[str, Any] = reference("schemas", component)
    if what == "resume":  # one of the O-RAN root is shown as there
        shape = {"anyOf": [shape, reference("schemas", COMPONENTS[INVENTORY_V1.name])]}
    content = {"application/json": {"schema": shape, "example": shown}}
    operation = {
        "operationId": f"o2ims{_DONE[what]}Subscription",
        "summary": _SUMMARIES[what],
        "tags": [TAGS[0]["name"]],
        "security": SECURITY,
        "parameters": [*_path_parameters(path), reference("parameters", "ifMatch")],
        "responses": {status: answer(text, ["X-Request-Id"], content), **problems(*_WRITE)},
    }
    if what != "replay":
        return operation
    wanted = {"schema": reference("schemas", "Replay"), "example": {"state": "dead"}}
    return {**operation, "requestBody": {"required": True, "content": {"application/json": wanted}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"{(\w+)}", named(path))
    ]


def _draft_example(flavour: Representation) -> dict[str, Any]:
    wanted = ("callback", "consumerSubscriptionId", "filter")
    return {name: value for name, value in example(SHAPES[flavour.name]).items() if name in wanted}


def _draft(filter_: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["callback"],
        "properties": {
            "callback": {"type": "string", "format": "uri", "maxLength": CALLBACK_MOST},
            "consumerSubscriptionId": {"type": "string", "minLength": 1, "maxLength": CONSUMER_MOST},
            "filter": filter_,
        },
    }


def _one_or_many(one: dict[str, Any]) -> dict[str, Any]:
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_VALUES}
    return {"oneOf": [one, many]}


_ID = {"type": "string", "format": "uuid"}
_DELIVERY_EXAMPLE = {
    "sequence": 17,
    "webhookId": "6f0f1c3a52ad4c578f6e0a4b5f2f9d12",
    "state": "delivered",
    "attempts": 1,
    "outcome": "delivered",
    "status": 204,
    "createdAt": "2026-11-27T10:30:00Z",
    "endedAt": "2026-11-27T10:30:00.048Z",
    "notification": {
        "notificationId": "6f0f1c3a52ad4c578f6e0a4b5f2f9d12",
        "notificationEventType": 2,
        "priorObjectState": {"resourcePoolId": "b3a2b1de-6f6d-5d40-9a4e-3f1f1c5f7a10"},
    },
}
_SCHEMAS: dict[str, Any] = {
    "SubscriptionDraft": _draft(
        {
            "type": "object",
            "properties": {
                **{key: _one_or_many(_ID) for key in IDS},
                "eventTypes": _one_or_many({"type": "string", "enum": list(EVENT_TYPES)}),
            },
            "additionalProperties": False,
        }
    ),
    "InventorySubscriptionDraft": _draft({"type": "string", "maxLength": FILTER_MOST}),
    "Delivery": {
        "type": "object",
        "properties": {
            "sequence": {**_COUNT, "description": "The header `o2-sequence`: one more with each."},
            "webhookId": {"type": "string", "description": "The header `webhook-id`."},
            "state": {"type": "string", "enum": Delivery.State.values},
            "attempts": _COUNT,
            "outcome": {
                "type": ["string", "null"],
                "enum": [*map(str, Outcome), "unknown", "backlog", None],
                "description": "Of the last attempt.",
            },
            "status": {"type": ["integer", "null"], "description": "The HTTP status of the last attempt."},
            "createdAt": _TIME,
            "endedAt": {"type": ["string", "null"], "format": "date-time"},
            "notification": {"type": "object", "additionalProperties": True, "description": "What is sent."},
        },
        "required": ["sequence", "webhookId", "state", "attempts", "createdAt", "notification"],
    },
    "SentTest": {"type": "object", "properties": {"sequence": _COUNT}, "required": ["sequence"]},
    "Replayed": {"type": "object", "properties": {"deliveries": _COUNT}, "required": ["deliveries"]},
    "RotatedSecret": {
        "type": "object",
        "properties": {"subscriptionId": _ID, "secret": _SECRET, "overlapEnds": _TIME},
        "required": ["subscriptionId", "secret", "overlapEnds"],
    },
    "Replay": {
        "type": "object",
        "properties": {
            "after": {**_COUNT, "description": "Those whose sequence is greater."},
            "until": {**_COUNT, "description": "Up to this sequence."},
            "state": {"type": "string", "enum": ["dead", "delivered"]},
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
}
