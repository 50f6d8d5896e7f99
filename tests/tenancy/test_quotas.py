"""Quotas: what is there and what is under way, never beyond the limit, however many ask at once."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from adapters.types import Footprint
from netweave.checks import default_quotas_exist
from o2ims.models import Item, Operation
from tenancy import quotas
from tenancy.quotas import CORES, MEMORY, POOLS, RESOURCES, Quota
from tenancy.refusals import Exceeded, Unsized
from tests.world import Cast, World, pool, resource, small

Call = Callable[..., Any]
TENANT = "/admin/v1/tenants/acme"
SIZED = Footprint(resources=1, cpu_cores=8, memory_gb=32)


def usage(tenant: str) -> dict[str, Any]:
    return dict(quotas.shown(Quota.objects.filter(tenant_id=tenant))[1])


def limited(**limits: int) -> None:
    for name, limit in limits.items():
        quotas.set_limit("acme", name, Decimal(limit))


class TestWhatIsThere:
    def test_is_counted_however_it_came_and_goes(self, world: World, cast: Cast) -> None:
        source = world.source("one")
        source.see(*small(3))
        assert usage("acme") == {POOLS: 1, RESOURCES: 3, CORES: 0, MEMORY: 0, "maxSubscriptions": 0}
        grown = resource("node-1", takes=SIZED, version="2")
        source.see(grown)
        source.see(grown)  # the same again
        assert (usage("acme")[RESOURCES], usage("acme")[CORES], usage("acme")[MEMORY]) == (3, 8, 32)
        source.lose(grown)
        source.lose(grown)
        assert (usage("acme")[RESOURCES], usage("acme")[CORES]) == (2, 0)

    def test_moves_with_its_object_to_another_tenant(self, world: World, cast: Cast) -> None:
        source = world.source("one")
        source.see(*small(2))
        source.see(
            resource("node-1", tenant="globex", version="2"), resource("node-2", tenant=None, version="2")
        )
        assert (usage("acme")[RESOURCES], usage("globex")[RESOURCES]) == (0, 1)

    def test_what_it_takes_may_change_without_a_change(self, world: World, cast: Cast) -> None:
        source = world.source("one")
        source.see(*small(1))
        assert source.see(resource("node-1", takes=SIZED, version="2")) == []
        assert usage("acme")[CORES] == 8

    def test_comes_back_with_what_was_deleted(self, world: World, cast: Cast) -> None:
        source = world.source("one")
        source.see(*small(1))
        source.lose(resource("node-1", version="2"))
        source.see(resource("node-1", version="3"))
        assert usage("acme")[RESOURCES] == 1

    def test_of_a_label_that_is_no_tenant_yet_counts_once_it_is_one(
        self, world: World, cast: Cast, send: Call
    ) -> None:
        world.source("one").see(pool(tenant="initech"))
        made = send("root", "POST", "/admin/v1/tenants", {"tenantId": "initech", "name": "Initech"})
        assert made.json()["usage"][POOLS] == 1


class TestALimit:
    @pytest.fixture(autouse=True)
    def acme(self, cast: Cast) -> None:
        limited(maxResourcePools=3)

    def test_is_kept_to_the_last_and_says_what_is_left(self) -> None:
        for _ in range(3):
            quotas.take("acme", (1, 0, 0, 0))
        with pytest.raises(Exceeded) as refused:
            quotas.take("acme", (1, 0, 0, 0))
        found = refused.value
        assert (found.quota, int(found.limit), int(found.used), int(found.requested)) == (POOLS, 3, 3, 1)
        quotas.release("acme", (1, 0, 0, 0))
        quotas.take("acme", (1, 0, 0, 0))
        quotas.take("globex", (1000, 0, 0, 0))

    def test_that_is_passed_already_only_refuses_new_things(self, world: World) -> None:
        source = world.source("one")
        source.see(*(pool(f"pool-{number}") for number in range(5)))
        with pytest.raises(Exceeded):
            quotas.take("acme", (1, 0, 0, 0))
        quotas.take("acme", (0, 5, 0, 0))
        source.lose(pool("pool-1"), pool("pool-2"), pool("pool-3"))
        quotas.take("acme", (1, 0, 0, 0))

    def test_on_a_size_that_nobody_can_tell_refuses_it(self) -> None:
        quotas.take("acme", (0, 1, None, None))
        limited(maxCpuCores=100)
        with pytest.raises(Unsized, match="maxCpuCores"):
            quotas.take("acme", (0, 1, None, None))

    def test_of_the_platform_holds_where_a_tenant_has_none(self, settings: Settings) -> None:
        settings.DEFAULT_QUOTAS = {RESOURCES: Decimal(2), POOLS: Decimal(1)}
        quotas.take("acme", (3, 2, 0, 0))  # its own limit on pools is another
        with pytest.raises(Exceeded):
            quotas.take("acme", (0, 1, 0, 0))
        with pytest.raises(Exceeded):
            quotas.take("globex", (2, 0, 0, 0))


def test_a_tenant_shows_limits_and_usage_and_takes_new_limits(
    world: World, cast: Cast, call: Call, send: Call, edit: Call
) -> None:
    world.source("one").see(*small(3))
    nothing = dict.fromkeys(quotas.ALL)
    assert call("alice", TENANT).json()["quotas"] == nothing
    tag = call("alice", TENANT)["ETag"]
    world.sources["one"].see(resource("node-9"))
    again = call("alice", TENANT)
    assert (again["ETag"], again.json()["usage"][RESOURCES]) == (tag, 4)
    patched = edit("root", "PATCH", TENANT, {"quotas": {RESOURCES: 5, CORES: 2.5}})
    assert patched.json()["quotas"] == {**nothing, RESOURCES: 5, CORES: 2.5}
    assert edit("root", "PATCH", TENANT, {"quotas": {CORES: None}}).json()["quotas"] == {
        **nothing,
        RESOURCES: 5,
    }
    assert (
        edit("root", "PUT", TENANT, call("root", TENANT).json() | {"quotas": {RESOURCES: 5}}).status_code
        == 200
    )
    assert edit("root", "PUT", TENANT, {"name": "A", "status": "active"}).json()["quotas"] == nothing
    assert edit("alice", "PATCH", TENANT, {"quotas": {RESOURCES: 50}}).status_code == 403


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"maxCows": 1}, "/quotas/maxCows"),
        ({RESOURCES: -1}, f"/quotas/{RESOURCES}"),
        ({RESOURCES: True}, f"/quotas/{RESOURCES}"),
        ({RESOURCES: "5"}, f"/quotas/{RESOURCES}"),
        ({RESOURCES: 10**12}, f"/quotas/{RESOURCES}"),
        ([], "/quotas"),
    ],
)
def test_what_is_no_limit_is_refused(cast: Cast, edit: Call, sent: Any, pointer: str) -> None:
    answer = edit("root", "PATCH", TENANT, {"quotas": sent})
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


def test_the_platforms_defaults_stay_defaults_where_they_are_sent_back(
    cast: Cast, edit: Call, call: Call, settings: Settings
) -> None:
    settings.DEFAULT_QUOTAS = {RESOURCES: Decimal(10)}
    shown = call("root", TENANT).json()
    assert shown["quotas"][RESOURCES] == 10
    assert edit("root", "PUT", TENANT, shown).status_code == 200
    settings.DEFAULT_QUOTAS = {RESOURCES: Decimal(20)}
    assert call("root", TENANT).json()["quotas"][RESOURCES] == 20


def test_counting_again_repairs_and_says_what_was_wrong(world: World, cast: Cast) -> None:
    source = world.source("one")
    source.see(*small(3), resource("node-9", takes=SIZED))
    Operation.objects.create(
        source=source.source, action="create", kind="Resource", tenant="acme", actor="alice@acme",
        request_id="r", fingerprint="f", deadline=timezone.now(), held=[0, 2, 16, 64],
    )  # fmt: skip
    Quota.objects.filter(name=RESOURCES).update(used=99)
    quotas.set_limit("globex", POOLS, Decimal(3))
    out = io.StringIO()
    call_command("recount_quotas", stdout=out)
    assert out.getvalue().splitlines() == [
        f"acme {CORES}: used 8.000, is 8.0; held 0.000, is 16",
        f"acme {MEMORY}: used 32.000, is 32.0; held 0.000, is 64",
        f"acme {RESOURCES}: used 99.000, is 4.0; held 0.000, is 2",
        "3 was wrong.",
    ]
    assert (usage("acme")[RESOURCES], usage("acme")[CORES]) == (6, 24)
    out = io.StringIO()
    call_command("recount_quotas", stdout=out)
    assert out.getvalue() == "nothing was wrong.\n"
    assert Item.objects.count() == 6


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_hundred_at_once_take_exactly_ten(cast: Cast) -> None:
    def take(number: int) -> bool:
        try:
            quotas.take("acme", (1, 1, 0, 0))
        except Exceeded:
            return False
        finally:
            connections.close_all()
        return True

    limited(maxResourcePools=10)
    with ThreadPoolExecutor(16) as threads:
        for _ in range(20):
            Quota.objects.update(held=0)
            assert sum(threads.map(take, range(100))) == 10
            assert usage("acme")[POOLS] == 10


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -8.0, 1e30])
def test_a_size_that_cannot_be_meant_is_nothing_and_stops_nothing(
    world: World, cast: Cast, size: float
) -> None:
    odd = Footprint(resources=1, cpu_cores=size, memory_gb=32)
    world.source("one").see(*small(1), resource("node-9", takes=odd))
    assert (usage("acme")[RESOURCES], usage("acme")[CORES], usage("acme")[MEMORY]) == (2, 0, 32)


def test_a_default_of_a_name_that_is_none_is_told_before_anything_starts(settings: Settings) -> None:
    settings.DEFAULT_QUOTAS = {RESOURCES: Decimal(1), "maxCows": Decimal(2)}
    assert [one.msg for one in default_quotas_exist(None)] == ["DEFAULT_QUOTAS: maxCows is none."]
