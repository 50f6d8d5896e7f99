"""The bodies of the admin API in the OpenAPI document: what is answered, and what may be sent."""

from typing import Any

from tenancy import drafts, networks, quotas
from tenancy.models import Tenant
from tenancy.permissions import Action, Resource, Scope
from tenancy.roles import BUILT_IN

_ACME = "acme"
_ALICE = "0b3f2b52-6c31-4b0e-9a52-0f4a4f9f3d11"
_TIMES = {"createdAt": "2026-11-26T09:30:00Z", "updatedAt": "2026-11-26T09:30:00Z"}


def _text(most: int, least: int = 0) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


STRING: dict[str, Any] = {"type": "string"}
UUID: dict[str, Any] = {"type": "string", "format": "uuid"}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_LABEL = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
_LOGIN = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?@[a-z0-9-]{1,63}$"}
_NAME, _TEXT = _text(drafts.NAME_MOST, 1), _text(drafts.TEXT_MOST)
_EMAIL = {"type": "string", "maxLength": drafts.EMAIL_MOST, "description": "An e-mail address, or nothing."}
_METADATA = {"type": "object", "additionalProperties": True, "description": "Whatever is to be kept: 16 KiB."}
_STATUS = {"type": "string", "enum": ["active", "suspended"]}
_PERMISSIONS = {
    "type": "array",
    "maxItems": drafts.PERMISSIONS_MOST,
    "items": {
        "type": "object",
        "required": ["resource", "action", "scope"],
        "properties": {
            "resource": {"type": "string", "enum": list(Resource)},
            "action": {"type": "string", "enum": list(Action)},
            "scope": {"type": "string", "enum": list(Scope)},
        },
        "additionalProperties": False,
    },
}
_POOLS = [{"resource": "ResourcePool", "action": "manage", "scope": "tenant"}]


def answered(text: str, example: dict[str, Any], **properties: dict[str, Any]) -> dict[str, Any]:
    """Every key is always there, and no other."""
    assert example.keys() == properties.keys()
    return {
        "type": "object",
        "description": text,
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
        "examples": [example],
    }


def _amounts(text: str, *, null: bool) -> dict[str, Any]:
    one = {"type": ["number", "null"] if null else "number", "minimum": 0}
    return {
        "type": "object",
        "description": text,
        "properties": dict.fromkeys(quotas.ALL, one),
        "required": list(quotas.ALL),
        "additionalProperties": False,
    }


def sent(text: str, required: list[str], example: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """What may be sent: no other key, and these needed."""
    return {
        "type": "object",
        "description": text,
        "required": required,
        "properties": properties,
        "additionalProperties": False,
        "examples": [example],
    }


def _replaced(
    one: dict[str, Any], text: str, required: list[str], writable: tuple[str, ...]
) -> dict[str, Any]:
    """PUT: what was read can be sent back, the other keys as they are."""
    (shown,) = one["examples"]
    found = sent(text, required, {key: shown[key] for key in writable}, **one["properties"])
    return {**found, "additionalProperties": False}


_SOME_QUOTAS = {
    key: value
    for key, value in _amounts("Limits to set; null: the platform's default.", null=True).items()
    if key != "required"
}
_RATE_LIMIT = {
    "type": ["object", "null"],
    "description": "How fast the tenant's people may ask together; null: the platform's default.",
    "required": ["perSecond", "burst"],
    "properties": {
        "perSecond": {"type": "integer", "minimum": 1, "maximum": drafts.RATE_MOST},
        "burst": {"type": "integer", "minimum": 1, "maximum": drafts.BURST_MOST},
    },
    "additionalProperties": False,
}
_CALLBACK_CHECK = {
    "type": ["string", "null"],
    "enum": [*Tenant.CallbackCheck.values, None],
    "description": "A callback that does not answer a GET when somebody subscribes is refused (`strict`), or "
    "that is said (`warn`), or it is not asked (`off`); null: the platform's setting.",
}
_CALLBACK_NETWORKS = {
    "type": "array",
    "maxItems": networks.MOST,
    "items": _text(45, 2),
    "description": "Private networks (CIDR) that the tenant's callbacks may go to, beside the platform's.",
}
_TENANT = answered(
    "A tenant: an organisation that sees only its own.",
    {
        "tenantId": _ACME,
        "name": "Acme Mobile",
        "description": "",
        "status": "active",
        "quotas": {**dict.fromkeys(quotas.ALL), "maxResources": 100},
        "usage": {**dict.fromkeys(quotas.ALL, 0), "maxResources": 42},
        "rateLimit": {"perSecond": 200, "burst": 400},
        "callbackCheck": "strict",
        "callbackNetworks": ["10.20.0.0/16"],
        "contactEmail": "noc@acme.example",
        "metadata": {"contract": "C-17"},
        **_TIMES,
    },
    tenantId=_LABEL,
    name=_NAME,
    description=_TEXT,
    status={"type": "string", "enum": ["active", "suspended", "pendingDeletion"]},
    quotas=_amounts("Limits; null: none. Where nothing was set, the platform's default.", null=True),
    usage=_amounts("What is there, and what writes under way will add.", null=False),
    rateLimit=_RATE_LIMIT,
    callbackCheck=_CALLBACK_CHECK,
    callbackNetworks=_CALLBACK_NETWORKS,
    contactEmail=_EMAIL,
    metadata=_METADATA,
    createdAt=TIME,
    updatedAt=TIME,
)
_AUDIT_ENTRY = answered(
    "What somebody did, or was refused. `before` and `after` are the object; names are as they were.",
    {
        "id": "4711",
        "timestamp": "2026-11-26T09:30:00.123456Z",
        "tenantId": _ACME,
        "userId": _ALICE,
        "userName": "alice@acme",
        "authentication": "certificate",
        "ipAddress": "192.0.2.7",
        "method": "POST",
        "path": "/o2ims/v1/resourcePools",
        "action": "create",
        "resource": "ResourcePool",
        "resourceId": "5a0f8b1d-3a1c-4a9b-8e22-7c9a1f0e52b6",
        "resourceName": "edge-pool",
        "result": "success",
        "status": 201,
        "requestId": "a-request",
        "before": None,
        "after": {"name": "edge-pool"},
        "reason": "",
    },
    id=STRING,
    timestamp=TIME,
    tenantId=or_null(STRING),
    userId=or_null(UUID),
    userName=STRING,
    authentication=STRING,
    ipAddress=STRING,
    method=STRING,
    path=STRING,
    action=STRING,
    resource=STRING,
    resourceId=STRING,
    resourceName=STRING,
    result={"type": "string", "enum": ["success", "denied", "error"]},
    status=or_null({"type": "integer"}),
    requestId=STRING,
    before=or_null({"type": "object"}),
    after=or_null({"type": "object"}),
    reason=STRING,
)
_USER = answered(
    "Somebody who may call the API. `commonName` is that of the user's certificate.",
    {
        "userId": _ALICE,
        "tenantId": _ACME,
        "name": "alice@acme",
        "commonName": "alice.acme.o2ims.example.com",
        "email": "alice@acme.example",
        "roles": ["Owner"],
        "status": "active",
        "lastSeenAt": None,
        **_TIMES,
    },
    userId=UUID,
    tenantId=STRING,
    name=STRING,
    commonName=or_null(STRING),
    email=_EMAIL,
    roles={"type": "array", "items": STRING},
    status=_STATUS,
    lastSeenAt=or_null(TIME),
    createdAt=TIME,
    updatedAt=TIME,
)
_ROLE = answered(
    "A role. `kind`: `system` (for the platform's people) and `tenant` are built in; `custom`: a tenant's.",
    {
        "roleId": "7c9a1f0e-52b6-4a0f-8b1d-3a1c5a9b7e22",
        "tenantId": _ACME,
        "name": "Pool keeper",
        "description": "Makes and removes pools",
        "kind": "custom",
        "permissions": _POOLS,
        **_TIMES,
    },
    roleId=UUID,
    tenantId=or_null(STRING),
    name=_text(drafts.ROLE_NAME_MOST, 1),
    description=_TEXT,
    kind={"type": "string", "enum": ["system", "tenant", "custom"]},
    permissions=_PERMISSIONS,
    createdAt=TIME,
    updatedAt=TIME,
)
_BINDING = answered(
    "That a user has a role, for good or until `expiresAt`.",
    {
        "bindingId": "f2a6c9d4-1f0b-4a3c-9c55-6f1f2f0f7a33",
        "tenantId": _ACME,
        "userId": _ALICE,
        "userName": "alice@acme",
        "roleId": str(BUILT_IN["Owner"].id),
        "roleName": "Owner",
        "expiresAt": None,
        **_TIMES,
    },
    bindingId=UUID,
    tenantId=or_null(STRING),
    userId=UUID,
    userName=STRING,
    roleId=UUID,
    roleName=STRING,
    expiresAt=or_null(TIME),
    createdAt=TIME,
    updatedAt=TIME,
)
_TOKEN = answered(
    "What is known of a bearer token. Its secret is in the answer that made it, and nowhere else.",
    {
        "tokenId": "3d0d8b3a-0f3e-4c6b-8a6f-2f7c1f4e9b44",
        "tenantId": _ACME,
        "userId": _ALICE,
        "userName": "alice@acme",
        "name": "SMO",
        "prefix": "nwt_x1y2",
        "createdAt": "2026-11-26T09:30:00Z",
        "expiresAt": "2027-02-24T09:30:00Z",
        "revokedAt": None,
        "lastUsedAt": None,
    },
    tokenId=UUID,
    tenantId=or_null(STRING),
    userId=UUID,
    userName=STRING,
    name=STRING,
    prefix=STRING,
    createdAt=TIME,
    expiresAt=or_null(TIME),
    revokedAt=or_null(TIME),
    lastUsedAt=or_null(TIME),
)
_ISSUED = answered(
    "A token that was just made. Nobody can read the secret again.",
    {**_TOKEN["examples"][0], "secret": "nwt_x1y2…"},
    **_TOKEN["properties"],
    secret=STRING,
)
_ME = answered(
    "Who the caller is, and what the caller's roles allow now.",
    {
        "userId": _ALICE,
        "tenantId": _ACME,
        "name": "alice@acme",
        "authentication": "token",
        "expiresAt": None,
        "roles": [{"name": "Pool keeper", "expiresAt": None}],
        "permissions": _POOLS,
    },
    userId=UUID,
    tenantId=or_null(STRING),
    name=STRING,
    authentication=STRING,
    expiresAt=or_null(TIME),
    roles={
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "expiresAt"],
            "properties": {"name": STRING, "expiresAt": or_null(TIME)},
            "additionalProperties": False,
        },
    },
    permissions=_PERMISSIONS,
)
SCHEMAS: dict[str, dict[str, Any]] = {
    "AuditEntry": _AUDIT_ENTRY,
    "Tenant": _TENANT,
    "User": _USER,
    "Role": _ROLE,
    "Binding": _BINDING,
    "Token": _TOKEN,
    "IssuedToken": _ISSUED,
    "Me": _ME,
    "CreateTenant": sent(
        "A tenant to make. Its id is the value of the label `o2ims.oran.org/tenant` on what is its own.",
        ["tenantId", "name"],
        {"tenantId": "initech", "name": "Initech", "contactEmail": "noc@initech.example"},
        tenantId=_LABEL,
        name=_NAME,
        description=_TEXT,
        contactEmail=_EMAIL,
        metadata=_METADATA,
        quotas=_SOME_QUOTAS,
        rateLimit=_RATE_LIMIT,
        callbackCheck=_CALLBACK_CHECK,
        callbackNetworks=_CALLBACK_NETWORKS,
    ),
    "CreateUser": sent(
        "A user to add. `name` ends with @ and the tenant's id; roles are given with `bindings`.",
        ["name"],
        {"name": "dora@acme", "email": "dora@acme.example"},
        name=_LOGIN,
        email=_EMAIL,
    ),
    "CreateRole": sent(
        "A role to make, of the caller's tenant where none is named. It may hold what its maker does.",
        ["name", "permissions"],
        {"name": "Pool keeper", "permissions": _POOLS},
        tenantId=or_null(STRING),
        name=_text(drafts.ROLE_NAME_MOST, 1),
        description=_TEXT,
        permissions=_PERMISSIONS,
    ),
    "CreateBinding": sent(
        "Who is to have which role. Without `expiresAt`, or with null, for good.",
        ["userId", "roleId"],
        {"userId": _ALICE, "roleId": str(BUILT_IN["Viewer"].id), "expiresAt": "2027-01-31T12:00:00Z"},
        userId=UUID,
        roleId=UUID,
        expiresAt=or_null(TIME),
    ),
    "CreateToken": sent(
        f"A token to issue: for the caller where no user is named, for {drafts.TOKEN_DAYS} days where no end "
        "is, for ever with null.",
        [],
        {"name": "SMO", "expiresAt": "2027-01-31T12:00:00Z"},
        userId=UUID,
        name=_text(drafts.NAME_MOST),
        expiresAt=or_null(TIME),
    ),
    "UpdateTenant": _replaced(
        _TENANT,
        "The tenant as it is to be. A suspended tenant's people are refused at once.",
        ["name", "status"],
        ("name", "status", "contactEmail"),
    ),
    "UpdateUser": _replaced(_USER, "The user as they are to be.", ["status"], ("email", "status")),
    "UpdateRole": _replaced(
        _ROLE, "The role as it is to be.", ["name", "permissions"], ("name", "permissions")
    ),
    "UpdateBinding": _replaced(
        _BINDING, "Another role, or another end.", ["roleId"], ("roleId", "expiresAt")
    ),
}
SCHEMAS["UpdateTenant"]["properties"] = {**_TENANT["properties"], "quotas": _SOME_QUOTAS}
for _name in ("Tenant", "User", "Role", "Binding"):
    SCHEMAS[f"Patch{_name}"] = {
        **{key: value for key, value in SCHEMAS[f"Update{_name}"].items() if key != "required"},
        "description": "What changes; the rest stays (RFC 7396).",
    }
