"""What every IMS adapter must do, whatever is behind it. A class of tests to inherit, with fixtures to give:

    make      makes an adapter of the backend (each call a new one, not connected)
    backend   changes what is behind it, as somebody else would: see `Backend`

`ImsContract` is for every adapter, `RemoteImsContract` for one that talks to a server: it also wants

    troubled  makes an adapter whose backend is in the trouble that is named: see `TROUBLES`
"""

import asyncio
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from adapters.base import ImsAdapter
from adapters.errors import (
    BackendError,
    Broken,
    Forbidden,
    Misconfigured,
    TimedOut,
    Unauthorized,
    Unreachable,
    Unsupported,
    Untrusted,
)
from adapters.types import (
    KINDS,
    Ability,
    Batch,
    DeploymentManager,
    InventoryObject,
    Kind,
    Resource,
    ResourcePool,
    ResourceType,
)

Key = tuple[Kind, str]
Make = Callable[[], ImsAdapter]
Trouble = Callable[[str], ImsAdapter]

WRITES: dict[Ability, Callable[[ImsAdapter], object]] = {
    Ability.RESOURCE_POOL_CREATE: lambda it: it.create_pool("p", ResourcePool(native_id="", name="p")),
    Ability.RESOURCE_POOL_UPDATE: lambda it: it.update_pool("p", ResourcePool(native_id="", name="p")),
    Ability.RESOURCE_POOL_DELETE: lambda it: it.delete_pool("p", tenant=None),
    Ability.RESOURCE_CREATE: lambda it: it.create_resource(
        "r", Resource(native_id="", name="r", type_native_id="t", pool_native_id="p")
    ),
    Ability.RESOURCE_DELETE: lambda it: it.delete_resource("r", tenant=None),
}

TROUBLES: dict[str, type[BackendError]] = {
    "a token it does not know": Unauthorized,
    "no permission": Forbidden,
    "nobody there": Unreachable,
    "a host that hangs": TimedOut,
    "an answer that drips": TimedOut,
    "another host's certificate": Untrusted,
    "an unknown CA": Untrusted,
    "a page of HTML": Broken,
    "no JSON": Broken,
    "half an answer": Unreachable,
    "an answer without an end": Broken,
    "a compressed answer": Broken,
    "a redirect": Broken,
    "a secret that is not set": Misconfigured,
}


class Backend(ABC):
    """What is behind an adapter, in the hands of somebody else. Names are the backend's; ids are native
    ids.

    What can be written also says what extensions a new pool needs, one that can be changed (and its new
    value), and one that cannot.
    """

    needed: Mapping[str, Any] = {}
    changeable: tuple[str, Any] = ("", None)
    fixed: str = ""

    @abstractmethod
    def add_pool(self, name: str, *, tenant: str = "") -> str:
        """A new, empty pool; its id."""

    @abstractmethod
    def change_pool(self, native_id: str) -> None:
        """Something of it that is mapped."""

    @abstractmethod
    def remove_pool(self, native_id: str) -> None: ...

    @abstractmethod
    def add_resource(self, name: str, *, tenant: str = "") -> str:
        """A new resource in some pool; its id."""

    def add_member(self, pool_id: str, name: str, *, tenant: str = "") -> str:
        """A new resource in that very pool, whatever its owner is."""
        raise NotImplementedError

    @abstractmethod
    def change_resource(self, native_id: str) -> None:
        """Something of it that is mapped, and nothing that anything else is made from."""

    @abstractmethod
    def remove_resource(self, native_id: str) -> None: ...

    @abstractmethod
    def stir(self, native_id: str) -> None:
        """What happens to a resource all the time and is no change: a heartbeat, the same thing written
        again."""


def keyed(objects: Iterator[InventoryObject] | tuple[InventoryObject, ...]) -> dict[Key, InventoryObject]:
    """By kind and id, without versions: two readings are of different moments."""
    return {(KINDS[type(found)], found.native_id): replace(found, version="") for found in objects}


class Watching:
    """A watch, followed in a task. `state` is what the batches so far add up to."""

    def __init__(self, adapter: ImsAdapter) -> None:
        self._adapter = adapter
        self._batches: asyncio.Queue[Batch | BaseException] = asyncio.Queue()
        self.state: dict[Key, InventoryObject] = {}
        self.versions: dict[Key, str] = {}

    async def follow(self) -> None:
        """Puts every batch, and at last the error, where `next` finds it."""
        batches = self._adapter.watch("")
        try:
            async for batch in batches:
                self._batches.put_nowait(batch)
        except BackendError as error:
            self._batches.put_nowait(error)
        finally:
            await batches.aclose()

    async def any(self, seconds: float = 10.0) -> Batch:
        """The next batch, an empty one too; the watch's error is raised."""
        async with asyncio.timeout(seconds):
            found = await self._batches.get()
        if isinstance(found, BaseException):
            raise found
        if found.full:
            self.state.clear()
        self.state |= keyed(found.objects)
        for thing in found.objects:
            self.versions[KINDS[type(thing)], thing.native_id] = thing.version
        for gone in found.gone:
            self.state.pop((gone.kind, gone.native_id), None)  # it may have come and gone between two batches
            self.versions[gone.kind, gone.native_id] = gone.version
        return found

    async def next(self, seconds: float = 10.0) -> Batch:
        """The next batch that says something."""
        end = time.monotonic() + seconds
        while True:
            batch = await self.any(max(0.01, end - time.monotonic()))
            if batch.full or batch.objects or batch.gone or batch.skipped:
                return batch

    async def until(self, done: Callable[[], bool], seconds: float = 10.0) -> None:
        """Takes batches until `done`."""
        end = time.monotonic() + seconds
        while not done():
            await self.any(max(0.01, end - time.monotonic()))

    async def quiet(self, seconds: float) -> None:
        """Nothing is said for so long (signs of life apart)."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                batch = await self.any(left)
            except TimeoutError:
                return
            assert not batch.full, batch
            assert not batch.objects, batch
            assert not batch.gone, batch

    async def ended(self, seconds: float = 30.0) -> BackendError:
        """The error that ends it."""
        end = time.monotonic() + seconds
        while True:
            try:
                await self.any(max(0.01, end - time.monotonic()))
            except BackendError as error:
                return error


@asynccontextmanager
async def watching(adapter: ImsAdapter) -> AsyncIterator[Watching]:
    """A watch that has given its first batch; ended on leaving, and nothing of it is left then."""
    before = asyncio.all_tasks()
    found = Watching(adapter)
    task = asyncio.create_task(found.follow())
    try:
        assert (await found.next()).full, "the first batch is everything"
        yield found
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert asyncio.all_tasks() - before == set(), "a watch that has ended leaves no task"


class ImsContract:
    """For every adapter."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    def adapter(self, make: Make) -> Iterator[ImsAdapter]:
        adapter = make()
        yield adapter
        adapter.close()

    # What it is

    def test_making_one_does_no_work(self, make: Make) -> None:
        make()  # what is imported once is not work
        with work() as seen:
            adapter = make()
            adapter.metadata()
            adapter.close()
        assert seen == []

    def test_check_finds_its_version(self, adapter: ImsAdapter) -> None:
        adapter.check()
        metadata = adapter.metadata()
        assert metadata.name == adapter.name
        assert metadata.version != ""

    @pytest.mark.parametrize("ability", WRITES)
    def test_what_it_does_not_claim_it_refuses(self, adapter: ImsAdapter, ability: Ability) -> None:
        adapter.check()
        claimed = ability in adapter.metadata().can
        try:
            WRITES[ability](adapter)
        except Unsupported as error:
            assert (error.ability, error.source) == (ability, adapter.name)
            assert not claimed, "it claims what it does not support"
        except BackendError:
            assert claimed, "it supports what it does not claim"
        else:
            assert claimed, "it supports what it does not claim"

    # What it lists

    def test_everything_is_what_the_lists_say(self, adapter: ImsAdapter, backend: Backend) -> None:
        backend.add_pool("pool-a")
        backend.add_resource("resource-a")
        lists: dict[Key, InventoryObject] = {}
        found: dict[type[InventoryObject], tuple[InventoryObject, ...]] = {
            DeploymentManager: tuple(adapter.deployment_managers()),
            ResourceType: tuple(adapter.types()),
            ResourcePool: tuple(adapter.pools()),
            Resource: tuple(adapter.resources()),
        }
        for kind, objects in found.items():
            assert objects
            assert {type(thing) for thing in objects} == {kind}
            lists |= keyed(objects)
        assert keyed(adapter.everything()) == lists

    def test_parents_come_first(self, adapter: ImsAdapter, backend: Backend) -> None:
        backend.add_resource("resource-a")
        order = [list(Kind).index(KINDS[type(found)]) for found in adapter.everything()]
        assert order == sorted(order)

    def test_native_ids_are_unique_and_stay_the_same(self, make: Make, backend: Backend) -> None:
        backend.add_resource("resource-a")
        backend.add_resource("resource-b")
        readings = []
        for _ in range(2):
            adapter = make()
            objects = tuple(adapter.everything())
            adapter.close()
            assert all(thing.native_id for thing in objects)
            assert len(keyed(objects)) == len(objects)
            readings.append(keyed(objects))
        assert readings[0] == readings[1]

    def test_an_id_that_is_no_uuid_is_in_the_extensions(self, adapter: ImsAdapter, backend: Backend) -> None:
        backend.add_resource("resource-a")
        for thing in adapter.everything():
            try:
                UUID(thing.native_id)
            except ValueError:
                assert thing.extensions[f"{adapter.prefix}.nativeId"] == thing.native_id

    def test_every_resource_is_of_a_type_and_in_a_pool_that_exist(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        backend.add_resource("resource-a")
        assert_whole(keyed(adapter.everything()))

    def test_everything_is_json(self, adapter: ImsAdapter, backend: Backend) -> None:
        backend.add_pool("pool-a")
        backend.add_resource("resource-a")
        for thing in adapter.everything():
            plain = asdict(thing)
            again = orjson.loads(orjson.dumps(plain))
            assert again["extensions"] == plain["extensions"]
            assert {key.partition(".")[0] for key in plain["extensions"]} <= {adapter.prefix}

    def test_a_version_is_a_number_where_versions_are_ordered(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        backend.add_resource("resource-a")
        versions = {thing.version for thing in adapter.everything()}
        if adapter.ordered:
            assert all(int(version) > 0 for version in versions)
        else:
            assert versions == {""}

    def test_what_carries_a_tenant_is_that_tenants(self, adapter: ImsAdapter, backend: Backend) -> None:
        acme, globex = (
            backend.add_pool("pool-a", tenant="acme"),
            backend.add_resource("res-g", tenant="globex"),
        )
        nobody = backend.add_resource("resource-n")
        found = keyed(adapter.everything())
        assert found[Kind.RESOURCE_POOL, acme].tenant == "acme"
        assert found[Kind.RESOURCE, globex].tenant == "globex"
        assert found[Kind.RESOURCE, nobody].tenant is None
        assert {thing.tenant for (kind, _), thing in found.items() if kind is Kind.DEPLOYMENT_MANAGER} == {
            None
        }

    def test_after_closing_it_connects_anew(self, adapter: ImsAdapter, backend: Backend) -> None:
        backend.add_resource("resource-a")
        adapter.check()
        before = keyed(adapter.everything())
        adapter.close()
        adapter.close()
        adapter.check()
        assert keyed(adapter.everything()) == before

    async def test_watching_is_claimed_or_refused(self, adapter: ImsAdapter) -> None:
        if Ability.REAL_TIME_EVENTS in adapter.metadata().can:
            async with watching(adapter):
                return
        with pytest.raises(Unsupported) as raised:
            await anext(aiter(adapter.watch("")))
        assert raised.value.ability == Ability.REAL_TIME_EVENTS


class WatchedImsContract(ImsContract):
    """For an adapter that claims it can be watched: what it sees change."""

    async def test_a_watch_starts_with_what_the_lists_say(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        await away(backend.add_pool, "pool-a")
        await away(backend.add_resource, "resource-a")
        async with watching(adapter) as watch:
            assert watch.state == keyed(tuple(await away(lambda: list(adapter.everything()))))

    async def test_a_change_comes_alone(self, adapter: ImsAdapter, backend: Backend) -> None:
        changing = await away(backend.add_resource, "resource-a")
        await away(backend.add_resource, "resource-b")
        async with watching(adapter) as watch:
            before, version = watch.state[Kind.RESOURCE, changing], watch.versions[Kind.RESOURCE, changing]
            await away(backend.change_resource, changing)
            batch = await watch.next(3)
            (thing,) = batch.objects
            assert (type(thing), thing.native_id, batch.gone) == (Resource, changing, ())
            assert replace(thing, version="") != before
            if adapter.ordered:
                assert int(thing.version) > int(version)
            await watch.quiet(0.3)

    async def test_a_new_resource_comes_with_its_parents(self, adapter: ImsAdapter, backend: Backend) -> None:
        async with watching(adapter) as watch:
            added = await away(backend.add_resource, "resource-a")
            batch = await watch.next(3)
            assert [found.native_id for found in batch.objects if isinstance(found, Resource)] == [added]
            assert_whole(watch.state)
            await watch.quiet(0.3)

    async def test_a_removed_resource_is_gone(self, adapter: ImsAdapter, backend: Backend) -> None:
        removed = await away(backend.add_resource, "resource-a")
        stays = await away(backend.add_resource, "resource-b")
        async with watching(adapter) as watch:
            version = watch.versions[Kind.RESOURCE, removed]
            await away(backend.remove_resource, removed)
            batch = await watch.next(3)
            (gone,) = (gone for gone in batch.gone if gone.kind is Kind.RESOURCE)
            assert gone.native_id == removed
            assert not [found for found in batch.objects if isinstance(found, Resource)]
            assert (Kind.RESOURCE, stays) in watch.state
            if adapter.ordered:
                assert int(gone.version) > int(version)

    async def test_a_pool_comes_changes_and_goes(self, adapter: ImsAdapter, backend: Backend) -> None:
        await away(backend.add_resource, "resource-a")
        await away(backend.add_pool, "pool-a")
        async with watching(adapter) as watch:
            added = await away(backend.add_pool, "pool-b")
            await watch.until(lambda: (Kind.RESOURCE_POOL, added) in watch.state, 3)
            before = watch.state[Kind.RESOURCE_POOL, added]
            await away(backend.change_pool, added)
            batch = await watch.next(3)
            assert [(type(found), found.native_id) for found in batch.objects] == [(ResourcePool, added)]
            assert watch.state[Kind.RESOURCE_POOL, added] != before
            await away(backend.remove_pool, added)
            batch = await watch.next(3)
            assert [(gone.kind, gone.native_id) for gone in batch.gone] == [(Kind.RESOURCE_POOL, added)]
            assert batch.objects == ()

    async def test_what_is_no_change_is_not_told(self, adapter: ImsAdapter, backend: Backend) -> None:
        stirred = await away(backend.add_resource, "resource-a")
        async with watching(adapter) as watch:
            for _ in range(3):
                await away(backend.stir, stirred)
            await watch.quiet(0.5)
            await away(backend.change_resource, stirred)
            assert [found.native_id for found in (await watch.next(3)).objects] == [stirred]

    async def test_it_gives_a_sign_of_life_every_five_seconds(self, adapter: ImsAdapter) -> None:
        async with watching(adapter) as watch:
            for _ in range(2):
                batch = await watch.any(5)
                assert (batch.objects, batch.gone, batch.full) == ((), (), False)

    async def test_watching_again_gives_the_same_list(self, make: Make, backend: Backend) -> None:
        await away(backend.add_resource, "resource-a")
        first, second = make(), make()
        try:
            async with watching(first) as watch:
                before = dict(watch.state)
            async with watching(first) as again, watching(second) as other:
                assert again.state == before
                assert other.state == before
        finally:
            first.close()
            second.close()

    async def test_what_went_while_nobody_watched_is_not_in_the_list(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        goes = await away(backend.add_resource, "resource-a")
        stays = await away(backend.add_resource, "resource-b")
        async with watching(adapter) as watch:
            assert (Kind.RESOURCE, goes) in watch.state
        await away(backend.remove_resource, goes)
        async with watching(adapter) as watch:
            assert (Kind.RESOURCE, goes) not in watch.state
            assert (Kind.RESOURCE, stays) in watch.state

    async def test_what_was_told_adds_up_to_what_there_is(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        async with watching(adapter) as watch:
            resources = [await away(backend.add_resource, f"resource-{number}") for number in range(12)]
            pools = [await away(backend.add_pool, f"pool-{number}") for number in range(3)]
            for number, native_id in enumerate(resources):
                change = backend.remove_resource if number % 3 == 0 else backend.change_resource
                await away(change, native_id)
            await away(backend.remove_pool, pools[0])
            there = keyed(tuple(await away(lambda: list(adapter.everything()))))
            await watch.until(lambda: watch.state == there)
            assert_whole(watch.state)


class RemoteImsContract(WatchedImsContract):
    """For an adapter that talks to a server."""

    @pytest.fixture
    def troubled(self) -> Trouble:
        raise NotImplementedError

    @pytest.mark.parametrize("trouble", TROUBLES)
    @pytest.mark.parametrize("call", ["check", "everything"])
    def test_trouble_has_its_error(self, troubled: Trouble, trouble: str, call: str) -> None:
        adapter = troubled(trouble)
        try:
            with pytest.raises(BackendError) as raised:
                list(getattr(adapter, call)() or ())
            assert_said(raised.value, TROUBLES[trouble], adapter)
        finally:
            adapter.close()

    @pytest.mark.parametrize("trouble", TROUBLES)
    async def test_trouble_ends_a_watch_with_its_error(self, troubled: Trouble, trouble: str) -> None:
        adapter = await away(troubled, trouble)
        try:
            with pytest.raises(BackendError) as raised:
                async with asyncio.timeout(20):
                    async for batch in adapter.watch(""):
                        raise AssertionError(f"no batch can come: {batch}")
            assert_said(raised.value, TROUBLES[trouble], adapter)
        finally:
            adapter.close()


def assert_said(error: BackendError, kind: type[BackendError], adapter: ImsAdapter) -> None:
    """The error is of exactly this kind, says whose it is, and has no secret in it."""
    assert type(error) is kind or (kind is Broken and isinstance(error, Broken)), repr(error)
    assert str(error).startswith(f"{adapter.name}: ")
    assert "SECRET" not in str(error)


def assert_whole(state: dict[Key, InventoryObject]) -> None:
    """Every reference leads to an object."""
    resources = [thing for thing in state.values() if isinstance(thing, Resource)]
    assert resources
    for resource in resources:
        assert (Kind.RESOURCE_TYPE, resource.type_native_id) in state
        assert (Kind.RESOURCE_POOL, resource.pool_native_id) in state
        assert not resource.parent_native_id or (Kind.RESOURCE, resource.parent_native_id) in state


async def away(call: Callable[..., Any], *args: Any) -> Any:
    """Runs what would block the event loop in a thread."""
    return await asyncio.to_thread(call, *args)


_WORK = {
    "open",
    "socket.connect",
    "socket.getaddrinfo",
    "sqlite3.connect",
    "subprocess.Popen",
    "import",
    "os.listdir",
}
_seen: list[list[str]] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _seen and event in _WORK and threading.current_thread() is threading.main_thread():
        _seen[-1].append(f"{event} {args[0] if args else ''}")


class work:  # noqa: N801 - reads as a sentence: with work() as seen
    """What is opened, connected to or imported meanwhile. (An audit hook cannot be taken away: it is added
    once.)"""

    _hooked = False

    def __enter__(self) -> list[str]:
        if not work._hooked:
            sys.addaudithook(_audit)
            work._hooked = True
        _seen.append([])
        return _seen[-1]

    def __exit__(self, *_: object) -> None:
        _seen.pop()
