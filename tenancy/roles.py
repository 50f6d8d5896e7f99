"""The roles that every gateway has: the table of who may do what. Pure but for `install`, which a migration
calls: they are rows like the tenants' own roles, and nobody changes them.

System roles are for the platform's people, tenant roles for a tenant's. What Owner holds is the most that any
role of a tenant can.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenancy.permissions import Action, Permission, Resource, Rights, Scope

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "netweave roles")

Cell = frozenset[tuple[Action, Scope]]


def _manage(scope: Scope) -> Cell:
    return frozenset({(Action.MANAGE, scope)})


def _read(*scopes: Scope) -> Cell:
    return frozenset((action, scope) for scope in scopes for action in (Action.READ, Action.LIST))


_T, _ALL = Scope.TENANT, Scope.ALL
_NONE: Cell = frozenset()
_MA, _RA, _MT, _RT = _manage(_ALL), _read(_ALL), _manage(_T), _read(_T)
_MT_RS = _MT | _read(Scope.SHARED)
_RTS = _read(_T, Scope.SHARED)
_OWN = _read(Scope.OWN)
_EXPORT_ALL, _EXPORT_T = frozenset({(Action.EXPORT, _ALL)}), frozenset({(Action.EXPORT, _T)})
_Res = Resource

SYSTEM = ("PlatformAdmin", "TenantAdmin", "Auditor")
OF_TENANTS = ("Owner", "Admin", "Operator", "Viewer")
OWNER = "Owner"
#: One row: resources, then a cell for each of `SYSTEM` and `OF_TENANTS`.
TABLE: tuple[tuple[tuple[Resource, ...], tuple[Cell, ...]], ...] = (
    ((_Res.TENANT,), (_MA, _MA, _RA, _RT, _RT, _RT, _RT)),
    (
        (_Res.USER, _Res.BINDING, _Res.TOKEN, _Res.CERTIFICATE),
        (_MA, _MA, _RA, _MT, _MT, _OWN, _OWN),
    ),
    ((_Res.ROLE,), (_MA, _MA, _RA, _MT, _RT, _RT, _RT)),
    ((_Res.QUOTA,), (_MA, _MA, _RA, _RT, _RT, _RT, _RT)),
    ((_Res.AUDIT,), (_RA, _NONE, _RA | _EXPORT_ALL, _RT | _EXPORT_T, _RT, _NONE, _NONE)),
    ((_Res.SOURCE,), (_RA, _NONE, _RA, _NONE, _NONE, _NONE, _NONE)),
    ((_Res.DEPLOYMENT_MANAGER, _Res.RESOURCE_TYPE), (_RA, _RA, _RA, _RTS, _RTS, _RTS, _RTS)),
    ((_Res.CREDENTIAL,), (_RA, _NONE, _NONE, _RT, _RT, _NONE, _NONE)),
    ((_Res.RESOURCE_POOL, _Res.RESOURCE), (_MA, _RA, _RA, _MT_RS, _MT_RS, _MT_RS, _RTS)),
    ((_Res.SUBSCRIPTION, _Res.DELIVERY), (_MA, _RA, _RA, _MT, _MT, _MT, _RT)),
    ((_Res.ALARM,), (_MA, _RA, _RA, _MT_RS, _MT_RS, _MT_RS, _RTS)),
    (
        (_Res.PROVISIONING_REQUEST, _Res.PACKAGE, _Res.DEPLOYMENT),
        (_MA, _NONE, _RA, _MT, _MT, _MT, _RT),
    ),
)
_FOR = {
    "PlatformAdmin": "Runs the platform: everything, in every tenant.",
    "TenantAdmin": "Makes, suspends and removes tenants and their people.",
    "Auditor": "Reads everything, in every tenant, and changes nothing.",
    "Owner": "Answers for a tenant: its people and roles, and all that is its own.",
    "Admin": "Manages a tenant's people, and all that is its own.",
    "Operator": "Works with a tenant's resources, subscriptions and deployments.",
    "Viewer": "Looks at what a tenant has and what is shared with it.",
}


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A role that every gateway has. Its id is the same everywhere; `system`: for the platform's people."""

    name: str
    system: bool
    permissions: frozenset[Permission]

    @property
    def id(self) -> uuid.UUID:
        """The id of its row."""
        return uuid.uuid5(_IDS, self.name)

    @property
    def description(self) -> str:
        """What it is for."""
        return _FOR[self.name]


def _column(number: int) -> Iterable[Permission]:
    for resources, cells in TABLE:
        for resource in resources:
            yield from (Permission(resource, action, scope) for action, scope in cells[number])


BUILT_IN = {
    name: BuiltIn(name, name in SYSTEM, frozenset(_column(number)))
    for number, name in enumerate(SYSTEM + OF_TENANTS)
}
#: The most that a role of a tenant can hold: anything beyond it is the platform's.
CEILING = Rights(BUILT_IN[OWNER].permissions)


def install(role: Any, using: str) -> None:
    """Writes the built-in roles into the table of the model `role`, as the owner of the database."""
    facts = ["name", "description", "system", "permissions"]
    rows = [
        role(
            id=one.id,
            name=one.name,
            description=one.description,
            system=one.system,
            permissions=sorted(map(str, one.permissions)),
        )
        for one in BUILT_IN.values()
    ]
    role.objects.using(using).bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=facts
    )


def as_markdown() -> str:
    """The table for docs/rbac-multitenancy.md."""
    names = (*SYSTEM, *OF_TENANTS)
    lines = [f"| Resource | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for resources, cells in TABLE:
        lines.append(f"| {', '.join(resources)} | {' | '.join(map(_words, cells))} |")
    return "\n".join(lines) + "\n"


def _words(cell: Cell) -> str:
    found = []
    for letter, action in (("M", Action.MANAGE), ("R", Action.READ), ("export", Action.EXPORT)):
        scopes = [
            scope for scope in (Scope.ALL, Scope.TENANT, Scope.SHARED, Scope.OWN) if (action, scope) in cell
        ]
        if scopes:
            found.append(f"{letter} {'+'.join(scopes)}")
    return ", ".join(found) or "-"
