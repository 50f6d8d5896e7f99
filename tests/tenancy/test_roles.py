"""Roles and bindings as rows: what the database and the models refuse, whoever asks."""

import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, connections, transaction
from django.utils import timezone

from tenancy.models import Binding, Role, Tenant, User
from tenancy.permissions import Action, Resource, Rights, Scope
from tenancy.refusals import BuiltInRole, InUse, LastOwner, Taken, Unfit
from tenancy.revocations import Revocation
from tenancy.roles import BUILT_IN
from tests.world import Cast, custom, people

POOLS = "ResourcePool:read:tenant"


def binding(cast: Cast, name: str) -> Binding:
    return cast.users[name].bindings.get()


def test_the_rows_are_the_table(cast: Cast) -> None:
    found = {role.name: role for role in Role.objects.all()}
    assert set(found) == set(BUILT_IN)
    for name, role in found.items():
        assert (role.pk, role.system, role.tenant) == (BUILT_IN[name].id, BUILT_IN[name].system, None)
        assert role.grants == BUILT_IN[name].permissions


def test_no_built_in_role_changes_by_a_model_or_by_sql(cast: Cast) -> None:
    viewer = Role.built_in("Viewer")
    viewer.permissions = ["User:manage:all"]
    for change in (viewer.save, viewer.delete):
        with pytest.raises(BuiltInRole):
            change()
    viewer.tenant_id = "acme"
    with pytest.raises(BuiltInRole):
        viewer.save()
    assert Role.objects.filter(name="Viewer").update(permissions=[]) == 0
    Binding.objects.filter(role__name="Auditor").delete()
    assert Role.objects.filter(name="Auditor").delete()[0] == 0
    assert Role.built_in("Viewer").grants == BUILT_IN["Viewer"].permissions
    for forged in ({"name": "Root", "system": True}, {"name": "Root", "tenant_id": None}):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Role.objects.bulk_create([Role(**forged)])
    with pytest.raises(IntegrityError, match="system_roles_are_no_tenants"), transaction.atomic():
        Role.objects.bulk_create([Role(name="Root", system=True, tenant_id="acme")])


@pytest.mark.parametrize(
    ("permission", "why"),
    [
        ("Tenant:read:all", "nothing that a tenant's role can hold"),
        ("ResourcePool:manage:all", "nothing that a tenant's role can hold"),
        ("ResourcePool:update:shared", "nothing that a tenant's role can hold"),
        ("Tenant:manage:tenant", "nothing that a tenant's role can hold"),
        ("Source:read:tenant", "nothing that a tenant's role can hold"),
        ("Everything:manage:tenant", "not a valid Resource"),
        ("Tenant", "not enough values"),
    ],
)
def test_a_tenants_role_holds_no_permission_of_the_platform(cast: Cast, permission: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        custom("acme", "More", "ResourcePool:read:tenant", permission)
    assert not Role.objects.filter(tenant="acme").exists()


@pytest.mark.parametrize("name", ["Owner", "owner", " Owner ", "PLATFORMADMIN"])
def test_a_tenants_role_is_not_called_like_a_built_in_one(cast: Cast, name: str) -> None:
    with pytest.raises(Unfit, match="built-in"):
        custom("acme", name, POOLS)


def test_a_role_has_one_name_in_a_tenant_stays_in_it_and_goes_when_nobody_has_it(cast: Cast) -> None:
    role = custom("acme", "Night shift", POOLS)
    custom("globex", "Night shift", POOLS)
    with pytest.raises(Taken):
        custom("acme", "Night shift", POOLS)
    role.tenant_id = "globex"
    with pytest.raises(Unfit, match="tenant"):
        role.save()
    role.tenant_id = "acme"
    held = Binding(user=cast.users["bob"], role=role)
    held.save()
    with pytest.raises(InUse, match="1 person has"):
        role.delete()
    held.delete()
    role.delete()


def test_every_role_is_for_its_own_kind_of_people(cast: Cast) -> None:
    role = custom("globex", "Night shift", POOLS)
    for name, unfit in (
        ("alice", [Role.built_in("Auditor"), Role.built_in("PlatformAdmin"), role]),
        ("root", [Role.built_in("Owner"), Role.built_in("Viewer"), role]),
    ):
        for one in unfit:
            with pytest.raises(Unfit, match="no role for"):
                Binding(user=cast.users[name], role=one).save()
    with pytest.raises(Taken):
        Binding(user=cast.users["alice"], role=Role.built_in("Owner")).save()
    moved = binding(cast, "bob")
    moved.user = cast.users["alice"]
    with pytest.raises(Unfit, match="user"):
        moved.save()


def test_a_user_stays_in_the_tenant_that_roles_were_given_for(cast: Cast) -> None:
    alice = cast.users["alice"]
    for other in ("globex", None):
        alice.tenant_id = other
        with pytest.raises(Unfit, match="tenant"):
            alice.save()


def test_the_last_owner_cannot_be_removed_in_any_way(cast: Cast) -> None:
    cast.join("erin", "acme", "Owner")
    erins, alices = binding(cast, "erin"), binding(cast, "alice")
    erins.expires_at = timezone.now() + timedelta(days=1)
    erins.save()  # from now on Alice is the only one who stays
    alices.expires_at = timezone.now() + timedelta(days=365)
    with pytest.raises(LastOwner, match="acme"):
        alices.save()
    alices.expires_at, alices.role = None, Role.built_in("Admin")
    with pytest.raises(LastOwner):
        alices.save()
    with pytest.raises(LastOwner):
        binding(cast, "alice").delete()
    alice = cast.users["alice"]
    alice.is_active = False
    with pytest.raises(LastOwner):
        alice.save()
    with pytest.raises(LastOwner):
        User.objects.get(username="alice@acme").delete()
    erins.expires_at = None
    erins.save()
    User.objects.get(username="alice@acme").delete()
    with pytest.raises(LastOwner):
        cast.users["erin"].delete()
    assert Binding.objects.filter(user__tenant="acme", role__name="Owner").count() == 1


def test_a_suspended_owner_does_not_count(cast: Cast) -> None:
    erin = cast.join("erin", "acme", "Owner")
    erin.is_active = False
    erin.save()
    with pytest.raises(LastOwner):
        binding(cast, "alice").delete()


def test_a_tenant_without_an_owner_loses_none(cast: Cast) -> None:
    Tenant.objects.create(id="initech", name="Initech")
    cast.join("peter", "initech", "Viewer").delete()


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_of_two_owners_who_remove_each_other_at_once_one_stays() -> None:
    cast = people()
    cast.join("erin", "acme", "Owner")
    refused: list[LastOwner] = []
    together = threading.Barrier(2)

    def remove(name: str) -> None:
        row = Binding.objects.get(user=cast.users[name])
        together.wait(10)
        try:
            row.delete()
        except LastOwner as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=remove, args=[name]) for name in ("alice", "erin")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1
    assert Binding.objects.filter(role__name="Owner", user__tenant="acme").count() == 1


def test_every_change_is_noted_in_the_revocation_log(cast: Cast) -> None:
    role = custom("acme", "Night shift", POOLS)
    held = Binding(user=cast.users["bob"], role=role)
    for row, change in (
        (held, held.save), (role, role.save), (held, held.delete), (role, role.delete),
    ):  # fmt: skip
        before, key = Revocation.objects.count(), row.pk
        change()
        assert Revocation.objects.count() == before + 1
        assert Revocation.objects.latest("id").what == f"{type(row).__name__.lower()} {key}"


def test_what_a_user_holds_is_what_the_roles_in_force_say(cast: Cast) -> None:
    bob = cast.users["bob"]
    Binding(user=bob, role=custom("acme", "Pools", "ResourcePool:manage:tenant")).save()
    passed = Binding(user=bob, role=Role.built_in("Admin"), expires_at=timezone.now())
    passed.save()
    assert bob.rights == Rights(BUILT_IN["Viewer"].permissions | Role.objects.get(name="Pools").grants)
    assert Scope.TENANT in bob.rights.scopes(Resource.RESOURCE_POOL, Action.DELETE)
    assert not bob.rights.scopes(Resource.RESOURCE, Action.DELETE)


def test_the_admin_site_asks_roles_and_not_djangos_flags(cast: Cast) -> None:
    User.objects.filter(username="alice@acme").update(is_staff=True, is_superuser=True)
    users = {name: User.objects.get(pk=user.pk) for name, user in cast.users.items()}
    carol = cast.join("carol", None, "TenantAdmin")
    assert [name for name, user in users.items() if user.runs_the_platform] == ["root", "iris"]
    for user, codename, may in (
        (users["root"], "tenancy.delete_user", True),
        (users["iris"], "tenancy.view_user", True),
        (users["iris"], "tenancy.change_user", False),
        (users["alice"], "tenancy.view_user", False),
        (carol, "tenancy.add_tenant", True),
        (carol, "o2ims.view_source", False),
        (users["root"], "sessions.view_session", False),
        (users["root"], "tenancy.invent_user", False),
    ):
        assert user.has_perm(codename) is may, (user, codename)
    assert carol.has_module_perms("sessions") is False
    assert users["iris"].has_module_perms("tenancy") is True


def test_djangos_own_command_makes_a_platform_admin(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "long enough for anybody")
    call_command("createsuperuser", "--no-input", username="boss", email="boss@example.com", verbosity=0)
    boss = User.objects.get(username="boss")
    assert [one.role.name for one in boss.bindings.all()] == ["PlatformAdmin"]
    assert boss.runs_the_platform
