"""What can be allowed: a permission is a resource, an action and a scope. Pure: knows no row and no request.

    scope    all ─┬─► tenant ─► own     what a wider scope contains
                  └─► shared
    action   manage ─► create, read, update, delete, list (and export, where there is one)

Rights are what somebody holds. They answer two questions: in which scopes may something be done, and do they
cover what is to be given to somebody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class Resource(StrEnum):
    """What there is to be allowed."""

    TENANT = "Tenant"
    USER = "User"
    ROLE = "Role"
    BINDING = "Binding"
    TOKEN = "Token"  # noqa: S105 - a name
    CERTIFICATE = "Certificate"
    QUOTA = "Quota"
    AUDIT = "Audit"
    SOURCE = "Source"
    DEPLOYMENT_MANAGER = "DeploymentManager"
    CREDENTIAL = "Credential"
    RESOURCE_POOL = "ResourcePool"
    RESOURCE = "Resource"
    RESOURCE_TYPE = "ResourceType"
    SUBSCRIPTION = "Subscription"
    DELIVERY = "Delivery"
    ALARM = "Alarm"
    PROVISIONING_REQUEST = "ProvisioningRequest"
    PACKAGE = "Package"
    DEPLOYMENT = "Deployment"


class Action(StrEnum):
    """What can be done with it. `read` is one object, `list` all of them; only the audit is exported."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    MANAGE = "manage"
    EXPORT = "export"


class Scope(StrEnum):
    """Whose: one's own (one's user, tokens, bindings), one's tenant's, what the platform shares with every
    tenant, or everybody's."""

    OWN = "own"
    TENANT = "tenant"
    SHARED = "shared"
    ALL = "all"


_CONTAINS = {
    Scope.OWN: (Scope.OWN,),
    Scope.TENANT: (Scope.TENANT, Scope.OWN),
    Scope.SHARED: (Scope.SHARED,),
    Scope.ALL: tuple(Scope),
}


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One thing that is allowed; as text `ResourcePool:manage:tenant`."""

    resource: Resource
    action: Action
    scope: Scope

    def __post_init__(self) -> None:
        if self.action is Action.EXPORT and self.resource is not Resource.AUDIT:
            raise ValueError(f"{self.resource} cannot be exported, only {Resource.AUDIT} can")

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}:{self.scope}"

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """The permission that `text` names. Raises `ValueError`."""
        resource, action, scope = text.split(":")
        return cls(Resource(resource), Action(action), Scope(scope))

    def parts(self) -> "Iterable[Permission]":
        """Everything that this one allows, itself included."""
        actions = [self.action]
        if self.action is Action.MANAGE:
            actions = [a for a in Action if a is not Action.EXPORT or self.resource is Resource.AUDIT]
        return (Permission(self.resource, a, s) for a in actions for s in _CONTAINS[self.scope])


class Rights:
    """What somebody holds. Immutable; the same permissions are the same rights."""

    def __init__(self, permissions: Iterable[Permission] = ()) -> None:
        self.permissions = frozenset(permissions)
        self._parts = _parts(self.permissions)
        found: dict[tuple[str, str], set[Scope]] = {}
        for part in self._parts:
            found.setdefault((part.resource, part.action), set()).add(part.scope)
        self._scopes = {key: frozenset(scopes) for key, scopes in found.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rights) and self.permissions == other.permissions

    def __hash__(self) -> int:
        return hash(self.permissions)

    def scopes(self, resource: Resource, action: Action) -> frozenset[Scope]:
        """Where `action` may be done with `resource`; empty: nowhere."""
        return self._scopes.get((resource, action), frozenset())

    def cover(self, wanted: Iterable[Permission]) -> bool:
        """Whether nothing of `wanted` goes beyond these rights: what somebody may give to others."""
        return not self.lacks(wanted)

    def lacks(self, wanted: Iterable[Permission]) -> list[Permission]:
        """What of `wanted` goes beyond these rights. An export shows nothing that reading does not: who may
        read the audit may let others export it."""
        return sorted(
            one
            for one in wanted
            if any(
                part not in self._parts
                and (part.action is not Action.EXPORT or _read(part) not in self._parts)
                for part in one.parts()
            )
        )

    def to_others(self) -> frozenset[Permission]:
        """What these rights are worth to somebody else who gets to use them: what is the holder's own is, to
        another, the tenant's."""
        return frozenset(
            Permission(one.resource, one.action, Scope.TENANT) if one.scope is Scope.OWN else one
            for one in self.permissions
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that was given to somebody: its name, what it allows, and when it ends (None: never)."""

    role: str
    permissions: frozenset[Permission]
    expires_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it still gives anything."""
        return self.expires_at is None or self.expires_at > now


@lru_cache(maxsize=1024)
def rights_of(texts: frozenset[str]) -> Rights:
    """The rights that permissions written as text make; made once for all who hold the same. Raises
    `ValueError`."""
    return Rights(map(Permission.parse, texts))


def rights_at(grants: Iterable[Grant], now: datetime) -> Rights:
    """What `grants` allow at a time."""
    return _joined(frozenset(grant.permissions for grant in grants if grant.holds(now)))


@lru_cache(maxsize=1024)
def _joined(sets: frozenset[frozenset[Permission]]) -> Rights:
    return Rights(permission for one in sets for permission in one)


def _parts(permissions: Iterable[Permission]) -> frozenset[Permission]:
    return frozenset(part for one in permissions for part in one.parts())


def _read(part: Permission) -> Permission:
    return Permission(part.resource, Action.READ, part.scope)
