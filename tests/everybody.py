"""One source, and all who have to do with it, each a step at a time: clients whose writes meet every fate,
other hands in the backend, the collector's watch, the worker that settles, the mirror. What they do is real;
only when they do it is the test's to say.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections as databases
from django.db.models import F

from adapters.base import Options
from adapters.errors import BackendError, Conflict, NotFound, TimedOut, Unauthorized
from adapters.ims import memory
from adapters.types import Kind, ResourcePool
from o2ims import collector, drafts, operations
from o2ims.connections import connections
from o2ims.gateway import gateway
from o2ims.inventory import NotThere
from o2ims.lease import Lease
from o2ims.mirror import mirror
from o2ims.models import Change, Item, Operation, Source
from o2ims.sighting import Origin, sight
from o2ims.writes import Writes
from tenancy.scope import TenantScope
from tests.shaky import Adapter, here

Objects = dict[tuple[str, UUID], Any]


#: What pools are described with; the first is what a client makes them with.
TEXTS = ("", "one", "two")


class Died(BaseException):
    """The process of a write ends here: nobody catches anything any more."""


def raising(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


#: What becomes of a client's write before the backend has done it, and after.
FATES: dict[str, tuple[Callable[[], None] | None, Callable[[], None] | None]] = {
    "fine": (None, None),
    "refused": (raising(Unauthorized("x", "no")), None),
    "unheard, not done": (raising(TimedOut("x", "late")), None),
    "unheard, done": (None, raising(TimedOut("x", "late"))),
    "dies before": (raising(Died()), None),
    "dies after": (None, raising(Died())),
}


class Everybody:
    """A source named `name`, followed from its first list on. `close` when done."""

    def __init__(self, name: str) -> None:
        self._folder = TemporaryDirectory(prefix="netweave-everybody-")
        config = {"path": f"{self._folder.name}/state.sqlite", "live": 0, "objects": 5}
        adapter = {"name": name, "type": "shaky", "default": True, "tenant": "acme", "config": config}
        path = Path(self._folder.name) / "gateway.yaml"
        path.write_text(json.dumps({"adapters": [adapter]}))
        settings.GATEWAY_CONFIG = str(path)
        gateway.__init__()  # type: ignore[misc]
        mirror.__init__()  # type: ignore[misc]
        Adapter.reset()
        self._backend = gateway.current().backends[0]
        Source.objects.follow(gateway.current())
        self._source = Source.objects.get(key=name)
        self._hands = memory.Adapter(Options(name=name, key=name, config=config, tenant="acme"))
        self._hands.check()
        self._ended: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(32)  # who stalls has one to itself
        self._stalled: list[tuple[Event, Future[None]]] = []
        self._said = 0
        self._loop = asyncio.new_event_loop()
        lease = Lease.acquire(self._source.pk, "test")
        assert lease is not None
        self._following = self._loop.create_task(collector.Collector(self._backend, "test")._follow(lease))
        self.watch("go")
        self.follow()

    # Clients

    def client(self, what: str, name: str, fate: str) -> None:
        """One makes, changes or deletes the pool of that name: what becomes of it is one of `FATES`, or it
        stalls once the backend has done it."""
        if fate == "stalls":
            reached, go = Event(), Event()
            written = self._threads.submit(self._stalls, what, name, reached, go)
            while not reached.wait(0.01) and not written.done():
                pass
            self._stalled.append((go, written))
            return
        here.before, here.after = FATES[fate]
        self._writes(what, name)

    def go_on(self) -> None:
        """Those that stalled tell what they have done."""
        stalled, self._stalled = self._stalled, []
        for go, written in stalled:
            go.set()
            written.result(20)

    def _stalls(self, what: str, name: str, reached: Event, go: Event) -> None:
        def stall() -> None:
            reached.set()
            go.wait(60)

        here.after = stall
        try:
            self._writes(what, name)
        finally:
            databases.close_all()

    def _writes(self, what: str, name: str) -> None:
        client = Writes(
            operations.Caller(name="alice@acme", tenant="acme", request_id="r", traceparent=""),
            TenantScope.of("acme"),
        )
        try:
            with suppress(BackendError, NotThere, Died):
                if what == "make":
                    client.create_pool(drafts.new_pool({"name": name}))
                elif what == "change":
                    draft = drafts.changed_pool({"description": self._another_text()}, {})
                    client.update_pool(self._id(name), draft)
                else:
                    client.delete_pool(self._id(name), cascade=True)
        finally:
            here.before = here.after = None

    # Others

    def hands(self, what: str, name: str) -> None:
        """The backend's own: make, change or delete."""
        pool = ResourcePool(native_id=name, name=name, tenant="acme", description=self._another_text())
        with suppress(Conflict, NotFound):
            if what == "make":
                self._hands.create_pool(name, pool)
            elif what == "change":
                self._hands.update_pool(name, pool)
            else:
                self._hands.delete_pool(name, tenant="acme")
                self._ended[name] += 1

    def watch(self, order: str | BackendError) -> None:
        """The watch does as `tests.shaky` understands it, and waits again."""

        async def obeyed() -> None:
            async with asyncio.timeout(20):
                await Adapter.orders.waiting.wait()
                Adapter.orders.give(order)
                await Adapter.orders.waiting.wait()

        self._loop.run_until_complete(obeyed())

    def settle(self, *, in_time: bool) -> None:
        """The worker looks for what became of open writes: while the backend may be at it still, or after."""
        limit = timedelta(0) if in_time else settings.OPERATION_LIMIT
        then = {moment: F(moment) - limit for moment in ("started_at", "ended_at")}
        Operation.objects.update(**then, deadline=F("started_at"))
        for operation in operations.due():
            operations.settle(operation)

    @staticmethod
    def follow() -> None:
        """The mirror does."""
        mirror.follow()

    # The end

    def come_to_rest(self) -> None:
        """Everybody finishes, and nothing is listed again unless the watch has broken. Then all is one,
        nothing was told twice or said to be gone that never went, and no write is left open."""
        self.go_on()
        for _ in range(3):
            self.watch("go")
        self.settle(in_time=False)
        for _ in range(2):
            self.watch("go")
        self.follow()
        table = self._table()
        assert self._told() == table
        assert table == self._backend_now()
        assert table == self._mirrored()
        assert not Operation.objects.filter(source=self._source, state="started").exists()

    def close(self) -> None:
        """Lets everything go."""
        for go, _ in self._stalled:
            go.set()
        self._threads.shutdown()
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._following)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._hands.close()
        connections.close()
        Operation.objects.all().delete()
        Source.objects.all().delete()
        self._folder.cleanup()

    def _told(self) -> Objects:
        """What the change log adds up to."""
        told: dict[Any, list[Change]] = defaultdict(list)
        log = list(Change.objects.filter(source=self._source).order_by("sequence"))
        assert [change.sequence for change in log] == list(range(1, len(log) + 1))
        ended: Counter[str] = Counter()
        for change in log:
            before = told[change.kind, change.object_id]
            assert (change.type == "CREATE") == (not before or before[-1].type == "DELETE")
            assert change.before == (before[-1].after if before else None)
            before.append(change)
            ended[(change.before or {}).get("name", "")] += change.type == "DELETE"
        assert ended <= self._ended + Adapter.ended
        return {key: of_it[-1].after for key, of_it in told.items() if of_it[-1].type != "DELETE"}

    def _table(self) -> Objects:
        rows = Item.objects.filter(source=self._source, deleted_at__isnull=True)
        return {(kind, id_): body for kind, id_, body in rows.values_list("kind", "object_id", "body")}

    def _backend_now(self) -> Objects:
        origin = Origin.of(self._backend, self._hands)
        seen = [sight(origin, thing) for thing in self._hands.everything()]
        return {sighting.key: dict(sighting.body) for sighting in seen}

    @staticmethod
    def _mirrored() -> Objects:
        entries = [
            entry
            for shelf in mirror.shelves
            for of_kind in shelf.entries.values()
            for entry in of_kind.values()
        ]
        return {
            (str(entry.kind), UUID(entry.id)): {k: v for k, v in entry.body.items() if k != "o_cloud_id"}
            for entry in entries
        }

    @staticmethod
    def _id(name: str) -> str:
        for shelf in mirror.shelves:
            for entry in shelf.entries[Kind.RESOURCE_POOL].values():
                if entry.body["name"] == name:
                    return entry.id
        raise NotThere

    def _another_text(self) -> str:
        """Not the last one, and not always a new one: what is changed back, or made again just as it was, has
        changed too."""
        self._said += 1
        return TEXTS[self._said % len(TEXTS)]
