"""What happened to a tenant, a person, a role, ... as an entry of the audit trail: its wire before and after,
which has no secret in it."""

from typing import Any

from django.db.models import Model

from tenancy.audit import Deed, Entry
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action
from tenancy.quotas import Quota
from tenancy.representation import BINDING, CERTIFICATE, ISSUER, QUOTA, ROLE, TENANT, TOKEN, USER, Noun, Wire
from tenancy.trust import Certificate, Issuer

NOUNS: dict[type[Model], Noun] = {
    Tenant: TENANT,
    User: USER,
    Role: ROLE,
    Binding: BINDING,
    Token: TOKEN,
    Issuer: ISSUER,
    Quota: QUOTA,
    Certificate: CERTIFICATE,
}


def wire(row: Model) -> Wire:
    """The row as it is stored now, on the wire."""
    return NOUNS[type(row)].wire(type(row)._default_manager.get(pk=row.pk))


def commanded(command: str, action: Action, row: Model, *, before: Wire | None = None) -> None:
    """Has the trail tell what somebody at a shell did to `row`, in the transaction of that."""
    deed = Deed.of_command(command)
    there = type(row)._default_manager.filter(pk=row.pk).exists()  # what was revoked stays to be seen
    deed.tell(told(deed, action, row, before=before, after=wire(row) if there else None))


def told(
    deed: Deed,
    action: Action | str,
    row: Model,
    *,
    before: Wire | None = None,
    after: Wire | None = None,
    status: int | None = None,
    reason: str = "",
) -> Entry:
    """That `row` was made (`after`), changed (both) or removed (`before`)."""
    shown: dict[str, Any] = after or before or {}
    return deed.entry(
        action,
        type(row).resource,  # type: ignore[attr-defined]
        shown[next(iter(shown))],  # a row that was removed has no key any more
        status=status,
        label=shown.get("name") or str(row),
        tenant=shown.get("tenantId") or "",
        before=before,
        after=after,
        reason=reason,
    )
