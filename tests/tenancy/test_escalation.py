"""T16: whatever somebody does with the admin API, in whatever order, and with every token got on the way:
they never come to hold more than they began with."""

import random
from collections import Counter

import pytest
from django.db import transaction

from tenancy.models import Binding, Role, User
from tenancy.permissions import Action, Permission, Resource, Rights, Scope
from tenancy.principals import principals
from tenancy.roles import BUILT_IN
from tests.tenancy.attack import STARTS, Attack, Direct, Step, plan
from tests.world import Cast, custom

SEQUENCES, OVER_HTTP = 250, 30  # of each of the crowds below


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


def attempt(cast: Cast, kind: type[Attack], name: str, steps: list[Step]) -> list[str]:
    """Carries a plan out, in a transaction that is undone; what was not refused of it."""
    with transaction.atomic():
        user = cast.users[name]
        attack = kind(user, {user.username: cast.tokens[name]})
        for step in steps:
            before = len(attack.done)
            attack.do(step)
            if len(attack.done) > before:
                assert attack.beyond() == [], (name, attack.done, steps)
        if attack.done:
            for built_in in Role.objects.filter(tenant=None):
                assert built_in.grants == BUILT_IN[built_in.name].permissions
            for tenant in ("acme", "globex"):
                owners = Binding.objects.filter(role__name="Owner", user__tenant=tenant, expires_at=None)
                assert owners.exists()
        transaction.set_rollback(True)
    if attack.done:
        principals.__init__()  # type: ignore[misc]
    return attack.done


@pytest.mark.parametrize("number", range(8))
def test_no_sequence_of_calls_widens_what_one_holds(crowd: Cast, number: int) -> None:
    """2,000 in all: some at a time, each with a transaction that does not grow too old."""
    done = attempts(crowd, Direct, SEQUENCES, number)
    assert sum(done.values()) > SEQUENCES / 2
    assert len(done) > 5, "most of it was nonsense"


def test_no_sequence_over_http_does(crowd: Cast) -> None:
    assert sum(attempts(crowd, Attack, OVER_HTTP, 8).values()) > OVER_HTTP / 2


def attempts(cast: Cast, kind: type[Attack], count: int, seed: int) -> Counter[str]:
    """So many attempts at random; how often which kind of call was not refused."""
    dice, done = random.Random(seed), Counter[str]()
    for _ in range(count):
        found = attempt(cast, kind, dice.choice(STARTS), plan(dice, 3, 5))
        done.update(line.split("/")[0] for line in found)
    return done


@pytest.mark.parametrize("kind", [Direct, Attack])
def test_the_calls_do_get_somewhere(crowd: Cast, kind: type[Attack]) -> None:
    """So that the test above is about something: what an Owner does with them works."""
    steps = [
        Step(0, what, False, one, 0, ["ResourcePool:manage:tenant"], False)
        for what in ("role", "user", "token", "state", "unbind")
        for one in range(9)
    ]
    done = {line.split("/")[0] for line in attempt(crowd, kind, "alice", steps)}
    assert done >= {"POST roles", "POST tenants", "POST tokens", "PATCH tenants", "DELETE bindings"}


def test_a_token_in_hand_counts_as_ones_own(crowd: Cast) -> None:
    """The measure itself: an attack that had the Owner's token would be seen."""
    adam = User.objects.get(username="adam@acme")
    attack = Attack(adam, {"adam@acme": "", "alice@acme": ""})
    assert any(line.startswith("alice@acme: Role:manage") for line in attack.beyond())
    assert Attack(adam, {"adam@acme": "", "bob@acme": ""}).beyond() == []
    assert Attack(adam, {"charlie@globex": ""}).beyond() != []
    assert Rights().lacks([Permission(Resource.USER, Action.READ, Scope.OWN)])
