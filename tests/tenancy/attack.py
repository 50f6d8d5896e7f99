"""Somebody who wants more than they have: calls of the admin API, one after the other, with every token that
is got on the way; and the measure of what was reached."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from django.http import HttpRequest
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from api.bodies import Malformed
from tenancy.directory import NotListed
from tenancy.guard import needed, permit
from tenancy.models import Binding, Role, Tenant, User
from tenancy.permissions import Action, Permission, Scope
from tenancy.principals import Suspended, Unidentified, principals
from tenancy.refusals import Refused

ADMIN = "/admin/v1"
CLIENT = Client()
# Those with the most to gain and the means to try come more often.
STARTS = ("adam", "adam", "max", "max", "ron", "ron", "alice", "carol", "bob", "iris")
CALLS = ("bind", "bind", "bind", "rebind", "rebind", "reshape", "reshape", "token", "token", "role", "user",
         "unbind", "state", "tenant")  # fmt: skip

# What may matter, rather than every name there is: the people's own resources, one of the inventory, one of
# the platform.
ROLES = Role.objects.exclude(name__in=["Operator", "Viewer", "Auditor"])  # who has them gains nothing here
PERMISSIONS = [
    f"{resource}:{action}:{scope}"
    for resource in ("Role", "Binding", "Token", "User", "ResourcePool", "Tenant", "Source")
    for action in (Action.MANAGE, Action.CREATE, Action.READ)
    for scope in Scope
] + ["Audit:export:tenant", "Audit:read:all", "Audit:manage:all"]


@dataclass(frozen=True)
class Step:
    """One call: who of those in hand makes it, what, and on what, of one's own (`mine`) or of all."""

    actor: int
    what: str
    mine: bool
    one: int
    two: int
    permissions: list[str]
    ends: bool


def plan(dice: Random, least: int, most: int) -> list[Step]:
    """So many steps, at random."""
    return [
        Step(
            actor=dice.randrange(6),
            what=dice.choice(CALLS),
            mine=dice.random() < 0.5,
            one=dice.randrange(21),
            two=dice.randrange(21),
            permissions=dice.choices(PERMISSIONS, k=dice.randrange(4)),
            ends=dice.random() < 0.5,
        )
        for _ in range(dice.randint(least, most))
    ]


@dataclass
class Attack:
    """Somebody, and everything they get hold of: `secrets` by user. `done` is what was not refused."""

    start: User
    secrets: dict[str, str]
    done: list[str] = field(default_factory=list)
    _rows: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limit = self.start.rights
        self.tenant = self.start.tenant_id

    def call(self, actor: int, method: str, path: str, body: Any = None) -> Any:
        """One call by one of those in hand. What is answered, or None where it is refused."""
        name = list(self.secrets)[actor % len(self.secrets)]
        answer = self._answer(name, method, f"{ADMIN}/{path}", body)
        if answer is not None:
            self.done.append(f"{method} {path}")
            self._rows.clear()
            principals.follow()  # as the follower does each second
        return answer

    def _answer(self, name: str, method: str, path: str, body: Any) -> Any:
        """Over HTTP, with the token in hand."""
        headers = {"Authorization": f"Bearer {self.secrets[name]}", "If-Match": "*"}
        data = json.dumps(body) if body is not None else ""
        answer = CLIENT.generic(method, path, data, "application/json", headers=headers)
        assert answer.status_code < 500, (method, path, body)
        return (answer.content and answer.json()) if answer.status_code < 300 else None

    def do(self, step: Step) -> None:
        """One step."""
        getattr(self, f"_{step.what}")(step)

    def _role(self, step: Step) -> None:
        names = {} if step.ends else {"tenantId": self._some_tenant(step)}
        body = {"name": f"role {Role.objects.count()}", "permissions": _parts(step), **names}
        self.call(step.actor, "POST", "roles", body)

    def _reshape(self, step: Step) -> None:
        self.call(step.actor, "PATCH", f"roles/{self._some_role(step).pk}", {"permissions": _parts(step)})

    def _bind(self, step: Step) -> None:
        ids = {"userId": str(self._some_user(step).pk), "roleId": str(self._some_role(step).pk)}
        self.call(step.actor, "POST", "bindings", {**ids, "expiresAt": _end(step)})

    def _rebind(self, step: Step) -> None:
        body = {"roleId": str(self._some_role(step).pk), "expiresAt": _end(step)}
        self.call(step.actor, "PUT", f"bindings/{self._some_binding(step).pk}", body)

    def _unbind(self, step: Step) -> None:
        self.call(step.actor, "DELETE", f"bindings/{self._some_binding(step).pk}")

    def _user(self, step: Step) -> None:
        tenant = self._some_tenant(step)
        body = {"name": f"u{User.objects.count()}@{tenant}"}
        self.call(step.actor, "POST", f"tenants/{tenant}/users", body)

    def _token(self, step: Step) -> None:
        user = self._some_user(step)
        answer = self.call(step.actor, "POST", "tokens", {"userId": str(user.pk)})
        if answer is not None:
            self.secrets[user.username] = answer["secret"]

    def _tenant(self, step: Step) -> None:
        self.call(step.actor, "PATCH", f"tenants/{self._some_tenant(step)}", {"description": "mine"})

    def _state(self, step: Step) -> None:
        user = self._some_user(step)
        body = {"status": "suspended" if step.ends else "active"}
        self.call(step.actor, "PATCH", f"tenants/{user.tenant_id}/users/{user.pk}", body)

    def _some_user(self, step: Step) -> User:
        found: User = self._pick("user", step.mine, step.one)
        return found

    def _some_role(self, step: Step) -> Role:
        found: Role = self._pick("role", step.mine, step.two)
        return found

    def _some_binding(self, step: Step) -> Binding:
        found: Binding = self._pick("binding", step.mine, step.one)
        return found

    def _some_tenant(self, step: Step) -> str:
        return str(self._pick("tenant", step.mine, step.two).pk)

    def _pick(self, what: str, mine: bool, number: int) -> Any:
        """One of the rows, of one's own where there are some and they are wanted."""
        key = f"{what} {mine}"
        if key not in self._rows:
            rows, own, order = _ROWS[what]
            value = self.tenant if what == "tenant" else list(self.secrets)
            self._rows[key] = list(rows.filter(**{own: value}).order_by(*order)) if mine else []
            self._rows[key] = self._rows[key] or list(rows.order_by(*order))
        return self._rows[key][number % len(self._rows[key])]

    def beyond(self) -> list[str]:
        """What those in hand may do that the start could not."""
        return [
            f"{user}: {permission}"
            for user in User.objects.filter(username__in=self.secrets).prefetch_related("bindings__role")
            for permission in user.rights.permissions
            if self.limit.lacks(self._meant(user, permission))
        ]

    def _meant(self, user: User, permission: Permission) -> Iterable[Permission]:
        """The permission as it counts for the start: what is another's own is the tenant's, and what is
        another tenant's is as wide as `all`."""
        if user.pk == self.start.pk or permission.scope in {Scope.ALL, Scope.SHARED}:
            return [permission]
        wide = Scope.TENANT if user.tenant_id == self.tenant else Scope.ALL
        return [Permission(permission.resource, permission.action, wide)]


_ROWS: dict[str, tuple[Any, str, tuple[str, ...]]] = {  # which, those of one's own, and their order
    "user": (User.objects, "username__in", ("username",)),
    "role": (ROLES, "bindings__user__username__in", ("name", "tenant")),
    "binding": (Binding.objects, "user__username__in", ("user__username", "role__name")),
    "tenant": (Tenant.objects, "pk", ("pk",)),
}


class Direct(Attack):
    """The same calls at the views themselves, behind what is before them on HTTP: many more in a second."""

    def _answer(self, name: str, method: str, path: str, body: Any) -> Any:
        match = resolve(path)
        func: Any = match.func
        view = func.cls(**func.initkwargs)
        view.action, view.kwargs = func.actions[method.lower()], match.kwargs
        plain = HttpRequest()
        plain.method, plain.path = method, path
        plain.META = {"HTTP_IF_MATCH": "*", "HTTP_HOST": "testserver"}
        request: Any = Request(plain)
        view.request = request
        request._full_data = body
        wanted = needed(view, view.action)
        assert isinstance(wanted, tuple)
        try:
            caller = plain.principal = principals.of_token(self.secrets[name])  # type: ignore[attr-defined]
            permit(caller, *wanted)
            content = getattr(view, view.action)(request, **match.kwargs).content
        except (Unidentified, Suspended, PermissionDenied, Refused, Malformed, NotListed):
            return None
        return content and json.loads(content)


def _parts(step: Step) -> list[dict[str, str]]:
    names = ("resource", "action", "scope")
    return [dict(zip(names, one.split(":"), strict=True)) for one in step.permissions]


def _end(step: Step) -> str | None:
    return (timezone.now() + timedelta(days=1)).isoformat() if step.ends else None
