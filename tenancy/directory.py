"""A caller's view of tenants, people and roles: the rows that one of the caller's permissions reaches.

What is not in a directory is not there: foreign and unknown are the same.
"""

import uuid
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action, Resource, Scope
from tenancy.principals import Principal
from tenancy.trail import AuditEntry
from tenancy.trust import Certificate, Issuer

Row = TypeVar("Row", bound=Model)


class NotListed(Exception):
    """No such row in this directory."""


class Directory:
    """What `caller` may do `action` with, as far as its permissions of `resource` reach. Holds no row."""

    def __init__(self, caller: Principal, resource: Resource, action: Action) -> None:
        self._caller = caller
        self._scopes = caller.rights.scopes(resource, action)

    def tenants(self, *, own_too: bool = False) -> QuerySet[Tenant]:
        """Tenants that are reached as a whole; with `own_too`, also the one in which the caller reaches only
        what is the caller's own."""
        if Scope.ALL in self._scopes:
            return Tenant.objects.all()
        reached = Scope.TENANT in self._scopes or (own_too and Scope.OWN in self._scopes)
        return Tenant.objects.filter(pk=self._caller.tenant) if reached else Tenant.objects.none()

    def users(self) -> QuerySet[User]:
        """Users, with what is shown of them."""
        rows = User.objects.filter(self._reached("tenant", "pk"))
        return rows.prefetch_related("bindings__role", "tokens")

    def roles(self) -> QuerySet[Role]:
        """Roles: for a tenant its own, and the built-in ones that its people can have."""
        mine = Q(tenant=None, system=False) | Q(tenant=self._caller.tenant)
        if Scope.ALL in self._scopes:
            return Role.objects.all()
        return Role.objects.filter(mine) if Scope.TENANT in self._scopes else Role.objects.none()

    def bindings(self) -> QuerySet[Binding]:
        """Bindings, with user and role."""
        return Binding.objects.filter(self._reached("user__tenant", "user")).select_related("user", "role")

    def tokens(self) -> QuerySet[Token]:
        """Tokens, with their user."""
        return Token.objects.filter(self._reached("user__tenant", "user")).select_related("user")

    def issuers(self) -> QuerySet[Issuer]:
        """CAs of tenants that are reached as a whole."""
        if Scope.ALL in self._scopes:
            return Issuer.objects.all()
        mine = Scope.TENANT in self._scopes and self._caller.tenant is not None
        return Issuer.objects.filter(tenant=self._caller.tenant) if mine else Issuer.objects.none()

    def certificates(self) -> QuerySet[Certificate]:
        """Client certificates, with their user."""
        rows = Certificate.objects.filter(self._reached("user__tenant", "user"))
        return rows.select_related("user")

    def audit(self) -> QuerySet[AuditEntry]:
        """Entries of the audit trail."""
        if Scope.ALL in self._scopes:
            return AuditEntry.objects.all()
        if Scope.TENANT in self._scopes and self._caller.tenant is not None:
            return AuditEntry.objects.filter(tenant=self._caller.tenant)
        return AuditEntry.objects.none()

    def _reached(self, tenant: str, user: str) -> Q:
        if Scope.ALL in self._scopes:
            return Q()
        found = Q(pk__in=[])
        if Scope.TENANT in self._scopes and self._caller.tenant is not None:
            found |= Q(**{tenant: self._caller.tenant})
        if Scope.OWN in self._scopes:
            found |= Q(**{user: self._caller.user_id})
        return found


def one_of(rows: QuerySet[Row], id_: str) -> Row:
    """The row with this id. Raises `NotListed`, also where `id_` cannot be one."""
    try:
        key = id_ if rows.model is Tenant else uuid.UUID(id_)
    except ValueError as error:
        raise NotListed from error
    row = rows.filter(pk=key).first() if "\0" not in id_ else None
    if row is None:
        raise NotListed
    return row
