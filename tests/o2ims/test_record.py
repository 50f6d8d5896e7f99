"""Seen things become facts once, in order, and never twice."""

from dataclasses import replace

import pytest

from adapters.types import Kind, Resource
from o2ims.lease import Lease
from o2ims.models import Change, Item, Source
from o2ims.record import Fenced
from o2ims.sighting import sight
from tests.world import CAUSE, World, pool, resource, small

C, M, D = Change.Type.CREATE, Change.Type.MODIFY, Change.Type.DELETE


def test_the_first_sight_of_each_object_is_one_create(world: World) -> None:
    changes = world.source("one").see(*small())
    assert [(change.type, change.kind) for change in changes] == [
        (C, "ResourceType"),
        (C, "ResourcePool"),
        (C, "Resource"),
        (C, "Resource"),
        (C, "Resource"),
    ]
    assert Item.objects.count() == 5
    assert [change.sequence for change in Change.objects.order_by("sequence")] == [1, 2, 3, 4, 5]
    assert Source.objects.get(key="one").last_sequence == 5


def test_a_repeat_is_nothing(world: World) -> None:
    one = world.source("one")
    one.see(*small())
    assert one.see(*small()) == []
    assert one.see(*(replace(thing, version="99") for thing in small())) == []
    assert Change.objects.count() == 5


def test_a_modification_tells_before_and_after(world: World) -> None:
    one = world.source("one")
    one.see(resource(description="old"))
    (change,) = one.see(resource(description="new", version="2"))
    before, after = change.before or {}, change.after or {}
    assert (change.type, before["description"], after["description"]) == (M, "old", "new")
    assert change.request_id == "a-request"
    assert change.traceparent.startswith("00-1111")


def test_an_older_state_never_replaces_a_newer_one(world: World) -> None:
    one = world.source("one")
    one.see(resource(description="new", version="20"))
    assert one.see(resource(description="old", version="9")) == []
    assert Item.objects.get().body["description"] == "new"


def test_a_deleted_object_is_not_revived_by_what_was_seen_before_its_end(world: World) -> None:
    one = world.source("one")
    one.see(resource(version="5"))
    (change,) = one.lose(resource(version="7"))
    assert (change.type, (change.before or {})["name"], change.after) == (D, "node-1", None)
    assert one.see(resource(version="6")) == []
    assert one.see(resource(version="7")) == []
    (revived,) = one.see(resource(version="8"))
    assert (revived.type, revived.before) == (C, None)
    assert Item.objects.get().deleted_at is None


def test_losing_twice_is_one_delete(world: World) -> None:
    one = world.source("one")
    one.see(resource())
    assert len(one.lose(resource(version="2"))) == 1
    assert one.lose(resource(version="3")) == []
    assert one.lose(resource("never-there")) == []


def test_without_versions_a_list_leaves_alone_what_changed_after_it_began(world: World) -> None:
    one = world.source("one", ordered=False)
    one.see(resource(description="first"))
    began = one.record.sequence()
    one.see(resource(description="written meanwhile"))
    assert one.see(resource(description="first"), since=began) == []
    assert Item.objects.get().body["description"] == "written meanwhile"


def test_an_object_that_moves_to_another_tenant_ends_there_and_begins_here(world: World) -> None:
    one = world.source("one")
    one.see(pool(tenant="acme"))
    ended, begun = one.see(pool(tenant="globex", version="2"))
    assert (ended.type, ended.tenant, ended.after) == (D, "acme", None)
    assert (begun.type, begun.tenant, begun.before) == (C, "globex", None)
    assert begun.sequence == ended.sequence + 1
    assert Item.objects.get().tenant == "globex"


def test_what_carries_no_tenant_is_the_sources(world: World) -> None:
    world.source("one", tenant="globex").see(pool(tenant=None))
    assert Item.objects.get().tenant == "globex"


def test_a_new_mapping_updates_without_a_change_and_has_mirrors_load_again(world: World) -> None:
    world.source("one").see(*small())
    generation = Source.objects.get(key="one").generation
    newer = world.source("one", mapping_version=99)
    mapped = [replace(thing, description="mapped better") for thing in small()]
    assert newer.see(*mapped) == []
    assert {item.body["description"] for item in Item.objects.all()} == {"mapped better"}
    assert Source.objects.get(key="one").generation > generation
    assert newer.see(*mapped) == []


def test_a_paused_old_owner_records_nothing(world: World) -> None:
    old = world.source("one")
    Source.objects.update(owner="", lease_expires_at=None)
    assert Lease.acquire(old.source.pk, "new") is not None
    with pytest.raises(Fenced):
        old.see(resource())
    with pytest.raises(Fenced):
        old.lose(resource())
    with pytest.raises(Fenced):
        old.record.settle(state=Source.State.UP)
    assert not Item.objects.exists()


def test_more_than_one_transaction_keeps_the_sequence_gapless(world: World) -> None:
    one = world.source("one")
    one.see(*(resource(f"node-{number}") for number in range(1201)))
    sequences = list(Change.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, 1202))


def test_children_go_before_their_parents(world: World) -> None:
    one = world.source("one")
    one.see(*small())
    assert [change.kind for change in one.lose(*small())] == ["Resource"] * 3 + [
        "ResourcePool",
        "ResourceType",
    ]


def test_what_a_complete_list_lacks_is_missing_but_not_what_came_after_it_began(world: World) -> None:
    one = world.source("one")
    one.see(*small())
    began = one.record.sequence()
    one.see(resource("node-late"))
    missing, living = one.record.missing(
        {(Kind.RESOURCE_POOL, Item.objects.get(kind="ResourcePool").object_id)}, began
    )
    assert living == 6
    assert sorted(kind for (kind, _), _ in missing) == ["Resource", "Resource", "Resource", "ResourceType"]


def test_a_derived_id_shows_its_native_one_and_a_uuid_stays_itself(world: World) -> None:
    native = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    world.source("one").see(resource(native), resource("node-1"))
    derived = Item.objects.get(native_id="node-1")
    assert str(Item.objects.get(native_id=native).object_id) == native
    assert "mock.nativeId" not in Item.objects.get(native_id=native).body["extensions"]
    assert derived.body["extensions"] == {"mock.nativeId": "node-1"}


def test_the_same_native_id_in_two_sources_is_two_objects(world: World) -> None:
    world.source("one").see(resource())
    world.source("two").see(resource())
    assert len(set(Item.objects.values_list("object_id", flat=True))) == 2


def test_a_nul_character_does_not_stop_the_recording(world: World) -> None:
    world.source("one").see(resource(description="a\0b"))
    assert Item.objects.get().body["description"] == "a\ufffdb"


def test_a_complete_list_is_believed_also_where_versions_went_back(world: World) -> None:
    one = world.source("one")
    one.see(resource(description="before the restore", version="1000"))
    began = one.record.sequence()
    assert one.see(resource(description="restored", version="500")) == []
    (change,) = one.see(resource(description="restored", version="500"), since=began)
    assert change.type == M


def test_a_complete_list_does_not_undo_what_was_seen_after_it_began(world: World) -> None:
    one = world.source("one")
    one.see(resource(description="first", version="5"))
    began = one.record.sequence()
    one.see(resource(description="newer", version="9"))
    one.see(resource("node-2", version="9"))
    one.lose(resource("node-2", version="10"))
    assert (
        one.see(resource(description="first", version="7"), resource("node-2", version="7"), since=began)
        == []
    )


def test_what_was_inferred_to_be_gone_comes_back_with_any_version(world: World) -> None:
    one = world.source("one")
    one.see(resource(version="5"))
    one.record.gone([(sight(one.origin, resource()).key, "")], CAUSE)
    (change,) = one.see(resource(version="5"))
    assert change.type == C


def test_what_changed_after_a_list_began_is_not_gone(world: World) -> None:
    one = world.source("one")
    one.see(resource())
    began = one.record.sequence()
    one.see(resource(description="just written", version="2"))
    assert one.record.gone([(sight(one.origin, resource()).key, "")], CAUSE, since=began) == []


def test_of_the_same_object_twice_the_newer_counts(world: World) -> None:
    one = world.source("one")
    (change,) = one.see(resource(description="new", version="7"), resource(description="old", version="5"))
    assert (change.after or {})["description"] == "new"


def test_going_back_a_release_announces_nothing(world: World) -> None:
    world.source("one", mapping_version=99).see(*small())
    older = world.source("one", mapping_version=1)
    assert older.see(*(replace(thing, description="mapped as before") for thing in small())) == []


@pytest.mark.parametrize(
    "hostile",
    [
        resource(tenant="x" * 64),
        resource(tenant="a\0b"),
        resource("a\0b"),
        resource(""),
        resource(version="0x10"),
        resource(extensions={"mock.big": 2**70}),
        resource(extensions={"mock.odd": object()}),
    ],
    ids=[
        "long tenant",
        "NUL in the tenant",
        "NUL in the id",
        "no id",
        "odd version",
        "big number",
        "no JSON",
    ],
)
def test_what_cannot_be_stored_is_told_before_it_meets_the_others(world: World, hostile: Resource) -> None:
    one = world.source("one")
    with pytest.raises((ValueError, TypeError)):
        sight(one.origin, hostile)
