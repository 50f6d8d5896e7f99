"""Writes within quotas: taken before the backend is called, moved with what was made, or given back."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.errors import Unreachable
from adapters.ims.memory import Adapter
from adapters.types import Batch
from o2ims.models import Operation
from tenancy import quotas
from tenancy.quotas import CORES, MEMORY, POOLS, RESOURCES, Quota
from tenancy.trail import AuditEntry
from tests.o2ims.test_operations import settle, toy
from tests.o2ims.test_settling import due_now
from tests.toy import Adapter as Toy
from tests.world import Cast

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

Call = Callable[..., Any]
__all__ = ["toy"]  # the fixture
POOL_PATH, RESOURCE_PATH = "/o2ims/v1/resourcePools", "/o2ims/v1/resources"


def taken(name: str, tenant: str = "acme") -> tuple[int, int]:
    """Used and held."""
    found = Quota.objects.filter(tenant_id=tenant, name=name).first()
    return (int(found.used), int(found.held)) if found else (0, 0)


def room_for(name: str, more: int) -> None:
    """From now on acme may have so many more than it has."""
    quotas.set_limit("acme", name, Decimal(taken(name)[0] + more))


@pytest.fixture
def pool_id(served: Adapter, send: Call) -> str:
    return str(send("alice", "POST", POOL_PATH, {"name": "mine"}).json()["resourcePoolId"])


def test_what_is_over_the_limit_is_429_with_its_figures_and_reaches_no_backend(
    served: Adapter, send: Call
) -> None:
    used = taken(POOLS)[0]
    room_for(POOLS, 1)
    assert send("alice", "POST", POOL_PATH, {"name": "fits"}).status_code == 201
    assert taken(POOLS) == (used + 1, 0)
    refused = send("alice", "POST", POOL_PATH, {"name": "too-many"})
    assert refused.status_code == 429
    problem = refused.json()
    assert (problem["type"], problem["quota"]) == ("quota-exceeded", POOLS)
    assert [problem[name] for name in ("limit", "used", "requested")] == [used + 1, used + 1, 1]
    assert "Retry-After" not in refused
    assert "too-many" not in [pool.name for pool in served.pools()]
    assert not Operation.objects.filter(native_name="too-many").exists()
    entry = AuditEntry.objects.get(status=429)
    assert (entry.result, entry.kind, entry.action) == ("denied", "ResourcePool", "create")


def test_what_goes_makes_room(served: Adapter, send: Call, pool_id: str) -> None:
    room_for(POOLS, 0)
    assert send("alice", "POST", POOL_PATH, {"name": "next"}).status_code == 429
    assert send("alice", "DELETE", f"{POOL_PATH}/{pool_id}").status_code == 204
    assert send("alice", "POST", POOL_PATH, {"name": "next"}).status_code == 201


def test_a_resource_takes_what_its_type_is(served: Adapter, send: Call, call: Call, pool_id: str) -> None:
    sized = next(
        one
        for one in call("alice", "/o2ims/v1/resourceTypes").json()["items"]
        if "mock.cpu" in one["extensions"]
    )
    before = {name: taken(name)[0] for name in (RESOURCES, CORES, MEMORY)}
    cores, memory = sized["extensions"]["mock.cpu"], sized["extensions"]["mock.memory"]
    room_for(CORES, 2 * cores - 1)
    body = {"resourcePoolId": pool_id, "resourceTypeId": sized["resourceTypeId"]}
    assert send("alice", "POST", RESOURCE_PATH, {**body, "name": "one-more"}).status_code == 201
    assert [taken(name)[0] - was for name, was in before.items()] == [1, cores, memory]
    refused = send("alice", "POST", RESOURCE_PATH, {**body, "name": "two-more"})
    assert (refused.status_code, refused.json()["quota"]) == (429, CORES)
    assert taken(RESOURCES) == (before[RESOURCES] + 1, 0), "nothing of it is held"


def test_one_of_a_size_that_nobody_can_tell_is_422_where_that_is_limited(
    served: Adapter, send: Call, pool_id: str
) -> None:
    untold = next(one for one in served.types() if one.native_id)
    served._open().put(replace(untold, native_id="type-odd", name="odd", extensions={}))
    served._open().put(
        replace(next(p for p in served.pools() if p.name == "mine"), extensions={"mock.type": "odd"})
    )
    body = {"resourcePoolId": pool_id, "name": "unsized"}
    room_for(MEMORY, 10**6)
    refused = send("alice", "POST", RESOURCE_PATH, body)
    assert refused.status_code == 422
    assert MEMORY in refused.json()["detail"]


class TestWhatIsHeld:
    def test_is_given_back_where_the_backend_refuses(self, served: Adapter, send: Call, pool_id: str) -> None:
        room_for(POOLS, 5)
        assert send("alice", "POST", POOL_PATH, {"name": "mine"}).status_code == 409
        assert taken(POOLS)[1] == 0

    def test_stays_until_somebody_knows(
        self, toy: None, served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room_for(POOLS, 1)
        used = taken(POOLS)[0]

        def unheard(self: Toy, *words: Any, **more: Any) -> Batch:
            Adapter.create_pool(self, *words, **more)
            raise Unreachable("one", "went away")

        monkeypatch.setattr(Toy, "create_pool", unheard)
        assert send("alice", "POST", POOL_PATH, {"name": "unheard"}).status_code == 503
        assert taken(POOLS) == (used, 1)
        assert send("alice", "POST", POOL_PATH, {"name": "another"}).status_code == 429
        due_now()
        settle()
        assert taken(POOLS) == (used + 1, 0)
        (entry,) = AuditEntry.objects.filter(label="unheard")
        assert (entry.result, entry.status, entry.actor) == ("success", None, "alice@acme")


def test_where_there_is_no_limit_nothing_is_asked_and_usage_is_counted(
    served: Adapter, send: Call, cast: Cast
) -> None:
    used = taken(POOLS)[0]
    assert send("alice", "POST", POOL_PATH, {"name": "fits"}).status_code == 201
    assert taken(POOLS) == (used + 1, 0)
    assert Operation.objects.get(native_name="fits").held == []
