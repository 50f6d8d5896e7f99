"""A source is followed, whatever happens to its backend: nothing is lost, nothing is invented, and its
state is told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from adapters.base import Options
from adapters.configuration import Backend
from adapters.errors import Unauthorized, Unreachable
from adapters.ims.memory import Adapter as Memory
from adapters.registry import IMS, Plugin
from o2ims import metrics
from o2ims.collector import Collector
from o2ims.models import Change, Item, Source
from o2ims.threads import in_thread
from tests.toy import Adapter as Toy
from tests.world import backend

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(IMS, "toy", Plugin("tests.toy"))
    yield
    Toy.reset()


@pytest.fixture
def shared(tmp_path: Path) -> Backend:
    """A backend whose state the test can change from outside."""
    return backend("one", kind="toy", config={"live": 0, "path": str(tmp_path / "state")})


@pytest.fixture
def outside(shared: Backend) -> Iterator[Memory]:
    adapter = Memory(Options(name="one", key="one", config=shared.config))
    adapter.check()
    yield adapter
    adapter.close()


@asynccontextmanager
async def collecting(source: Backend, owner: str = "test") -> AsyncIterator[None]:
    await in_thread(Source.take, source, 0)
    task = asyncio.create_task(Collector(source, owner).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await in_thread(condition):  # noqa: ASYNC110 - what is waited for happens in a database
            await asyncio.sleep(0.05)


def state() -> str:
    return Source.objects.get(key="one").state


def living() -> int:
    return Item.objects.filter(deleted_at__isnull=True).count()


async def test_everything_is_recorded_and_then_each_change(shared: Backend, outside: Memory) -> None:
    async with collecting(shared):
        await until(lambda: state() == "up")
        assert await in_thread(living) == 132
        outside.tick()
        await until(lambda: Change.objects.count() == 133)
        outside.delete_resource("node-mock-001", tenant="acme")
        await until(lambda: living() == 131)
        (last,) = await in_thread(lambda: list(Change.objects.order_by("-sequence")[:1]))
        assert (last.type, (last.before or {})["extensions"]["mock.nativeId"]) == ("DELETE", "node-mock-001")
    source = await in_thread(lambda: Source.objects.get(key="one"))
    assert source.owner == ""
    assert "resource-create" in source.abilities
    assert source.contact_at is not None


async def test_a_restart_with_nothing_changed_is_no_change(shared: Backend, outside: Memory) -> None:
    for _ in range(3):
        async with collecting(shared):
            await until(lambda: state() == "up" and Source.objects.get(key="one").owner)
            await asyncio.sleep(0.3)
    assert await in_thread(Change.objects.count) == 132


async def test_what_happened_while_away_is_told_when_back(shared: Backend, outside: Memory) -> None:
    async with collecting(shared):
        await until(lambda: living() == 132)
    outside.delete_resource("node-mock-002", tenant="acme")
    outside.tick()
    async with collecting(shared):
        await until(lambda: Change.objects.count() == 134)
        assert await in_thread(living) == 131


async def test_a_backend_that_fails_is_down_with_its_reason_and_keeps_its_objects(shared: Backend) -> None:
    async with collecting(shared):
        await until(lambda: living() == 132)
    Toy.fault = Unauthorized("one", "the token is wrong")
    async with collecting(shared):
        await until(lambda: state() == "down")
        source = await in_thread(lambda: Source.objects.get(key="one"))
        assert (source.error_class, source.error) == ("Unauthorized", "one: the token is wrong")
        assert await in_thread(living) == 132
        Toy.reset()
        await until(lambda: state() == "up")
        assert await in_thread(Change.objects.count) == 132
        assert metrics.SOURCE_UP.labels("one")._value.get() == 1


async def test_a_bug_in_an_adapter_is_not_shown_in_its_words(
    shared: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Toy) -> None:
        raise KeyError("internal detail")

    monkeypatch.setattr(Toy, "check", broken)
    async with collecting(shared):
        await until(lambda: state() == "down")
        assert "internal detail" not in (await in_thread(lambda: Source.objects.get(key="one"))).error


async def test_one_object_that_cannot_be_mapped_is_skipped_and_counted(shared: Backend) -> None:
    Toy.garbled = True
    async with collecting(shared):
        await until(lambda: state() == "up")
        source = await in_thread(lambda: Source.objects.get(key="one"))
        assert source.skipped == 1
        assert await in_thread(living) == 132


async def test_an_object_that_can_no_longer_be_mapped_is_not_announced_as_deleted(
    shared: Backend, outside: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(shared):
        await until(lambda: living() == 132)
    original = Toy.everything

    def garbled(self: Toy) -> Iterator[Any]:
        for thing in original(self):
            odd = thing.native_id == "node-mock-001"
            yield replace(thing, extensions={"mock.odd": object()}) if odd else thing

    monkeypatch.setattr(Toy, "everything", garbled)
    async with collecting(shared):
        await until(lambda: Source.objects.get(key="one").skipped == 1)
        assert await in_thread(Change.objects.count) == 132
        assert await in_thread(living) == 132


async def test_a_source_that_hangs_delays_no_other(shared: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(self: Toy) -> None:
        if self.name != "one":
            release.wait(30)

    monkeypatch.setattr(Toy, "check", hang)
    stuck = [backend(f"stuck-{number}", kind="toy") for number in range(8)]
    async with AsyncExitStack() as stack:
        for source in stuck:
            await stack.enter_async_context(collecting(source))
        await asyncio.sleep(0.5)
        async with collecting(shared):
            await until(lambda: Source.objects.get(key="one").state == "up", seconds=10)
        release.set()


async def test_mass_disappearance_is_held_back_and_believed_the_second_time(
    shared: Backend, settings: Settings
) -> None:
    settings.HOLD_DELAY = settings.HOLD_DELAY * 0.02
    async with collecting(shared):
        await until(lambda: living() == 132)
    Toy.hidden = 60
    async with collecting(shared):
        await until(lambda: state() == "holding")
        assert await in_thread(living) == 132
        assert "60 of 132" in (await in_thread(lambda: Source.objects.get(key="one"))).error
        await until(lambda: living() == 72)
        await until(lambda: state() == "up")


async def test_a_list_that_was_short_once_deletes_nothing(shared: Backend, settings: Settings) -> None:
    settings.HOLD_DELAY = settings.HOLD_DELAY * 0.02
    async with collecting(shared):
        await until(lambda: living() == 132)
    Toy.hidden = 60
    async with collecting(shared):
        await until(lambda: state() == "holding")
        Toy.hidden = 0
        await until(lambda: state() == "up")
        assert await in_thread(Change.objects.count) == 132


async def test_a_periodic_comparison_repairs_what_differs_and_counts_it(
    shared: Backend, settings: Settings
) -> None:
    settings.COMPARE_INTERVAL = settings.COMPARE_INTERVAL * 0.002
    repairs = metrics.REPAIRS.labels("one")._value
    before = repairs.get()
    async with collecting(shared):
        await until(lambda: living() == 132)
        tampered = Item.objects.filter(native_id="node-mock-003")
        await in_thread(lambda: tampered.update(hash=b"x", body={"id": "x", "name": "tampered"}))
        await until(lambda: tampered.get().body["name"] != "tampered")
        await until(lambda: repairs.get() == before + 1)
    assert await in_thread(Change.objects.count) == 133


async def test_a_comparison_tells_nothing_new_while_things_change(
    shared: Backend, outside: Memory, settings: Settings
) -> None:
    settings.COMPARE_INTERVAL = settings.COMPARE_INTERVAL * 0.002
    repairs = metrics.REPAIRS.labels("one")._value
    before, relists = repairs.get(), metrics.RELISTS.labels("one", "compare")._value
    listed = relists.get()
    async with collecting(shared):
        await until(lambda: living() == 132)
        for _ in range(200):
            outside.tick()
            await asyncio.sleep(0.02)
        await until(lambda: relists.get() > listed)
        await asyncio.sleep(0.3)
    assert repairs.get() == before
    changes = await in_thread(
        lambda: list(Change.objects.order_by("sequence").values_list("sequence", flat=True))
    )
    assert changes == list(range(1, len(changes) + 1))


async def test_of_two_collectors_one_works_and_the_other_takes_over(shared: Backend, outside: Memory) -> None:
    async with collecting(shared, "second"):
        async with collecting(shared, "first"):
            await until(lambda: living() == 132)
            await asyncio.sleep(1.5)
            assert await in_thread(Change.objects.count) == 132
            owner = (await in_thread(lambda: Source.objects.get(key="one"))).owner
        other = "second" if owner == "first" else "first"
        if other == "second":
            await until(lambda: Source.objects.get(key="one").owner == "second")
        outside.tick()
        await until(lambda: Change.objects.count() == 133)


async def test_what_can_only_be_polled_is_polled_and_compared(tmp_path: Path) -> None:
    config = {"live": 0, "path": str(tmp_path / "state"), "poll": "1s"}
    source = backend("one", kind="toy", config=config)
    outside = Memory(Options(name="one", key="one", config=config))
    async with collecting(source):
        await until(lambda: living() == 132)
        assert "real-time-events" not in (await in_thread(lambda: Source.objects.get(key="one"))).abilities
        outside.tick()
        outside.delete_resource("node-mock-004", tenant="acme")
        await until(lambda: Change.objects.count() == 134)
    outside.close()


async def test_a_kind_this_release_lacks_is_a_failed_source_not_a_stopped_process(shared: Backend) -> None:
    async with collecting(backend("one", kind="mainframe")):
        await until(lambda: state() == "down")
        source = await in_thread(lambda: Source.objects.get(key="one"))
        assert source.error_class == "Misconfigured"
        assert "mainframe" in source.error


async def test_a_backend_that_breaks_in_the_middle_of_its_watch_loses_nothing(
    shared: Backend, outside: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Toy._tick_if_due
    calls = 0

    def breaks(self: Toy) -> None:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise Unreachable("one", "connection reset")
        original(self)

    monkeypatch.setattr(Toy, "_tick_if_due", breaks)
    async with collecting(shared):
        await until(lambda: living() == 132)
        for number in range(3, 9):
            outside.delete_resource(f"node-mock-00{number}", tenant="acme")
            await asyncio.sleep(0.1)
        await until(lambda: living() == 126, seconds=60)
    deletes = await in_thread(Change.objects.filter(type="DELETE").count)
    assert deletes == 6
