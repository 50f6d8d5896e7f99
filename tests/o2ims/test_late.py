"""What is heard late, or in another order than it happened, takes nothing back: own writes and the watch tell
of the same object, each in its own time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from adapters.base import Options
from adapters.configuration import Backend
from adapters.ims.memory import Adapter as Memory
from adapters.registry import IMS, Plugin
from adapters.types import Batch, ResourcePool
from o2ims.models import Change, Item, Source
from o2ims.record import Record
from o2ims.sighting import Origin, sight
from o2ims.threads import in_thread
from tests.o2ims.test_collector import collecting, until
from tests.toy import Adapter as Toy
from tests.world import CAUSE, Recorded, World, backend, pool, resource

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def told(object_id: str | UUID) -> list[str]:
    """What was told of an object, in order."""
    return list(
        Change.objects.filter(object_id=object_id).order_by("sequence").values_list("type", flat=True)
    )


def lives(object_id: str | UUID) -> bool:
    return Item.objects.filter(object_id=object_id, deleted_at__isnull=True).exists()


@pytest.fixture
def one(world: World) -> Recorded:
    return world.source("one")


@pytest.fixture
def own(one: Recorded) -> Recorded:
    """The hand that writes down what a backend answered to an own write."""
    return Recorded(one.source, Record(one.source.pk, None, one.origin), one.origin)


class TestOwnWritesRecordedInAnotherOrder:
    def test_an_end_that_was_heard_before_its_beginning_stays_the_end(
        self, one: Recorded, own: Recorded
    ) -> None:
        """Made, and deleted by other hands; the watch was faster than the process that made it."""
        assert one.lose(pool(version="11")) == []
        assert own.see(pool(version="10")) == []
        assert not lives(own.id_of(pool()))
        (again,) = own.see(pool(version="12"))
        assert (again.type, lives(own.id_of(pool()))) == ("CREATE", True)

    def test_a_deletion_that_is_recorded_after_the_next_creation_does_not_end_that(
        self, one: Recorded, own: Recorded
    ) -> None:
        one.see(pool(version="9"))
        assert own.see(pool(version="11")) == [], "the very same again, made after the end of the first"
        assert own.lose(pool(version="10")) == []
        assert lives(own.id_of(pool()))
        assert [change.type for change in own.lose(pool(version="12"))] == ["DELETE"]

    def test_of_several_ends_the_newest_is_remembered(self, one: Recorded, own: Recorded) -> None:
        """Made once more after its end, and gone again, before whoever made it tells so."""
        one.see(pool(version="9"))
        one.lose(pool(version="10"))
        assert one.lose(pool(version="12")) == []
        assert own.lose(pool(version="10")) == [], "the first end, told late"
        assert own.see(pool(version="11")) == []
        assert not lives(own.id_of(pool()))
        assert [change.type for change in own.see(pool(version="13"))] == ["CREATE"]

    def test_what_is_seen_again_just_as_it_was_is_not_changed_by_what_was_before(
        self, one: Recorded, own: Recorded
    ) -> None:
        one.see(pool(version="9"))
        assert one.see(pool(version="12")) == []
        assert own.see(pool(description="in between", version="10")) == []
        assert own.lose(pool(version="11")) == []
        assert told(own.id_of(pool())) == ["CREATE"]

    def test_what_a_later_list_has_again_just_as_it_was_is_not_changed_by_what_was_before(
        self, one: Recorded, own: Recorded
    ) -> None:
        one.see(pool(version="9"))
        one.record.settle(listed_version="12")
        assert one.see(pool(version="12"), since=one.record.sequence()) == []
        assert own.see(pool(description="in between", version="10")) == []
        assert own.lose(pool(version="11")) == []
        assert told(own.id_of(pool())) == ["CREATE"]
        assert [change.type for change in own.lose(pool(version="13"))] == ["DELETE"]

    @pytest.mark.parametrize("shown", [True, False])
    def test_what_a_later_list_lacks_is_not_begun_by_who_made_it_and_tells_late(
        self, one: Recorded, own: Recorded, shown: bool
    ) -> None:
        if shown:
            one.see(pool(version="9"))
            one.record.gone([(sight(one.origin, pool()).key, "")], CAUSE)
        one.record.settle(listed_version="11")
        assert own.see(pool(version="9")) == []
        assert not lives(own.id_of(pool()))
        assert [change.type for change in own.see(pool(version="12"))] == ["CREATE"]

    def test_what_was_made_and_went_before_a_list_was_taken_ends_with_it(
        self, one: Recorded, own: Recorded
    ) -> None:
        """It was recorded after somebody had looked how far the log is, and before the list itself."""
        since = one.record.sequence()
        own.see(pool("before", version="10"), pool("after", version="13"))
        ends, living = one.record.missing(set(), since, as_of="12")
        assert living == 2
        changes = one.record.gone(ends, CAUSE, since=since)
        assert [(change.type, (change.before or {})["name"]) for change in changes] == [("DELETE", "before")]
        assert own.see(pool("before", version="10")) == []

    def test_without_versions_an_end_leaves_no_trace_that_a_later_beginning_could_stumble_over(
        self, world: World
    ) -> None:
        unordered = world.source("two", ordered=False)
        assert unordered.lose(pool(version="")) == []
        assert [change.type for change in unordered.see(pool(version=""))] == ["CREATE"]


async def test_the_watch_tells_the_end_of_what_came_and_went_between_two_looks(tmp_path: Path) -> None:
    """Whoever made it has told of it, and waits for nobody's watch."""
    memory = Memory(Options(name="one", key="one", config={"live": 0, "path": str(tmp_path / "state")}))
    batches = memory.watch("")
    assert (await anext(batches)).full
    memory.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
    gone = memory.delete_pool("workers", tenant="acme").gone
    batch = await anext(batches)
    assert (batch.objects, batch.gone) == ((), gone)
    await batches.aclose()
    memory.close()


async def test_the_watch_tells_what_is_made_again_just_as_it_was(tmp_path: Path) -> None:
    """Whoever ended it in between may tell that last."""
    memory = Memory(Options(name="one", key="one", config={"live": 0, "path": str(tmp_path / "state")}))
    workers = ResourcePool(native_id="", name="workers", tenant="acme")
    first = memory.create_pool("workers", workers).objects[0]
    batches = memory.watch("")
    assert first in (await anext(batches)).objects
    memory.delete_pool("workers", tenant="acme")
    again = memory.create_pool("workers", workers).objects
    batch = await anext(batches)
    assert (batch.objects, batch.gone) == (again, ())
    assert int(again[0].version) > int(first.version)
    await batches.aclose()
    memory.close()


class Relisting(Toy):
    """Its second list takes its time: it is made, signs of life are given, and only then it is told."""

    listed = threading.Event()
    go = threading.Event()

    async def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:
        """Everything; then, as a backend does that has lost its place, everything again."""
        yield Batch(objects=tuple(self.everything()), full=True, reason="start")
        yield Batch(objects=(resource("passing", tenant="acme", version="1"),))
        stale = tuple(self.everything())
        self.listed.set()
        while not self.go.is_set():
            await asyncio.sleep(0.02)
            yield Batch()
        yield Batch(objects=stale, full=True, reason="expired")
        while True:
            await asyncio.sleep(0.02)
            yield Batch()


@pytest.fixture
def relisting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Backend]:
    monkeypatch.setitem(IMS, "relisting", Plugin("tests.o2ims.test_late"))
    monkeypatch.setattr(f"{__name__}.Adapter", Relisting, raising=False)
    yield backend("one", kind="relisting", config={"live": 0, "path": str(tmp_path / "state")})
    Relisting.listed.clear()
    Relisting.go.clear()


async def test_a_list_that_began_before_an_own_write_takes_nothing_back(relisting: Backend) -> None:
    hands = Memory(Options(name="one", key="one", config=relisting.config))
    (edge,) = (found for found in hands.pools() if found.native_id == "pool-edge-1")

    def write() -> tuple[UUID, UUID]:
        """One pool is made and another changed, as a web process would record it."""
        source = Source.objects.get(key="one")
        origin = Origin("one", "", "mock", ordered=True, mapping_version=Memory.mapping_version)
        record = Record(source.pk, None, origin)
        made = hands.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        changed = hands.update_pool(
            edge.native_id,
            ResourcePool(
                native_id=edge.native_id, name=edge.name, tenant="acme", description="ours", extensions={}
            ),
        )
        sightings = [sight(origin, *batch.objects) for batch in (made, changed)]
        record.sightings(sightings, CAUSE)
        return sightings[0].object_id, sightings[1].object_id

    async with collecting(relisting):
        await until(Relisting.listed.is_set)
        made, changed = await in_thread(write)
        beats = Source.objects.values_list("listed_at", flat=True)
        before = await in_thread(beats.get)
        await asyncio.sleep(0.2)  # signs of life
        Relisting.go.set()
        await until(lambda: beats.get() != before)
    assert await in_thread(told, made) == ["CREATE"]
    assert await in_thread(told, changed) == ["CREATE", "MODIFY"]
    assert (await in_thread(lambda: Item.objects.get(object_id=changed))).body["description"] == "ours"
    hands.close()
