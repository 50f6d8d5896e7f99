"""Permissions, rights and the table of roles: what contains what, and that the table is the one agreed on."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.permissions import Action, Grant, Permission, Resource, Rights, Scope, rights_at
from tenancy.roles import BUILT_IN, CEILING, OF_TENANTS, SYSTEM

NOW = datetime(2026, 11, 26, tzinfo=UTC)

AGREED = """
Tenant                                  | M all | M all | R all   | R t      | R t      | R t      | R t
User, Binding, Token, Certificate       | M all | M all | R all   | M t      | M t      | own R    | own R
Role                                    | M all | M all | R all   | M t      | R t      | R t      | R t
Quota                                   | M all | M all | R all   | R t      | R t      | R t      | R t
Audit                                   | R all | -     | R E all | R E t    | R t      | -        | -
Source                                  | R all | -     | R all   | -        | -        | -        | -
DeploymentManager, ResourceType         | R all | R all | R all   | R t+s    | R t+s    | R t+s    | R t+s
Credential                              | R all | -     | -       | R t      | R t      | -        | -
ResourcePool, Resource                  | M all | R all | R all   | M t, R s | M t, R s | M t, R s | R t+s
Subscription, Delivery                  | M all | R all | R all   | M t      | M t      | M t      | R t
Alarm                                   | M all | R all | R all   | M t, R s | M t, R s | M t, R s | R t+s
ProvisioningRequest, Package, Deployment| M all | -     | R all   | M t      | M t      | M t      | R t
"""
LETTERS = {"M": [Action.MANAGE], "R": [Action.READ, Action.LIST], "E": [Action.EXPORT]}
SCOPES = {"own": Scope.OWN, "t": Scope.TENANT, "s": Scope.SHARED, "all": Scope.ALL}

permissions = st.builds(
    Permission,
    st.sampled_from(Resource),
    st.sampled_from([action for action in Action if action is not Action.EXPORT]),
    st.sampled_from(Scope),
) | st.builds(Permission, st.just(Resource.AUDIT), st.just(Action.EXPORT), st.sampled_from(Scope))
rights = st.builds(Rights, st.frozensets(permissions, max_size=8))


def cell(resource: str, text: str) -> set[Permission]:
    found = set()
    for part in text.replace("own R", "R own").split(","):
        *letters, scopes = part.split() if "-" not in part else ["-"]
        for letter, scope in product(letters, scopes.split("+")):
            found |= {Permission(Resource(resource), action, SCOPES[scope]) for action in LETTERS[letter]}
    return found


def test_the_table_is_the_agreed_one() -> None:
    expected: dict[str, set[Permission]] = {name: set() for name in (*SYSTEM, *OF_TENANTS)}
    for line in AGREED.strip().splitlines():
        resources, *cells = (part.strip() for part in line.split("|"))
        for name, text in zip(expected, cells, strict=True):
            for resource in resources.split(", "):
                expected[name] |= cell(resource, text)
    assert {name: set(one.permissions) for name, one in BUILT_IN.items()} == expected
    assert {p.resource for one in BUILT_IN.values() for p in one.permissions} == set(Resource)


def test_manage_is_every_action_and_exports_only_the_audit() -> None:
    pools = Rights([Permission.parse("ResourcePool:manage:tenant")])
    assert all(pools.scopes(Resource.RESOURCE_POOL, action) for action in Action if action != "export")
    assert not pools.scopes(Resource.RESOURCE_POOL, Action.EXPORT)
    assert Rights([Permission.parse("Audit:manage:all")]).scopes(Resource.AUDIT, Action.EXPORT)
    with pytest.raises(ValueError, match="cannot be exported"):
        Permission.parse("Tenant:export:all")


@pytest.mark.parametrize(
    "text", ["", "Tenant", "Tenant:read", "Tenant:read:all:x", "tenant:read:all", "Tenant:own:all"]
)
def test_what_is_no_permission_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|is not a valid|values"):
        Permission.parse(text)


@pytest.mark.parametrize(
    ("held", "given_", "covered"),
    [
        ("Token:manage:all", "Token:create:tenant", True),
        ("Token:manage:tenant", "Token:read:own", True),
        ("Token:manage:tenant", "Token:read:all", False),
        ("Token:manage:tenant", "Token:read:shared", False),
        ("ResourcePool:read:shared", "ResourcePool:read:tenant", False),
        ("Token:create:all", "Token:manage:own", False),
        ("Token:manage:all", "Binding:read:own", False),
        ("Audit:read:tenant", "Audit:export:tenant", True),
        ("Audit:read:tenant", "Audit:export:all", False),
        ("Audit:export:all", "Audit:read:own", False),
    ],
)
def test_what_covers_what(held: str, given_: str, *, covered: bool) -> None:
    assert Rights([Permission.parse(held)]).cover([Permission.parse(given_)]) is covered


@given(rights, rights, rights)
def test_covering_is_an_order(one: Rights, two: Rights, three: Rights) -> None:
    assert one.cover(one.permissions)
    if one.cover(two.permissions) and two.cover(three.permissions):
        assert one.cover(three.permissions)
    both = Rights(one.permissions | two.permissions)
    assert both.cover(one.permissions)
    assert both.cover(two.permissions)


@given(rights, permissions)
def test_what_is_covered_allows_nothing_new(held: Rights, wanted: Permission) -> None:
    """The rule of granting and the check of a request agree; an export is a way of reading."""
    if held.cover([wanted]):
        for part in wanted.parts():
            asked = Action.READ if part.action is Action.EXPORT else part.action
            assert part.scope in held.scopes(part.resource, asked) | held.scopes(part.resource, part.action)
    else:
        assert held.lacks([wanted]) == [wanted]
        assert any(part.scope not in held.scopes(part.resource, part.action) for part in wanted.parts())


def test_an_owner_may_make_every_tenant_role_and_an_admin_no_owner() -> None:
    owner, admin = Rights(BUILT_IN["Owner"].permissions), Rights(BUILT_IN["Admin"].permissions)
    assert all(owner.cover(BUILT_IN[name].permissions) for name in OF_TENANTS)
    assert [name for name in OF_TENANTS if admin.cover(BUILT_IN[name].permissions)] == [
        "Admin",
        "Operator",
        "Viewer",
    ]


def test_a_platform_admin_may_make_everybody_and_nobody_else_makes_a_system_role() -> None:
    held = {name: Rights(one.permissions) for name, one in BUILT_IN.items()}
    assert all(held["PlatformAdmin"].cover(one.permissions) for one in BUILT_IN.values())
    for name in ("TenantAdmin", *OF_TENANTS):
        for system in ("PlatformAdmin", "Auditor"):
            assert not held[name].cover(BUILT_IN[system].permissions)
        assert held[name].cover(BUILT_IN["TenantAdmin"].permissions) == (name == "TenantAdmin")


def test_no_role_of_a_tenant_reaches_beyond_it() -> None:
    assert CEILING.lacks([Permission.parse("Source:read:tenant"), Permission.parse("Tenant:update:tenant")])
    for one in map(BUILT_IN.__getitem__, OF_TENANTS):
        assert all(permission.scope is not Scope.ALL for permission in one.permissions)
        assert all(p.action in {"read", "list"} for p in one.permissions if p.scope is Scope.SHARED)


def test_a_grant_gives_nothing_from_the_moment_it_ends() -> None:
    ends = NOW + timedelta(hours=1)
    grants = (
        Grant("Viewer", BUILT_IN["Viewer"].permissions, None),
        Grant("Owner", BUILT_IN["Owner"].permissions, ends),
    )
    before = rights_at(grants, ends - timedelta(microseconds=1))
    assert before.cover(BUILT_IN["Owner"].permissions)
    assert rights_at(grants, ends) == Rights(BUILT_IN["Viewer"].permissions)
    assert rights_at(grants[1:], ends) == Rights()
