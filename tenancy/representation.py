"""Tenants, people and roles on the wire of `/admin/v1`: one function and one `Noun` each. No secret is
written here."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tenancy import quotas
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Permission
from tenancy.principals import Principal
from tenancy.rates import Limit
from tenancy.trail import AuditEntry, moment
from tenancy.trust import Certificate, Issuer

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """A kind of object: `name` in paths, `component` in the OpenAPI document, `wire` writes one.

    `filters` are the parameters that narrow its lists, and what they compare; `volatile` are keys that change
    by themselves and so are no part of the ETag.
    """

    name: str
    component: str
    wire: Callable[[Any], Wire]
    filters: Mapping[str, str] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()


def _tenant(row: Tenant) -> Wire:
    limits, usage = quotas.shown(row.quotas.all())
    return {
        "tenantId": row.pk,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "quotas": limits,
        "usage": usage,
        "rateLimit": _rate(row.own_rate),
        "callbackCheck": row.callback_check or None,
        "callbackNetworks": row.callback_networks,
        "contactEmail": row.contact_email,
        "metadata": row.metadata,
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


def _rate(limit: Limit | None) -> Wire | None:
    return None if limit is None else {"perSecond": limit.per_second, "burst": limit.burst}


def _user(row: User) -> Wire:
    used = [at for at in (row.last_login, *(token.last_used_at for token in row.tokens.all())) if at]
    return {
        "userId": str(row.pk),
        "tenantId": row.tenant_id,
        "name": row.username,
        "commonName": row.common_name,
        "email": row.email,
        "roles": sorted(row.role_names()),
        "status": "active" if row.is_active else "suspended",
        "lastSeenAt": _at(max(used, default=None)),
        "createdAt": _at(row.date_joined),
        "updatedAt": _at(row.updated_at),
    }


def _role(row: Role) -> Wire:
    return {
        "roleId": str(row.pk),
        "tenantId": row.tenant_id,
        "name": row.name,
        "description": row.description,
        "kind": "custom" if row.tenant_id else "system" if row.system else "tenant",
        "permissions": permissions(row.grants),
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


def _binding(row: Binding) -> Wire:
    return {
        "bindingId": str(row.pk),
        "tenantId": row.user.tenant_id,
        "userId": str(row.user_id),
        "userName": row.user.username,
        "roleId": str(row.role_id),
        "roleName": row.role.name,
        "expiresAt": _at(row.expires_at),
        "createdAt": _at(row.created_at),
        "updatedAt": _at(row.updated_at),
    }


def _token(row: Token) -> Wire:
    return {
        "tokenId": str(row.pk),
        "tenantId": row.user.tenant_id,
        "userId": str(row.user_id),
        "userName": row.user.username,
        "name": row.name,
        "prefix": row.prefix,
        "createdAt": _at(row.created_at),
        "expiresAt": _at(row.expires_at),
        "revokedAt": _at(row.revoked_at),
        "lastUsedAt": _at(row.last_used_at),
    }


def _issuer(row: Issuer) -> Wire:
    return {
        "issuerId": str(row.pk),
        "tenantId": row.tenant_id,
        "subject": row.subject,
        "fingerprint": row.fingerprint,
        "certificate": row.pem,
        "expiresAt": _at(row.expires_at),
        "createdAt": _at(row.created_at),
    }


def _certificate(row: Certificate) -> Wire:
    return {
        "certificateId": str(row.pk),
        "tenantId": row.user.tenant_id,
        "userId": str(row.user_id),
        "userName": row.user.username,
        "subject": row.subject,
        "issuer": row.issuer,
        "serialNumber": row.serial,
        "fingerprint": row.fingerprint,
        "expiresAt": _at(row.expires_at),
        "firstUsedAt": _at(row.first_used_at),
        "revokedAt": _at(row.revoked_at),
    }


def _quota(row: quotas.Quota) -> Wire:
    limits, usage = quotas.shown([row])
    return {
        "quotaId": f"{row.tenant_id} {row.name}",
        "tenantId": row.tenant_id,
        "name": row.name,
        "limit": limits[row.name],
        "usage": usage[row.name],
    }


AUDIT_ENTRY_KEYS = (
    "id", "timestamp", "tenantId", "userId", "userName", "authentication", "ipAddress", "method", "path",
    "action", "resource", "resourceId", "resourceName", "result", "status", "requestId", "before", "after",
    "reason",
)  # fmt: skip


def audit_entry(row: AuditEntry) -> Wire:
    """An entry of the audit trail; `before` and `after` as the JSON they are."""
    return {
        "id": str(row.pk),
        "timestamp": moment(row.timestamp),
        "tenantId": row.tenant or None,
        "userId": str(row.user_id) if row.user_id else None,
        "userName": row.actor,
        "authentication": row.authentication,
        "ipAddress": row.address,
        "method": row.method,
        "path": row.path,
        "action": row.action,
        "resource": row.kind,
        "resourceId": row.object_id,
        "resourceName": row.label,
        "result": row.result,
        "status": row.status,
        "requestId": row.request_id,
        "before": json.loads(row.before) if row.before else None,
        "after": json.loads(row.after) if row.after else None,
        "reason": row.reason,
    }


def me(caller: Principal) -> Wire:
    """Who somebody is and what they may do: `GET /admin/v1/me`."""
    return {
        "userId": caller.user_id,
        "tenantId": caller.tenant,
        "name": caller.name,
        "authentication": caller.authentication,
        "expiresAt": _at(caller.expires_at),
        "roles": [{"name": one.role, "expiresAt": _at(one.expires_at)} for one in caller.grants],
        "permissions": permissions(caller.rights.permissions),
    }


def permissions(held: Iterable[Permission]) -> list[Wire]:
    """Permissions, in the order of their names."""
    return [{"resource": one.resource, "action": one.action, "scope": one.scope} for one in sorted(held)]


def _at(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


TENANT = Noun(
    name="tenants",
    component="Tenant",
    wire=_tenant,
    filters={"status": "status"},
    volatile=frozenset({"usage"}),
)
USER = Noun(
    name="users",
    component="User",
    wire=_user,
    filters={"name": "username"},
    volatile=frozenset({"lastSeenAt"}),
)
ROLE = Noun(name="roles", component="Role", wire=_role, filters={"tenantId": "tenant_id", "name": "name"})
BINDING = Noun(
    name="bindings",
    component="Binding",
    wire=_binding,
    filters={"tenantId": "user__tenant_id", "userId": "user_id", "roleId": "role_id"},
)
TOKEN = Noun(
    name="tokens",
    component="Token",
    wire=_token,
    filters={"tenantId": "user__tenant_id", "userId": "user_id"},
    volatile=frozenset({"lastUsedAt"}),
)
ISSUER = Noun(
    name="issuers",
    component="Issuer",
    wire=_issuer,
    filters={"tenantId": "tenant_id"},
)
CERTIFICATE = Noun(
    name="certificates",
    component="Certificate",
    wire=_certificate,
    filters={"tenantId": "user__tenant_id", "userId": "user_id"},
)
QUOTA = Noun(name="quotas", component="Quota", wire=_quota)
AUDIT = Noun(name="audit entries", component="AuditEntry", wire=audit_entry)
NOUNS = (TENANT, USER, ROLE, BINDING, TOKEN, ISSUER, CERTIFICATE)
