"""Three backends at once, of 100, 50 and 20 resources, 30 of which are machines that an earlier one has too:
however they are configured, lists, pages, counts and ids say the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from adapters.configuration import parse
from adapters.types import Kind, Resource
from o2ims.inventory import Inventory
from o2ims.mirror import mirror
from o2ims.models import Change, Source
from o2ims.turns import take_turns
from tenancy.scope import TenantScope
from tests.o2ims.test_merge import items, machine
from tests.world import World, pool, small

Call = Callable[..., Any]
RESOURCES = "/o2ims/v1/resources"
MACHINES = {"kubernetes": range(100), "openstack": range(80, 130), "metal": range(120, 140)}


@dataclass(frozen=True)
class Case:
    """A way to configure the three, and which of them are read then, in the order of the file."""

    read: tuple[str, ...]
    group: tuple[str, ...] = ()
    strategy: str = "fallback"
    disabled: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    silent: dict[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ("kubernetes", "openstack", "metal")


KUBE, STACK, METAL = "kubernetes", "openstack", "metal"
ALL = (KUBE, STACK, METAL)
CASES = {
    "all are read as one": Case(ALL),
    "in another order of the file": Case((METAL, STACK, KUBE), order=(METAL, STACK, KUBE)),
    "the first is disabled": Case((STACK, METAL), disabled=(KUBE,)),
    "the second is disabled": Case((KUBE, METAL), disabled=(STACK,)),
    "one is down, and shown as it was": Case(ALL, down=(KUBE,)),
    "two take turns beside one": Case((KUBE, STACK), group=(STACK, METAL)),
    "of two that take turns the first is down": Case((KUBE, METAL), group=(STACK, METAL), down=(STACK,)),
    "of two that take turns the first is disabled": Case(
        (KUBE, METAL), group=(STACK, METAL), disabled=(STACK,)
    ),
    "of two that take turns none is well": Case((KUBE, STACK), group=(STACK, METAL), down=(STACK, METAL)),
    "the order of a group is its own": Case((KUBE, METAL), group=(METAL, STACK)),
    "all take turns": Case((KUBE,), group=ALL),
    "all take turns, and two are down": Case((METAL,), group=ALL, down=(KUBE, STACK)),
    "the first that was well goes on": Case(
        (KUBE,), group=ALL, strategy="first", silent={KUBE: 9, STACK: 1, METAL: 5}
    ),
    "then the freshest": Case(
        (METAL,), group=ALL, strategy="first", down=(KUBE,), silent={STACK: 5, METAL: 1}
    ),
}


@pytest.fixture
def three(world: World) -> World:
    for name, numbers in MACHINES.items():
        world.add(name, things=[*small(0), *map(machine, numbers)])
    return world


def configure(three: World, case: Case) -> None:
    """The file is read, and the worker and the mirror do what they do each second."""
    adapters = [{"name": name, "type": "mock", "enabled": name not in case.disabled} for name in case.order]
    group = {"oCloud": "ocloud-test", "strategy": case.strategy, "sources": list(case.group)}
    text = {
        "oCloud": {"id": "ocloud-test"},
        "adapters": adapters,
        "aggregation": [group] if case.group else [],
    }
    Source.objects.follow(parse(yaml.safe_dump(text)))
    for name, source in three.sources.items():
        state = Source.State.DOWN if name in case.down else Source.State.UP
        source.is_now(state, error_class="Unreachable", silent=case.silent.get(name, 0.0))
    take_turns()
    three.follow()


def expected(three: World, case: Case) -> set[str]:
    """The ids of what lists show: each machine once, as the first of those that are read has it."""
    shown: dict[int, str] = {}
    for name in case.read:
        for number in MACHINES[name]:
            shown.setdefault(number, three.sources[name].id_of(machine(number)))
    return set(shown.values())


def followed(three: World) -> set[str]:
    """The resources that are left for who follows every announced change; nothing is announced that is there
    already, or is not there."""
    left: set[str] = set()
    rows = Change.objects.filter(announced=True, kind=Kind.RESOURCE).order_by("pk")
    for type_, id_ in rows.values_list("type", "object_id"):
        assert (str(id_) in left) == (type_ != "CREATE")
        (left.discard if type_ == "DELETE" else left.add)(str(id_))
    return left


def pages(call: Call, limit: int, query: str = "") -> Iterator[list[str]]:
    """The ids on each page, by following the links."""
    path = f"{RESOURCES}?limit={limit}{query}"
    while path:
        answer = call("alice", path)
        yield [item["resourceId"] for item in items(answer)]
        path = answer.get("Link", "").partition("<http://testserver")[2].partition(">")[0]


@pytest.mark.parametrize("name", CASES)
def test_lists_pages_counts_and_ids_agree(three: World, call: Call, name: str) -> None:
    case = CASES[name]
    before = Change.objects.count()
    configure(three, case)
    wanted = expected(three, case)
    (whole,) = pages(call, 1000)
    assert whole == sorted(wanted)
    for limit, query in ((9, ""), (23, "&filter=(cont,name,m-)")):
        parts = list(pages(call, limit, query))
        assert [id_ for part in parts for id_ in part] == whole
        assert {len(part) for part in parts[:-1]} <= {limit}
    by_number = [
        items(call("alice", f"{RESOURCES}?limit=50&nextpage_opaque_marker={n}")) for n in range(1, 5)
    ]
    last = -(-len(whole) // 50)
    assert [item["resourceId"] for part in by_number[:last] for item in part] == whole
    assert by_number[last:] == [by_number[last - 1]] * (4 - last), "past the end is the end"
    for source, numbers in MACHINES.items():
        made = three.sources[source]
        status = 200 if source in case.read else 404
        for number in numbers[::13]:
            assert call("alice", f"{RESOURCES}/{made.id_of(machine(number))}").status_code == status
        inside = call("alice", f"/o2ims/v1/resourcePools/{made.id_of(pool())}/resources?limit=100")
        assert inside.status_code == status
        if status == 200:
            assert len(items(inside)) == len(numbers)
            entry = Inventory(TenantScope.of("acme")).get(Kind.RESOURCE_POOL, made.id_of(pool()))
            assert Inventory(TenantScope.of("acme")).count(entry) == len(numbers)
    assert metric("netweave_duplicate_assets") == sum(len(MACHINES[n]) for n in case.read) - len(wanted)
    stale = call("alice", RESOURCES).get("Proxy-Status", "")
    assert [n for n in MACHINES if f"source={n}" in stale] == [
        n for n in MACHINES if n in {*case.read} & {*case.down}
    ]
    assert followed(three) >= expected(three, case), "who follows what is announced has what is read"
    if not case.group:
        assert Change.objects.count() == before, "how sources are read is no change of what they have"


def test_what_is_configured_otherwise_and_back_is_as_it_was(three: World, call: Call) -> None:
    (before,) = pages(call, 1000)
    for name in (
        "the first is disabled",
        "all take turns",
        "two take turns beside one",
        "all are read as one",
    ):
        configure(three, CASES[name])
        (now,) = pages(call, 1000)
        assert (now == before) == (name == "all are read as one")
        assert followed(three) >= set(now)
    assert metric("netweave_items", source=METAL, kind="Resource") == 20


def test_of_a_source_that_is_taken_out_no_metric_is_left(three: World) -> None:
    assert metric("netweave_source_up", source=STACK) == 1
    configure(three, CASES["one is down, and shown as it was"])
    assert metric("netweave_source_error", source=KUBE, error_class="Unreachable") == 1
    configure(three, Case((METAL,), disabled=(KUBE, STACK)))
    for name in (KUBE, STACK):
        assert metric("netweave_source_up", source=name) is None
        assert metric("netweave_items", source=name, kind="Resource") is None
        assert metric("netweave_source_error", source=name, error_class="Unreachable") is None
    assert metric("netweave_source_up", source=METAL) == 1


def test_a_machine_that_moves_from_one_backend_to_another_is_never_missing(three: World, call: Call) -> None:
    """It is seen by the new one first, or is gone from the old one first; then the other way round again."""
    moving: Resource = machine(10)
    three.sources[METAL].see(moving)
    three.follow()
    assert by_asset(call)["urn:uuid:10"] == three.sources[KUBE].id_of(moving)
    three.sources[KUBE].lose(machine(10, version="2"))
    three.follow()
    assert by_asset(call)["urn:uuid:10"] == three.sources[METAL].id_of(moving)
    three.sources[STACK].see(moving)
    three.follow()
    assert by_asset(call)["urn:uuid:10"] == three.sources[STACK].id_of(moving)
    assert len(mirror.assets.twins(next(iter(mirror.assets.twice.values()))[0])) == 1


def by_asset(call: Call) -> dict[str, str]:
    return {
        item["globalAssetId"]: item["resourceId"] for item in items(call("alice", f"{RESOURCES}?limit=1000"))
    }


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)
