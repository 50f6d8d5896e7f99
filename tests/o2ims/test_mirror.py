"""The mirror follows the log, and loads a source again where the log does not tell."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from adapters.types import Kind, Resource
from o2ims import metrics
from o2ims.mirror import Mirror, mirror
from o2ims.models import Change, Item
from tests.world import Cast, World, pool, resource, small

Call = Callable[..., Any]


def held(of: Mirror) -> dict[str, str]:
    """Native name → description of every resource in a mirror."""
    return {
        e.body["name"]: e.body["description"] for s in of.shelves for e in s.entries[Kind.RESOURCE].values()
    }


def test_following_gives_what_loading_gives(world: World) -> None:
    one = world.add("one", things=small())
    one.see(resource("node-1", description="changed", version="2"), resource("node-9"))
    one.lose(resource("node-2", version="2"))
    world.follow()
    fresh = Mirror()
    fresh.follow()
    assert held(mirror) == held(fresh) == {"node-1": "changed", "node-3": "", "node-9": ""}
    assert mirror.shelves[0].position == fresh.shelves[0].position == 8


def test_a_log_that_was_pruned_behind_us_means_loading_again(world: World) -> None:
    one = world.add("one", things=small())
    one.see(*(resource(f"late-{number}") for number in range(5)))
    one.lose(resource("node-1", version="2"))
    Change.objects.filter(sequence__lte=8).delete()
    world.follow()
    assert set(held(mirror)) == {"node-2", "node-3", *(f"late-{number}" for number in range(5))}


def test_a_silent_rewrite_reaches_the_mirror(world: World) -> None:
    world.add("one", things=small(1))
    world.source("one", mapping_version=99).see(resource("node-1", description="mapped better"))
    world.follow()
    assert held(mirror) == {"node-1": "mapped better"}


def test_another_o_cloud_in_the_configuration_shows_at_once(world: World, call: Call) -> None:
    world.add("one", things=small())
    assert call("alice", "/o2ims/v1/resourcePools").json()["items"][0]["oCloudId"] == "ocloud-test"
    world.source("one", o_cloud="ocloud-2")
    world.follow()
    assert call("alice", "/o2ims/v1/resourcePools").json()["items"][0]["oCloudId"] == "ocloud-2"


def test_an_object_another_process_knows_already_is_found_by_its_id(world: World, call: Call) -> None:
    one = world.add("one", things=small())
    late = pool("pool-late")
    one.see(late)
    assert call("alice", f"/o2ims/v1/resourcePools/{one.id_of(late)}").json()["name"] == "pool-late"
    assert call("charlie", f"/o2ims/v1/resourcePools/{one.id_of(late)}").status_code == 404


def test_a_resource_that_moves_to_another_pool_changes_lists(world: World, call: Call) -> None:
    one = world.add("one", things=[*small(2), pool("pool-2")])
    one.see(resource("node-1", pool_native_id="pool-2", version="2"))
    world.follow()
    path = "/o2ims/v1/resourcePools/{}/resources"
    first = call("alice", path.format(one.id_of(pool()))).json()["items"]
    second = call("alice", path.format(one.id_of(pool("pool-2")))).json()["items"]
    assert ([r["name"] for r in first], [r["name"] for r in second]) == (["node-2"], ["node-1"])


def test_dropping_the_items_and_listing_again_gives_the_same_rows(world: World) -> None:
    one = world.add("one", things=small())
    before = {item.object_id: (item.body, bytes(item.hash), item.tenant) for item in Item.objects.all()}
    Item.objects.all().delete()
    one.see(*small())
    assert {
        item.object_id: (item.body, bytes(item.hash), item.tenant) for item in Item.objects.all()
    } == before


def test_before_the_first_load_nothing_is_answered(world: World, call: Call) -> None:
    for _ in range(2):
        answer = call("alice", "/o2ims/v1/resourcePools")
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        world.follow()  # no worker has said yet which sources there are
    world.add("one", things=[])
    assert call("alice", "/o2ims/v1/resourcePools").json() == {"items": []}


def test_an_index_over_an_extension_follows_every_change(world: World, call: Call) -> None:
    def found(value: str) -> list[str]:
        answer = call(
            "alice", "/o2ims/v1/resources", QUERY_STRING=f"filter=(eq,extensions/mock.rack,{value})"
        )
        return [item["name"] for item in answer.json()["items"]]

    def racked(name: str, rack: object, version: str = "2") -> Resource:
        return resource(name, version=version, extensions={"mock.rack": rack})

    one = world.add(
        "one", things=[pool(), racked("a", "r1"), racked("b", "r1"), racked("c", 7), racked("d", ["r1"])]
    )
    assert sorted(found("r1")) == ["a", "b", "d"]
    assert (found("7"), found("7.0"), found("r2")) == (["c"], ["c"], [])
    one.see(racked("a", "r2", "3"), racked("e", "r2", "3"), racked("c", {"r1": 1}, "3"))
    one.lose(racked("b", "r1", "3"))
    world.follow()
    assert (found("r1"), sorted(found("r2")), found("7")) == (["d"], ["a", "e"], [])
    for number in range(20):  # more places than are kept
        assert (
            call("alice", "/o2ims/v1/resources", QUERY_STRING=f"filter=(eq,extensions/x{number},1)").json()[
                "items"
            ]
            == []
        )
    assert sorted(found("r2")) == ["a", "e"]


def test_a_miss_asks_nobody_while_the_database_is_away(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("one", things=small())
    monkeypatch.setattr(mirror, "_caught_up", mirror._caught_up - 60)

    def asked(*_: Any) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Item.objects, "filter", asked)
    assert call("alice", f"/o2ims/v1/resourcePools/{uuid.uuid4()}").status_code == 404


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_one_follower_at_a_time() -> None:
    world = World()
    one = world.add("one", things=small())
    fresh = Mirror()
    fresh.follow()
    one.see(resource("late"))

    def follow() -> None:
        try:
            fresh.follow()
        finally:
            connections.close_all()

    second = threading.Thread(target=follow)
    with fresh._following:
        second.start()
        second.join(0.3)
        assert "late" not in held(fresh)
    second.join()
    assert "late" in held(fresh)


def test_an_id_in_two_sources_is_counted(world: World) -> None:
    native = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    world.add("one", things=[pool(native)])
    assert metrics.DUPLICATES._value.get() == 0
    world.add("two", things=[pool(native), pool("other")])
    assert metrics.DUPLICATES._value.get() == 1


def test_a_number_larger_than_64_bits_is_answered(world: World, call: Call) -> None:
    one = world.add("one", things=small())
    one.see(resource("node-9", extensions={"mock.huge": 1e22}))
    world.follow()
    for path in ("/o2ims/v1/resources", "/o2ims/v1/resources?fields=extensions"):
        answer = call("alice", path)
        assert answer.status_code == 200
        assert b"1e22" in answer.content or b"1e+22" in answer.content


def test_a_log_pruned_to_its_very_end_means_loading_again(world: World) -> None:
    one = world.add("one", things=small())
    one.see(resource("late"))
    Change.objects.all().delete()
    world.follow()
    assert "late" in held(mirror)


def test_a_foreign_id_costs_what_an_unknown_one_does(world: World, call: Call, cast: Cast) -> None:
    one = world.add("one", things=small())
    call("charlie", "/o2ims/v1/resourcePools")
    costs = []
    for id_ in (one.id_of(pool()), str(uuid.uuid4())):
        with CaptureQueriesContext(connection) as queries:
            assert call("charlie", f"/o2ims/v1/resourcePools/{id_}").status_code == 404
        costs.append(len(queries))
    assert costs[0] == costs[1]
