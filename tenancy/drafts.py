"""What a caller of `/admin/v1` asks for: the body of a write, checked as far as that needs no database.

What the gateway decides (ids, times, roles of a user) may be there where it is as it is, so that what was
read can be sent back; another value is a mistake, and so is a key that is unknown. PUT says all there is:
what is absent gets its default. PATCH says what changes (RFC 7396).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone

from api.bodies import Reading
from tenancy import networks, quotas
from tenancy.models import Tenant, label
from tenancy.permissions import Permission
from tenancy.rates import Limit

NAME_MOST, TEXT_MOST, METADATA_MOST, PERMISSIONS_MOST = 200, 4000, 16 * 1024, 500
ROLE_NAME_MOST, EMAIL_MOST = 63, 254
TOKEN_DAYS = 90
QUOTA_MOST = 10**9
PEM_MOST = 64 * 1024
RATE_MOST, BURST_MOST = 10**6 - 1, 10**7 - 1

_TENANT = frozenset(
    {
        *("name", "description", "status", "contactEmail", "metadata", "quotas", "rateLimit"),
        *("callbackCheck", "callbackNetworks"),
    }
)
_USER = frozenset({"email", "status"})
_ROLE = frozenset({"name", "description", "permissions"})
_BINDING = frozenset({"roleId", "expiresAt"})
_VOLATILE = frozenset({"lastSeenAt", "usage"})
_RATE = {"perSecond": RATE_MOST, "burst": BURST_MOST}
_PERMISSION = frozenset({"resource", "action", "scope"})

Wire = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A change: the body, the object as it is on the wire now, and whether the body is all of it (PUT)."""

    body: Any
    current: Wire
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDraft:
    """A tenant as somebody wants it; `callback_check` is '' for the platform's setting."""

    id: str
    name: str
    description: str
    status: str
    contact_email: str
    metadata: Wire
    quotas: Mapping[str, Decimal | None]
    rate_limit: Limit | None
    callback_check: str
    callback_networks: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDraft:
    """A user as somebody wants them; `name` is the login name."""

    name: str
    email: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDraft:
    """A tenant's role as somebody wants it. `tenant` is None where it was not said."""

    tenant: str | None
    name: str
    description: str
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingDraft:
    """Who is to have which role, until when (None: for good)."""

    user: str
    role: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """A token for `user` (None: for who asks), good until `expires_at` (None: for ever)."""

    user: str | None
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerDraft:
    """A CA to believe, as PEM. `tenant` is None where it was not said, '' for the platform's people."""

    tenant: str | None
    pem: str


def new_issuer(body: Any) -> IssuerDraft:
    """The draft of POST issuers. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(frozenset({"tenantId", "certificate"}))
    said = "" if "tenantId" in reading.body and reading.body["tenantId"] is None else None
    tenant = reading.text("tenantId", 63)
    pem = reading.text("certificate", PEM_MOST, needed=True, empty=True) or ""
    reading.end()
    return IssuerDraft(tenant=said if tenant is None else tenant, pem=pem)


def new_tenant(body: Any) -> TenantDraft:
    """The draft of POST tenants. Raises `Malformed`."""
    reading = Reading(body)
    reading.only((_TENANT | {"tenantId"}) - {"status"})
    id_ = reading.text("tenantId", 63, needed=True)
    if id_ is not None:
        try:
            label(id_)
        except ValidationError as error:
            reading.fault("tenantId", error.messages[0])
    return _tenant(reading, id_ or "", Tenant.Status.ACTIVE, {})


def changed_tenant(sent: Sent) -> TenantDraft:
    """The draft of PUT (`whole`) or PATCH tenants/{id}. Raises `Malformed`."""
    reading = _change(sent, _TENANT)
    choices = dict.fromkeys(
        [Tenant.Status.ACTIVE.value, Tenant.Status.SUSPENDED.value, sent.current["status"]]
    )
    status, shown = _needed(reading, "status", choices), sent.current["quotas"]
    if sent.whole and "quotas" not in reading.body:
        return replace(_tenant(reading, sent.current["tenantId"], status, {}), quotas=dict.fromkeys(shown))
    return _tenant(reading, sent.current["tenantId"], status, shown)


def new_user(body: Any, tenant: str) -> UserDraft:
    """The draft of POST tenants/{tenant}/users. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(frozenset({"name", "email"}))
    name = reading.text("name", 63 + 1 + len(tenant), needed=True)
    if name is not None:
        try:
            label(name.removesuffix(f"@{tenant}"))
            if not name.endswith(f"@{tenant}"):
                reading.fault("name", f"must end with @{tenant}")
        except ValidationError as error:
            reading.fault("name", f"must be a name and @{tenant}. The name: {error.messages[0]}")
    return _user(reading, name or "", "active")


def changed_user(sent: Sent) -> UserDraft:
    """The draft of PUT or PATCH tenants/{tenant}/users/{id}. Raises `Malformed`."""
    reading = _change(sent, _USER)
    return _user(reading, sent.current["name"], _needed(reading, "status", ["active", "suspended"]))


def new_role(body: Any) -> RoleDraft:
    """The draft of POST roles. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(_ROLE | {"tenantId"})
    return _role(reading, reading.text("tenantId", 63))


def changed_role(sent: Sent) -> RoleDraft:
    """The draft of PUT or PATCH roles/{id}. Raises `Malformed`."""
    return _role(_change(sent, _ROLE), sent.current["tenantId"])


def new_binding(body: Any) -> BindingDraft:
    """The draft of POST bindings. Raises `Malformed`."""
    reading = Reading(body)
    reading.only(_BINDING | {"userId"})
    return _binding(reading, reading.id("userId", needed=True) or "", None)


def changed_binding(sent: Sent) -> BindingDraft:
    """The draft of PUT or PATCH bindings/{id}. Raises `Malformed`."""
    reading = _change(sent, _BINDING)
    return _binding(reading, sent.current["userId"], sent.current["expiresAt"])


def new_token(body: Any) -> TokenDraft:
    """The draft of POST tokens. Without `expiresAt` it is good for `TOKEN_DAYS`; null is for ever. Raises
    `Malformed`."""
    reading = Reading(body)
    reading.only(frozenset({"userId", "name", "expiresAt"}))
    usual = None if "expiresAt" in reading.body else timezone.now() + timedelta(days=TOKEN_DAYS)
    draft = TokenDraft(
        user=reading.id("userId"),
        name=reading.text("name", NAME_MOST, empty=True) or "",
        expires_at=_end(reading) or usual,
    )
    reading.end()
    return draft


def _change(sent: Sent, writable: frozenset[str]) -> Reading:
    body = dict(Reading(sent.body).body)
    for key in _VOLATILE & body.keys():  # it may have changed since it was read
        del body[key]
    reading = Reading(body if sent.whole else {key: sent.current[key] for key in writable} | body)
    reading.only(writable, sent.current)
    return reading


def _needed(reading: Reading, key: str, choices: Any) -> str:
    if reading.body.get(key) is None:
        reading.fault(key, "is needed")
    return reading.choice(key, list(choices)) or ""


def _tenant(reading: Reading, id_: str, status: str, shown: Wire) -> TenantDraft:
    metadata = reading.mapping("metadata")
    if len(json.dumps(metadata)) > METADATA_MOST:
        reading.fault("metadata", f"must not be larger than {METADATA_MOST} bytes")
    draft = TenantDraft(
        id=id_,
        name=reading.text("name", NAME_MOST, needed=True) or "",
        description=reading.text("description", TEXT_MOST, empty=True) or "",
        status=status,
        contact_email=_email(reading, "contactEmail"),
        metadata=metadata,
        quotas=_quotas(reading, shown),
        rate_limit=_rate_limit(reading),
        callback_check=reading.choice("callbackCheck", Tenant.CallbackCheck.values) or "",
        callback_networks=_networks(reading),
    )
    reading.end()
    return draft


def _quotas(reading: Reading, shown: Wire) -> Mapping[str, Decimal | None]:
    """The limits that are to be others than what is shown."""
    found: dict[str, Decimal | None] = {}
    for name, value in reading.mapping("quotas").items():
        if name not in quotas.ALL:
            reading.fault("quotas", f"is not known here; there are {', '.join(quotas.ALL)}", name)
        elif name in shown and value == shown[name]:
            continue
        elif value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= QUOTA_MOST
        ):
            reading.fault("quotas", f"must be a number from 0 to {QUOTA_MOST}, or null", name)
        else:
            found[name] = None if value is None else round(Decimal(str(value)), 3)
    return found


def _rate_limit(reading: Reading) -> Limit | None:
    value = reading.body.get("rateLimit")
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != _RATE.keys():
        reading.fault("rateLimit", f"must have {' and '.join(_RATE)}, or be null")
        return None
    for key, most in _RATE.items():
        if isinstance(value[key], bool) or not isinstance(value[key], int) or not 1 <= value[key] <= most:
            reading.fault("rateLimit", f"must be a whole number from 1 to {most}", key)
            return None
    return Limit(value["perSecond"], value["burst"])


def _networks(reading: Reading) -> list[str]:
    value, found = reading.body.get("callbackNetworks"), []
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > networks.MOST:
        reading.fault("callbackNetworks", f"must be a list of at most {networks.MOST} networks")
        return []
    for number, one in enumerate(value):
        try:
            found.append(networks.network(one if isinstance(one, str) else ""))
        except ValueError as error:
            reading.fault("callbackNetworks", str(error), number)
    return networks.distinct(found)


def _user(reading: Reading, name: str, status: str) -> UserDraft:
    draft = UserDraft(name=name, email=_email(reading, "email"), active=status == "active")
    reading.end()
    return draft


def _role(reading: Reading, tenant: str | None) -> RoleDraft:
    draft = RoleDraft(
        tenant=tenant,
        name=reading.text("name", ROLE_NAME_MOST, needed=True) or "",
        description=reading.text("description", TEXT_MOST, empty=True) or "",
        permissions=frozenset(_permissions(reading)),
    )
    reading.end()
    return draft


def _permissions(reading: Reading) -> list[Permission]:
    value, found = reading.body.get("permissions"), []
    if not isinstance(value, list) or len(value) > PERMISSIONS_MOST:
        reading.fault("permissions", f"must be a list of at most {PERMISSIONS_MOST} permissions")
        return []
    for number, one in enumerate(value):
        if not isinstance(one, dict) or one.keys() != _PERMISSION:
            reading.fault("permissions", "must have a resource, an action and a scope", number)
            continue
        try:
            found.append(Permission.parse(":".join(str(one[key]) for key in ("resource", "action", "scope"))))
        except ValueError as error:
            reading.fault("permissions", f"is no permission: {error}", number)
    return found


def _binding(reading: Reading, user: str, ends: str | None) -> BindingDraft:
    same = reading.body.get("expiresAt") == ends
    draft = BindingDraft(
        user=user,
        role=reading.id("roleId", needed=True) or "",
        expires_at=reading.time("expiresAt") if same else _end(reading),
    )
    reading.end()
    return draft


def _end(reading: Reading) -> datetime | None:
    ends = reading.time("expiresAt")
    if ends is not None and ends <= timezone.now():
        reading.fault("expiresAt", "must be in the future")
    return ends


def _email(reading: Reading, key: str) -> str:
    value = reading.text(key, EMAIL_MOST, empty=True) or ""
    try:
        if value:
            validate_email(value)
    except ValidationError:
        reading.fault(key, "must be an e-mail address")
    return value
