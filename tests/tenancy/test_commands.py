"""The commands that let people in: which roles they give, and what they refuse."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenancy.models import Role, Tenant, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tenants() -> None:
    for name in ("acme", "globex"):
        call_command("add_tenant", name, stdout=StringIO())


def added(*words: str) -> str:
    said = StringIO()
    call_command("add_user", *words, stdout=said)
    return said.getvalue().strip()


def roles(username: str) -> list[str]:
    user = User.objects.get(username=username)
    return sorted(f"{one.role}" for one in user.bindings.all())


def test_the_first_user_of_a_tenant_is_its_owner_and_later_ones_look() -> None:
    assert added("alice@acme") == "user alice@acme added to tenant acme as Owner"
    assert added("bob@acme") == "user bob@acme added to tenant acme as Viewer"
    assert added("scanner", "--tenant", "acme") == "user scanner added to tenant acme as Viewer"
    assert added("charlie@globex") == "user charlie@globex added to tenant globex as Owner"
    assert (roles("alice@acme"), roles("scanner")) == (["Owner"], ["Viewer"])


def test_roles_are_named_as_often_as_one_likes() -> None:
    Role(tenant=Tenant.objects.get(pk="acme"), name="Night shift", permissions=["Alarm:manage:tenant"]).save()
    added("dora@acme", "--role", "Operator", "--role", "Night shift", "--role", "Operator")
    assert roles("dora@acme") == ["Night shift of acme", "Operator"]


def test_a_role_of_the_platform_makes_one_of_its_people() -> None:
    added("root", "--admin")
    added("iris", "--auditor")
    added("carol@head.office", "--role", "TenantAdmin")
    assert roles("root") + roles("iris") == ["PlatformAdmin", "Auditor"]
    assert roles("carol@head.office") == ["TenantAdmin"]
    assert not User.objects.exclude(tenant=None).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dora@acme", "--role", "King"], "there is no role King"),
        (["dora@acme", "--role", "Owner", "--role", "Auditor"], "Owner is no role for dora@acme"),
        (["dora"], "name the tenant"),
        (["dora@nowhere"], "there is no tenant nowhere"),
        (["dora@globex", "--role", "Night shift"], "there is no role Night shift"),
    ],
)
def test_what_does_not_fit_is_said_and_leaves_nobody(words: list[str], said: str) -> None:
    Role(tenant=Tenant.objects.get(pk="acme"), name="Night shift", permissions=["Alarm:manage:tenant"]).save()
    with pytest.raises(CommandError, match=said):
        added(*words)
    assert not User.objects.exists()
