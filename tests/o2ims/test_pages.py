"""Pages neither skip nor repeat, and a marker is good for its own list only."""

import base64
import random
import string
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

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


def mutated(dice: random.Random, marker: str) -> str:
    """Another text than the marker, made of it."""
    alphabet = string.ascii_letters + string.digits + "-_+/=.~ \n\u00e9"
    found = marker
    while found == marker:
        at, to = sorted(dice.sample(range(len(marker)), 2))
        found = dice.choice(
            [
                marker[:at] + dice.choice(alphabet) + marker[at + 1 :],
                marker[:-1] + dice.choice(alphabet),
                marker[:at] + dice.choice(alphabet) + marker[at:],
                marker[:at] + marker[to:],
                marker[:to],
                marker + marker[at:to],
                marker[:at] + marker[to] + marker[at + 1 : to] + marker[at] + marker[to + 1 :],
                marker.swapcase() if dice.random() < 0.1 else marker[::-1],
                f"{marker}{'=' * dice.randrange(1, 4)}",
            ]
        )
    return found


def test_none_of_a_thousand_mutated_markers_is_accepted(sample: World, call: Call) -> None:
    dice = random.Random(5)
    marker = call("alice", f"{PATH}?limit=5")["Link"].split("marker=")[1].split(">")[0]
    for _ in range(1000):
        forged = mutated(dice, marker)
        assert call("alice", f"{PATH}?nextpage_opaque_marker={quote(forged)}").status_code == 400, forged


def test_none_of_a_hundred_swapped_markers_is_accepted(sample: World, call: Call) -> None:
    """Each is good where it was given, and nowhere else."""
    oran = "/o2ims-infrastructureInventory/v1/resourceTypes"
    lists = [
        (who, path)
        for who in ("alice", "charlie", "root")
        for path in (PATH, "/o2ims/v1/resourceTypes", oran, "/o2ims/v1/resourcePools", "/admin/v1/roles")
    ]
    given = {}
    for who, path in lists:
        link = call(who, f"{path}?limit=1")["Link"]
        given[who, path] = link.split("marker=")[1].split(">")[0]
        assert call(who, f"{path}?nextpage_opaque_marker={given[who, path]}").status_code == 200
    swaps = [(one, other) for one in lists for other in lists if one != other]
    for (who, path), other in islice(cycle(swaps), 0, len(swaps), 2):
        assert call(who, f"{path}?nextpage_opaque_marker={given[other]}").status_code == 400, (path, other)
    assert len(swaps) / 2 >= 100


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
