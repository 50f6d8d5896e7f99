"""Pages neither skip nor repeat, and a marker is good for its own list only."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from adapters.types import Resource
from tests.world import World, resource

Call = Callable[..., Any]
PATH = "/o2ims/v1/resources"


def follow(call: Call, who: str, path: str) -> list[list[str]]:
    """The ids of every page, by following the links."""
    pages = []
    while path:
        answer = call(who, path)
        assert answer.status_code == 200
        body = answer.json()
        pages.append([item["resourceId"] for item in (body["items"] if isinstance(body, dict) else body)])
        link = answer.headers.get("Link", "")
        path = link.split(">")[0].removeprefix("<http://testserver")
    return pages


def test_the_default_page_is_100_here_and_30_on_the_oran_root(sample: World, call: Call) -> None:
    assert [len(page) for page in follow(call, "root", PATH)] == [100, 20]
    pools = {
        len(page)
        for p in pool_ids(call)
        for page in follow(call, "root", f"/o2ims-infrastructureInventory/v1/resourcePools/{p}/resources")
    }
    assert 30 in pools
    assert max(pools) == 30


def pool_ids(call: Call) -> list[str]:
    return [item["resourcePoolId"] for item in call("root", "/o2ims/v1/resourcePools").json()["items"]]


@pytest.mark.parametrize("limit", [1, 7, 50, 119, 120, 1000])
def test_following_the_links_gives_everything_once_and_in_order(
    sample: World, call: Call, limit: int
) -> None:
    pages = follow(call, "root", f"{PATH}?limit={limit}")
    ids = [id_ for page in pages for id_ in page]
    assert len(ids) == 120
    assert ids == sorted(set(ids))
    assert {len(page) for page in pages[:-1]} <= {limit}


def test_the_link_carries_filter_and_selector_on(sample: World, call: Call) -> None:
    first = call("root", f"{PATH}?limit=40&filter=(eq,extensions/mock.cpuCores,32)&exclude_fields=extensions")
    path = first["Link"].split(">")[0].removeprefix("<http://testserver")
    second = call("root", path).json()["items"]
    assert len(second) == 25
    assert all("extensions" not in item for item in second)
    assert (
        call(
            "root", path + "&limit=40&filter=(eq,extensions/mock.cpuCores,32)&exclude_fields=extensions"
        ).json()["items"]
        == second
    )


def test_a_marker_with_another_query_is_refused(sample: World, call: Call) -> None:
    path = call("root", f"{PATH}?limit=40")["Link"].split(">")[0].removeprefix("<http://testserver")
    assert call("root", f"{path}&limit=41").status_code == 400
    assert call("root", f"{path}&filter=(eq,name,x)").status_code == 400


def test_a_marker_of_another_tenant_or_list_is_refused(sample: World, call: Call) -> None:
    path = call("alice", f"{PATH}?limit=5")["Link"].split(">")[0].removeprefix("<http://testserver")
    assert call("bob", path).status_code == 200
    assert call("charlie", path).status_code == 400
    assert call("root", path).status_code == 400
    assert call("alice", path.replace("/resources?", "/resourcePools?")).status_code == 400


def test_no_changed_marker_is_accepted(sample: World, call: Call) -> None:
    marker = call("alice", f"{PATH}?limit=5")["Link"].split("marker=")[1].split(">")[0]
    raw = base64.urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
    for at in range(len(raw)):
        forged = (
            base64.urlsafe_b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]).decode().rstrip("=")
        )
        assert call("alice", f"{PATH}?nextpage_opaque_marker={forged}").status_code == 400, at


def test_a_page_number_is_accepted_and_one_past_the_end_is_the_last(sample: World, call: Call) -> None:
    pages = follow(call, "root", f"{PATH}?limit=50")
    for number in (1, 2, 3):
        answer = call("root", f"{PATH}?limit=50&nextpage_opaque_marker={number}")
        assert [item["resourceId"] for item in answer.json()["items"]] == pages[number - 1]
        assert ("Link" in answer) == (number < 3)
    assert (
        call("root", f"{PATH}?limit=50&nextpage_opaque_marker=99").json()
        == call("root", f"{PATH}?limit=50&nextpage_opaque_marker=3").json()
    )
    filtered = f"{PATH}?limit=50&filter=(eq,extensions/mock.cpuCores,32)&nextpage_opaque_marker="
    assert len(call("root", filtered + "2").json()["items"]) == 15
    assert call("root", filtered + "9").json() == call("root", filtered + "2").json()


def test_pages_stay_whole_while_objects_come_and_go(sample: World, call: Call) -> None:
    one = sample.sources["sample"]
    first = call("root", f"{PATH}?limit=60")
    shown = [item["resourceId"] for item in first.json()["items"]]
    things = [resource(f"late-{number}", version="9999") for number in range(40)]
    one.see(*things)
    one.lose(
        Resource(native_id="node-mock-001", name="", type_native_id="", pool_native_id="", version="9999")
    )
    sample.follow()
    path = first["Link"].split(">")[0].removeprefix("<http://testserver")
    rest = [id_ for page in follow(call, "root", path) for id_ in page]
    assert not set(shown) & set(rest)
    late = {one.id_of(thing) for thing in things}
    assert {id_ for id_ in late if id_ > shown[-1]} <= set(rest)
    assert len(set(shown) | set(rest) | late) in {159, 160}


def test_several_sources_make_one_list_in_one_order(sample: World, call: Call) -> None:
    sample.add("second", objects=60, shared=True)
    ids = [id_ for page in follow(call, "root", f"{PATH}?limit=33") for id_ in page]
    assert len(ids) == 180
    assert ids == sorted(ids)
