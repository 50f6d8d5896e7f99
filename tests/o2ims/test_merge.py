"""Several sources of one O-Cloud in one list: a thing that more than one of them sees is shown once."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.types import Kind
from o2ims.assets import Assets
from o2ims.entry import Entry, Facts
from o2ims.mirror import mirror
from o2ims.shelf import Shelf
from tests.world import World, resource, small

Call = Callable[..., Any]
RESOURCES = "/o2ims/v1/resources"


def machine(number: int, **facts: Any) -> Any:
    """A resource that is machine `number`, whoever sees it."""
    return resource(f"m-{number}", global_asset_id=f"urn:uuid:{number}", **facts)


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    return answer.json()["items"]


def by_asset(answer: Any) -> dict[str, str]:
    return {item["globalAssetId"]: item["resourceId"] for item in items(answer)}


@pytest.fixture
def three(world: World) -> World:
    """100 + 50 + 20 resources, of which 30 are machines that an earlier source has too."""
    base = small(0)
    world.add("kubernetes", things=[*base, *(machine(n) for n in range(100))])
    world.add("openstack", things=[*base, *(machine(n) for n in range(80, 130))])
    world.add("metal", things=[*base, *(machine(n) for n in range(120, 140))])
    return world


def test_every_thing_is_in_the_list_once_and_the_first_source_shows_it(three: World, call: Call) -> None:
    found = items(call("alice", f"{RESOURCES}?limit=1000"))
    assert len(found) == 140
    assert len({item["globalAssetId"] for item in found}) == 140
    first = three.sources["kubernetes"]
    shown = {item["resourceId"] for item in found}
    assert {first.id_of(machine(n)) for n in range(100)} <= shown


def test_a_duplicate_answers_by_its_id_and_in_its_own_pool(three: World, call: Call) -> None:
    twin = three.sources["openstack"].id_of(machine(85))
    assert call("alice", f"{RESOURCES}/{twin}").status_code == 200
    pool = three.sources["openstack"].id_of(small(0)[1])
    assert len(items(call("alice", f"/o2ims/v1/resourcePools/{pool}/resources"))) == 50


@pytest.mark.parametrize("limit", [1, 7, 50, 139, 140, 141])
def test_pages_neither_skip_nor_repeat(three: World, call: Call, limit: int) -> None:
    seen: list[str] = []
    path = f"{RESOURCES}?limit={limit}"
    while path:
        answer = call("alice", path)
        page = items(answer)
        seen += [item["resourceId"] for item in page]
        link = answer.get("Link", "")
        assert len(page) == limit or not link
        path = link.partition("<http://testserver")[2].partition(">")[0]
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 140


def test_page_numbers_count_what_is_shown(three: World, call: Call) -> None:
    last = items(call("alice", f"{RESOURCES}?limit=50&nextpage_opaque_marker=3"))
    past = items(call("alice", f"{RESOURCES}?limit=50&nextpage_opaque_marker=9"))
    assert len(last) == 40
    assert past == last


def test_a_filter_shows_each_once_too(three: World, call: Call) -> None:
    assert len(items(call("alice", f"{RESOURCES}?limit=1000&filter=(cont,name,m-)"))) == 140
    assert len(items(call("alice", f"{RESOURCES}?filter=(eq,globalAssetId,urn:uuid:125)"))) == 1


def test_when_the_first_no_longer_has_it_the_next_shows_it(three: World, call: Call) -> None:
    three.sources["kubernetes"].lose(machine(85, version="2"))
    three.follow()
    found = {
        item["globalAssetId"]: item["resourceId"] for item in items(call("alice", f"{RESOURCES}?limit=1000"))
    }
    assert found["urn:uuid:85"] == three.sources["openstack"].id_of(machine(85))
    three.sources["kubernetes"].see(machine(85, version="3"))
    three.follow()
    found = {
        item["globalAssetId"]: item["resourceId"] for item in items(call("alice", f"{RESOURCES}?limit=1000"))
    }
    assert found["urn:uuid:85"] == three.sources["kubernetes"].id_of(machine(85))


def test_what_the_caller_does_not_see_hides_nothing_from_them(world: World, call: Call) -> None:
    world.add("one", things=[*small(0), machine(1, tenant="globex")])
    world.add("two", things=[*small(0), machine(1)])
    assert [item["name"] for item in items(call("alice", RESOURCES))] == ["m-1"]
    assert [item["name"] for item in items(call("charlie", RESOURCES))] == ["m-1"]
    assert len(items(call("root", RESOURCES))) == 1


def test_another_o_cloud_shows_its_own(world: World, call: Call) -> None:
    world.add("one", things=[*small(0), machine(1)])
    world.add("two", things=[*small(0), machine(1)], o_cloud="another")
    assert {item["oCloudId"] for item in items(call("alice", RESOURCES))} == {"ocloud-test", "another"}


def test_things_without_an_asset_id_are_never_the_same(world: World, call: Call) -> None:
    world.add("one", things=small(3))
    world.add("two", things=small(3))
    assert len(items(call("alice", RESOURCES))) == 6


def shelf(number: int) -> Shelf:
    facts = dict.fromkeys(Facts.__slots__, "") | {"order": number, "o_cloud": "o", "name": str(number)}
    return Shelf(number, Facts(**facts))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(["", "x", "y"]))))
def test_after_any_changes_the_index_is_what_it_would_be_made_anew(steps: list[tuple[int, int, str]]) -> None:
    shelves, kept = [shelf(number) for number in range(3)], Assets()
    for each in shelves:
        each.assets = kept
    for number, id_, asset in steps:
        body = {"id": f"{number}-{id_}", "pool_id": "p", "global_asset_id": asset}
        if asset or id_ % 2:
            shelves[number].put(Kind.RESOURCE, "acme", body)
        else:
            shelves[number].drop(Kind.RESOURCE, body["id"])
    entries: list[Entry] = [entry for each in shelves for entry in each.entries[Kind.RESOURCE].values()]
    anew = Assets(entries)
    assert {key: set(found) for key, found in kept.twice.items()} == {
        key: set(found) for key, found in anew.twice.items()
    }
    assert mirror.shelves == ()
