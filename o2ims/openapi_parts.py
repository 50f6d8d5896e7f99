"""What the operations of the O2-IMS roots refer to: parameters, and bodies that are no object."""

from typing import Any

from api.openapi_parts import limit, query


def _flag(name: str, text: str) -> dict[str, Any]:
    return query(name, text, "", schema={"type": "string", "enum": ["", "true"]}, allowEmptyValue=True)


PARAMETERS: dict[str, dict[str, Any]] = {
    "filter": query(
        "filter",
        "Terms joined by `;` (and): `(eq,name,x)`, with eq neq gt gte lt lte in nin cont ncont (SOL013 5.2).",
        "",
    ),
    "allFields": _flag("all_fields", "Everything there is of each object."),
    "fields": query("fields", "These complex attributes too; paths with `/` pick a part.", ""),
    "excludeFields": query("exclude_fields", "Everything but these.", ""),
    "excludeDefault": _flag("exclude_default", "Without what is left out by default."),
    "limitInventory": limit(30),
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeat with the same key is answered as the first was, and done once.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "cascade": query(
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
