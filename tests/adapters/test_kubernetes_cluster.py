"""What is told step by step adds up to what a reading of everything says: for any order of any changes."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.types import KINDS, InventoryObject, Kind, Resource
from tests.adapters.kubernetes_objects import (
    TENANT,
    Manifest,
    becomes,
    capi_machine,
    capi_set,
    deployment,
    machine,
    machine_pool,
    machine_set,
    namespace,
    node,
    storage_class,
    stored,
    volume,
)
from tests.adapters.test_kubernetes_mapping import World

State = dict[tuple[Kind, str], InventoryObject]


def variants() -> dict[str, list[Manifest]]:
    """Objects that refer to each other in every way, in several states each."""
    pool, top = stored(machine_set("ms")), stored(deployment("md"))
    middle = stored(capi_set("md-x", owner=top))
    labels: tuple[dict[str, str], ...] = (
        {},
        {"agentpool": "a"},
        {TENANT: "acme"},
        {"node.kubernetes.io/instance-type": "m5"},
    )
    claims = {"machine.openshift.io/machine": "openshift-machine-api/m-1"}
    found: dict[str, list[Manifest]] = {
        "pool": [pool, stored(machine_set("ms", tenant="acme")), stored(machine_set("ms", replicas=0))],
        "top": [top, stored(deployment("md", tenant="globex"))],
        "middle": [middle, stored(capi_set("md-x"))],
        "machine pool": [stored(machine_pool("mp", names)) for names in ((), ("n-1",), ("n-1", "n-2"))],
        "namespace": [stored(namespace("ns", tenant)) for tenant in ("", "acme")],
        "class": [stored(storage_class("fast"))],
        "volume": [stored(volume("pv", storage_class=name, claim="ns/x")) for name in ("", "fast")],
    }
    for name in ("n-1", "n-2", "n-3"):
        plain = [stored(node(name, labels=label)) for label in labels]
        found[name] = [
            *plain,
            stored(node(name), annotations=claims),
            stored(node(name, providerID="lab://same")),
        ]
    for name in ("m-1", "m-2"):
        made = [
            stored(machine(name)),
            stored(machine(name, owner=pool)),
            stored(capi_machine(name, owner=middle)),
        ]
        same = stored(machine(name))
        same["spec"]["providerID"] = "lab://same"
        joined = [becomes(one, target) for one in made for target in ("n-1", "n-2")]
        found[name] = [*made[:2], *joined[:4], same]
        found[f"capi {name}"] = [made[2], *joined[4:]]
    return found


VARIANTS = variants()


def add_up(state: State, world: World, changes: object) -> None:
    assert not getattr(changes, "skipped")  # noqa: B009 - Changes, of the module under test
    for gone in changes.gone:  # type: ignore[attr-defined]
        state.pop((gone.kind, gone.native_id), None)  # it may have come and gone in one step
    for thing in changes.objects:  # type: ignore[attr-defined]
        key = (KINDS[type(thing)], thing.native_id)
        assert state.get(key) != replace(thing, version=""), "only what is different is told"
        state[key] = replace(thing, version="")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(sorted(VARIANTS)), st.integers(0, 7)), min_size=1, max_size=4),
        max_size=15,
    ),
    st.randoms(use_true_random=False),
)
def test_steps_add_up_to_a_reading(steps: list[list[tuple[str, int]]], dice: random.Random) -> None:
    world, there = World(), dict[str, Manifest]()
    state: State = {}
    add_up(state, world, world.first)
    for step in steps:
        world.version += 1
        for name, choice in step:
            if choice >= len(VARIANTS[name]):
                if name in there:
                    take(world, there.pop(name), gone=True)
                continue
            there[name] = VARIANTS[name][choice]
            take(world, there[name], gone=False)
        add_up(state, world, world.cluster.drain())
        everything = list(there.values())
        dice.shuffle(everything)
        fresh: State = {}
        add_up(fresh, world, World(*everything).first)
        assert state == fresh
        for thing in state.values():
            if isinstance(thing, Resource):
                assert (Kind.RESOURCE_POOL, thing.pool_native_id) in state
                assert (Kind.RESOURCE_TYPE, thing.type_native_id) in state


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (Kind.RESOURCE_POOL, stored(machine_set("ms"))),
        (Kind.RESOURCE_POOL, stored(deployment("md"))),
        (Kind.RESOURCE, stored(machine("m-1"))),
        (Kind.RESOURCE, becomes(stored(machine("m-1")), "n-1")),
    ],
    ids=["machine set", "deployment", "machine", "machine of a node"],
)
def test_what_came_and_went_between_two_looks_is_gone(kind: Kind, made: Manifest) -> None:
    """Whoever made it may tell so after that."""
    world, uid = World(stored(node("n-1"))), made["metadata"]["uid"]
    world.version = 100

    def ends(*happened: bool) -> list[tuple[Kind, str]]:
        """The versions of its ends that are told, after it was made or (True) deleted."""
        for gone in happened:
            world.version += 1
            take(world, made, gone=gone)
        return [(end.kind, end.version) for end in world.cluster.drain().gone if end.native_id == uid]

    assert ends(False, True) == [(kind, "102")]
    assert ends() == []
    assert ends(False, True, False) == []
    assert ends(True, False, True) == [(kind, "108")], "once"


def take(world: World, manifest: Manifest, *, gone: bool) -> None:
    from tests.adapters.test_kubernetes_mapping import table

    world.cluster.take(table(manifest), manifest, world.version, gone=gone)
