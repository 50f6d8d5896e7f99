"""T16: whatever somebody does with the admin API, in whatever order, and with every token got on the way:
they never come to hold more than they began with."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action, Permission, Resource, Rights, Scope
from tenancy.principals import principals
from tenancy.roles import BUILT_IN
from tests.world import Cast, custom

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


steps = st.builds(
    Step,
    actor=st.integers(0, 5),
    what=st.sampled_from(CALLS),
    mine=st.booleans(),
    one=st.integers(0, 20),
    two=st.integers(0, 20),
    permissions=st.lists(st.sampled_from(PERMISSIONS), max_size=3),
    ends=st.booleans(),
)


@dataclass
class Attack:
    """Somebody, and everything they get hold of: `secrets` by user."""

    start: User
    secrets: dict[str, str]
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limit = self.start.rights
        self.tenant = self.start.tenant_id

    def call(self, actor: int, method: str, path: str, body: Any = None) -> Any:
        secret = list(self.secrets.values())[actor % len(self.secrets)]
        headers = {"Authorization": f"Bearer {secret}", "If-Match": "*"}
        data = json.dumps(body) if body is not None else ""
        answer = CLIENT.generic(method, f"{ADMIN}/{path}", data, "application/json", headers=headers)
        assert answer.status_code < 500, (method, path, body)
        if answer.status_code < 300:
            self.done.append(f"{method} {path}")
        principals.follow()  # as the follower does each second
        return answer

    def do(self, step: Step) -> None:
        user = pick(User.objects.order_by("username"), step.one, step.mine, username__in=self.secrets)
        role = pick(
            ROLES.order_by("name", "tenant"), step.two, step.mine, bindings__user__username__in=self.secrets
        )
        bindings = Binding.objects.order_by("user__username", "role__name")
        binding = pick(bindings, step.one, step.mine, user__username__in=self.secrets)
        ends = (timezone.now() + timedelta(days=1)).isoformat() if step.ends else None
        parts = [
            dict(zip(("resource", "action", "scope"), one.split(":"), strict=True))
            for one in step.permissions
        ]
        tenant = pick(Tenant.objects.order_by("pk"), step.two, step.mine, pk=self.tenant).pk
        if step.what == "role":
            names = {} if step.ends else {"tenantId": tenant}
            body = {"name": f"role {Role.objects.count()}", "permissions": parts, **names}
            self.call(step.actor, "POST", "roles", body)
        elif step.what == "reshape":
            self.call(step.actor, "PATCH", f"roles/{role.pk}", {"permissions": parts})
        elif step.what == "bind":
            body = {"userId": str(user.pk), "roleId": str(role.pk), "expiresAt": ends}
            self.call(step.actor, "POST", "bindings", body)
        elif step.what == "rebind":
            body = {"roleId": str(role.pk), "expiresAt": ends}
            self.call(step.actor, "PUT", f"bindings/{binding.pk}", body)
        elif step.what == "unbind":
            self.call(step.actor, "DELETE", f"bindings/{binding.pk}")
        elif step.what == "user":
            body = {"name": f"u{User.objects.count()}@{tenant}"}
            self.call(step.actor, "POST", f"tenants/{tenant}/users", body)
        elif step.what == "token":
            answer = self.call(step.actor, "POST", "tokens", {"userId": str(user.pk)})
            if answer.status_code == 201:
                self.secrets[user.username] = answer.json()["secret"]
        elif step.what == "tenant":
            self.call(step.actor, "PATCH", f"tenants/{tenant}", {"description": "mine"})
        elif step.what == "state":
            where = f"tenants/{user.tenant_id}/users/{user.pk}"
            self.call(step.actor, "PATCH", where, {"status": "suspended" if step.ends else "active"})

    def beyond(self) -> list[str]:
        """What those in hand may do that the start could not."""
        return [
            f"{user}: {permission}"
            for user in User.objects.filter(username__in=self.secrets)
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


def pick(rows: Any, number: int, mine: bool, **own: Any) -> Any:
    """One of the rows, of one's own where there are some and they are wanted."""
    found = (list(rows.filter(**own)) if mine else []) or list(rows)
    return found[number % len(found)]


@pytest.fixture
def crowd(cast: Cast) -> Cast:
    """All kinds of people; Max makes roles, Ron gives them to others."""
    cast.join("adam", "acme", "Admin")
    cast.join("olga", "acme", "Operator")
    cast.join("carol", None, "TenantAdmin")
    cast.join("max", "acme", custom("acme", "Maker", "Role:manage:tenant", "Binding:manage:tenant"))
    cast.join(
        "ron",
        "acme",
        custom("acme", "Giver", "Binding:manage:own", "Token:manage:tenant", "Role:manage:tenant"),
    )
    custom("globex", "Theirs", "ResourcePool:manage:tenant")
    return cast


def attempt(cast: Cast, name: str, plan: list[Step]) -> Attack:
    """Carries a plan out, in a transaction that is undone; what was reached."""
    principals.__init__()  # type: ignore[misc]
    with transaction.atomic():
        attack = Attack(
            User.objects.get(pk=cast.users[name].pk), {cast.users[name].username: cast.tokens[name]}
        )
        for step in plan:
            attack.do(step)
            assert attack.beyond() == [], (name, attack.done, plan)
        for built_in in Role.objects.filter(tenant=None):
            assert built_in.grants == BUILT_IN[built_in.name].permissions
        for tenant in ("acme", "globex"):
            assert Binding.objects.filter(role__name="Owner", user__tenant=tenant, expires_at=None).exists()
        transaction.set_rollback(True)
    return attack


@settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(name=st.sampled_from(STARTS), plan=st.lists(steps, min_size=6, max_size=12))
def test_no_sequence_of_calls_widens_what_one_holds(crowd: Cast, name: str, plan: list[Step]) -> None:
    attempt(crowd, name, plan)


def test_the_calls_do_get_somewhere(crowd: Cast) -> None:
    """So that the test above is about something: what an Owner does with them works."""
    plan = [
        Step(0, what, False, one, 0, ["ResourcePool:manage:tenant"], False)
        for what in ("role", "user", "token", "state", "unbind")
        for one in range(9)
    ]
    done = {line.split("/")[0] for line in attempt(crowd, "alice", plan).done}
    assert done >= {"POST roles", "POST tenants", "POST tokens", "PATCH tenants", "DELETE bindings"}


def test_a_token_in_hand_counts_as_ones_own(crowd: Cast) -> None:
    """The measure itself: an attack that had the Owner's token would be seen."""
    adam = User.objects.get(username="adam@acme")
    attack = Attack(adam, {"adam@acme": "", "alice@acme": ""})
    assert any(line.startswith("alice@acme: Role:manage") for line in attack.beyond())
    assert Attack(adam, {"adam@acme": "", "bob@acme": ""}).beyond() == []
    assert Attack(adam, {"charlie@globex": ""}).beyond() != []
    assert Rights().lacks([Permission(Resource.USER, Action.READ, Scope.OWN)])
    assert Token.objects.exists()
