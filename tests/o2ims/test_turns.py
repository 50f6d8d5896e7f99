"""Sources that are read one at a time: whose turn it is, and that only that one is shown."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.aggregation import Group, Strategy
from o2ims.models import Change, Source
from o2ims.record import Record
from o2ims.sighting import Origin
from o2ims.turns import Candidate, choose, take_turns
from tests.world import Recorded, World, backend, resource, small

Call = Callable[..., Any]


def candidate(number: int, *, active: bool = False, up: bool = True, silent: float | None = 0.0) -> Candidate:
    return Candidate(number, str(number), active, up, silent, 20.0)


class TestFallback:
    def test_the_first_healthy_one_in_order_is_read(self) -> None:
        both = [candidate(1), candidate(2, active=True)]
        assert choose("fallback", both).id == 1

    @pytest.mark.parametrize("ill", [{"up": False}, {"silent": 21.0}, {"silent": None}])
    def test_the_next_one_where_it_is_not_healthy(self, ill: dict[str, Any]) -> None:
        assert choose("fallback", [candidate(1, active=True, **ill), candidate(2)]).id == 2

    def test_where_none_is_healthy_it_stays(self) -> None:
        assert choose("fallback", [candidate(1, up=False), candidate(2, active=True, up=False)]).id == 2
        assert choose("fallback", [candidate(1, up=False), candidate(2, up=False)]).id == 1


class TestFirst:
    def test_the_one_that_is_read_goes_on_while_it_is_healthy(self) -> None:
        assert choose("first", [candidate(1, silent=0.1), candidate(2, active=True, silent=9.0)]).id == 2

    def test_then_the_freshest_takes_over(self) -> None:
        three = [candidate(1, silent=3.0), candidate(2, active=True, up=False), candidate(3, silent=1.0)]
        assert choose("first", three).id == 3


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


@pytest.fixture
def pair(world: World) -> World:
    """Two sources of one O-Cloud that make the same ids, in a fallback group; what the second has is one
    more."""
    world.add("one", things=small(2))
    world.add("two", things=small(3))
    group = Group(o_cloud="ocloud-test", strategy=Strategy.FALLBACK, sources=("one", "two"))
    for order, name in enumerate(group.sources):
        Source.take(backend(name), order, group)
    take_turns()
    world.follow()
    return world


def test_only_the_one_whose_turn_it_is_is_shown(pair: World, call: Call) -> None:
    assert len(names(call("alice", "/o2ims/v1/resources"))) == 2
    pair.sources["one"].is_now(Source.State.DOWN, error_class="Unreachable")
    assert take_turns() == 2
    pair.follow()
    assert len(names(call("alice", "/o2ims/v1/resources"))) == 3
    assert "Proxy-Status" not in call("alice", "/o2ims/v1/resources")
    hidden = pair.sources["one"].id_of(resource("node-1"))
    assert call("alice", f"/o2ims/v1/resources/{hidden}").status_code == 404
    pair.sources["one"].is_now(Source.State.UP)
    assert take_turns() == 2
    pair.follow()
    assert call("alice", f"/o2ims/v1/resources/{hidden}").status_code == 200


def test_nothing_changes_where_nothing_is_to_change(pair: World) -> None:
    assert take_turns() == 0


def test_what_changes_while_it_waits_is_there_when_its_turn_comes(pair: World, call: Call) -> None:
    pair.sources["two"].see(resource("node-9", version="9"))
    pair.follow()
    assert "node-9" not in names(call("alice", "/o2ims/v1/resources"))
    pair.sources["one"].is_now(Source.State.DOWN)
    take_turns()
    pair.follow()
    assert "node-9" in names(call("alice", "/o2ims/v1/resources"))


def test_out_of_its_group_a_source_is_read_again(pair: World, call: Call) -> None:
    Source.take(backend("two"), 1, None)
    before = Change.objects.filter(source__key="two").count()
    assert take_turns() == 1
    pair.follow()
    assert len(names(call("alice", "/o2ims/v1/resources"))) == 5
    told = Change.objects.filter(source__key="two").order_by("sequence")[before:]
    assert [change.type for change in told] == ["CREATE"] * 5
    assert take_turns() == 0


def heard(*sources: str) -> list[tuple[str, str, str]]:
    """What subscribers hear of: the type, kind and name of every announced change, in the log's order."""
    rows = Change.objects.filter(source__key__in=sources, announced=True).order_by("source", "sequence")
    return [(row.type, row.kind, (row.after or row.before or {})["name"]) for row in rows]


@pytest.fixture
def twins(world: World) -> World:
    """The same backend by two ways, in a fallback group: one id, whoever tells it. The second way knows
    node-1 by another description, has no node-2 and has a node-3."""
    group = Group(o_cloud="ocloud-test", strategy=Strategy.FALLBACK, sources=("one", "two"))
    first, second = small(2), [*small(1)[:2], resource("node-1", description="other"), resource("node-3")]
    for order, (name, things) in enumerate({"one": first, "two": second}.items()):
        Source.take(backend(name), order, group)
        source = Source.objects.get(key=name)
        origin = Origin("both", "", "mock", ordered=True, mapping_version=1)
        made = world.sources[name] = Recorded(source, Record(source.pk, None, origin), origin)
        made.see(*things)
        made.is_now(Source.State.UP)
    return world


def test_of_a_group_only_the_one_that_is_read_is_announced(twins: World) -> None:
    assert [name for _, _, name in heard("one", "two")] == ["type-1", "pool-1", "node-1", "node-2"]


def test_a_switch_announces_the_difference_once(twins: World) -> None:
    twins.sources["one"].is_now(Source.State.DOWN)
    take_turns()
    assert heard("two") == [
        ("DELETE", "Resource", "node-2"),
        ("MODIFY", "Resource", "node-1"),
        ("CREATE", "Resource", "node-3"),
    ]
    changed = Change.objects.get(source__key="two", announced=True, type="MODIFY")
    assert [state["description"] for state in (changed.before, changed.after) if state] == ["", "other"]
    take_turns()
    assert len(heard("two")) == 3


def test_back_again_it_is_told_the_other_way_round(twins: World) -> None:
    twins.sources["one"].is_now(Source.State.DOWN)
    take_turns()
    twins.sources["one"].is_now(Source.State.UP)
    take_turns()
    assert heard("one")[4:] == [
        ("DELETE", "Resource", "node-3"),
        ("MODIFY", "Resource", "node-1"),
        ("CREATE", "Resource", "node-2"),
    ]
    assert Source.objects.get(key="one").last_sequence == Change.objects.filter(source__key="one").count()
