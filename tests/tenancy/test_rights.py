"""What roles allow on the API: who may change, who may look, who nothing; and no check asks the database."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from adapters.ims.memory import Adapter
from tenancy.principals import principals
from tests.world import Cast, World, custom, small

Call = Callable[..., Any]
POOLS = "/o2ims/v1/resourcePools"
READS = [
    "/o2ims/v1/oCloudInfrastructure",
    "/o2ims/v1/deploymentManagers",
    "/o2ims/v1/resourceTypes",
    POOLS,
    "/o2ims/v1/resources",
    "/o2ims-infrastructureInventory/v1/resourcePools",
    "/o2ims-infrastructureInventory/api_versions",
]


def names(answer: Any) -> set[str]:
    return {item["name"] for item in answer.json()["items"]}


def test_every_built_in_role_reads_and_who_has_none_reads_nothing(
    sample: World, call: Call, cast: Cast
) -> None:
    for name, role in (("olga", "Operator"), ("adam", "Admin")):
        cast.join(name, "acme", role)
    cast.join("carol", None, "TenantAdmin")
    cast.join("nora", "acme")
    cast.join("nils", None)
    for path in READS:
        for who in ("alice", "adam", "olga", "bob", "charlie", "root", "carol", "iris"):
            assert call(who, path).status_code == 200, (who, path)
        for who in ("nora", "nils"):
            answer = call(who, path)
            assert answer.status_code == 403, (who, path)
            assert "This needs the permission" in answer.json()["detail"]


def test_no_authenticated_read_asks_the_database(
    sample: World, call: Call, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for who in ("alice", "bob", "root", "iris"):
        call(who, POOLS)
        for path in READS:
            principals.follow()  # which a running process does once a second, whoever asks
            with django_assert_num_queries(0):
                assert call(who, path).status_code == 200


def test_a_role_that_reads_less_shows_less(sample: World, call: Call, cast: Cast) -> None:
    theirs = {"Mock Compute Pool 1", "Mock Edge Pool 1"}
    cast.join("olga", "acme", custom("acme", "Own", "ResourcePool:list:tenant"))
    cast.join("sam", "acme", custom("acme", "Shared", "ResourcePool:list:shared", "ResourceType:list:shared"))
    cast.join("max", "acme", custom("acme", "Mine", "ResourcePool:list:own"))
    assert names(call("alice", POOLS)) == {*theirs, "Mock Shared Pool 1"}
    assert names(call("olga", POOLS)) == theirs
    assert names(call("sam", POOLS)) == {"Mock Shared Pool 1"}
    assert names(call("sam", "/o2ims/v1/resourceTypes")) == names(call("bob", "/o2ims/v1/resourceTypes"))
    assert call("max", POOLS).status_code == 403  # nothing in the inventory is one person's own
    (pool,) = call("sam", POOLS).json()["items"]
    assert call("sam", f"{POOLS}/{pool['resourcePoolId']}").status_code == 403  # list is not read
    assert call("olga", "/o2ims/v1/resources").status_code == 403


def test_types_of_a_source_that_is_not_shared_come_with_ones_own_objects_only(
    world: World, call: Call, cast: Cast
) -> None:
    world.add("one", things=small())
    cast.join("olga", "acme", custom("acme", "Own", "ResourceType:list:tenant"))
    cast.join("sam", "acme", custom("acme", "Shared", "ResourceType:list:shared"))
    assert names(call("olga", "/o2ims/v1/resourceTypes")) == {"type-1"}
    assert names(call("sam", "/o2ims/v1/resourceTypes")) == set()


def test_every_decision_is_counted(sample: World, call: Call) -> None:
    def counted(result: str) -> float:
        labels = {"resource": "ResourcePool", "action": "create", "result": result}
        return REGISTRY.get_sample_value("o2ims_authz_total", labels) or 0

    before = counted("denied")
    assert call("bob", POOLS, method="POST").status_code == 403
    assert counted("denied") == before + 1


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestAWrite:
    def test_needs_the_role_for_it(self, served: Adapter, send: Call, cast: Cast) -> None:
        cast.join("olga", "acme", "Operator")
        cast.join("carol", None, "TenantAdmin")
        cast.join("nora", "acme")
        for who, status in (
            ("alice", 201), ("olga", 201), ("charlie", 201), ("root", 201),
            ("bob", 403), ("iris", 403), ("carol", 403), ("nora", 403),
        ):  # fmt: skip
            assert send(who, "POST", POOLS, {"name": f"of-{who}"}).status_code == status, who
        made = {pool.name for pool in served.pools() if pool.name.startswith("of-")}
        assert made == {"of-alice", "of-olga", "of-charlie", "of-root"}

    def test_by_somebody_who_only_reads_changes_nothing(
        self, served: Adapter, send: Call, call: Call
    ) -> None:
        id_ = send("alice", "POST", POOLS, {"name": "workers"}).json()["resourcePoolId"]
        for who in ("bob", "iris"):
            assert send(who, "PUT", f"{POOLS}/{id_}", {"description": "x"}).status_code == 403
            assert send(who, "DELETE", f"{POOLS}/{id_}").status_code == 403
            assert send(who, "PATCH", f"{POOLS}/{id_}", {}).status_code == 405
        assert call("iris", f"{POOLS}/{id_}").json()["description"] == ""

    def test_is_as_narrow_as_its_role(self, served: Adapter, send: Call, call: Call, cast: Cast) -> None:
        makers = custom("acme", "Makers", "ResourcePool:create:tenant", "Resource:create:tenant")
        pools = custom("acme", "Pools", "ResourcePool:manage:tenant")
        cast.join("max", "acme", makers)
        cast.join("pia", "acme", pools)
        id_ = send("max", "POST", POOLS, {"name": "workers"}).json()["resourcePoolId"]
        kind = call("alice", "/o2ims/v1/resourceTypes").json()["items"][0]["resourceTypeId"]
        body = {"name": "w-1", "resourcePoolId": id_, "resourceTypeId": kind}
        assert send("max", "POST", "/o2ims/v1/resources", body).status_code == 201
        assert send("max", "DELETE", f"{POOLS}/{id_}").status_code == 403
        refused = send("pia", "DELETE", f"{POOLS}/{id_}?cascade=true")
        assert refused.status_code == 403
        assert "Resource:delete" in refused.json()["detail"]
        assert send("pia", "DELETE", f"{POOLS}/{id_}").status_code == 409
        assert send("alice", "DELETE", f"{POOLS}/{id_}?cascade=true").status_code == 204

    def test_of_what_is_shared_is_forbidden_to_tenants(self, served: Adapter, send: Call, call: Call) -> None:
        (shared,) = (p for p in call("alice", POOLS).json()["items"] if p["name"] == "Mock Shared Pool 1")
        assert (
            send("alice", "PUT", f"{POOLS}/{shared['resourcePoolId']}", {"description": "x"}).status_code
            == 403
        )
        assert (
            send("root", "PUT", f"{POOLS}/{shared['resourcePoolId']}", {"description": "x"}).status_code
            == 200
        )
