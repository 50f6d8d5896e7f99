"""Whatever clients, other hands, faults and delays do, and in whatever order it is heard: in the end the
mirror is the table is the backend, nothing was told twice, and no operation is left open.

Hypothesis plays everybody: clients whose process dies, stalls or is refused in the middle of a write, hands
in the backend itself, a collector whose watch is slow, breaks and lists anew, and a worker that settles.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connections as databases
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pytest_django.fixtures import Settings

from adapters.base import Options
from adapters.errors import BackendError, Busy, Conflict, NotFound, TimedOut, Unauthorized, Unreachable
from adapters.ims import memory
from adapters.registry import IMS, Plugin
from adapters.types import Kind, ResourcePool
from o2ims import collector, drafts, operations
from o2ims.connections import connections
from o2ims.gateway import gateway
from o2ims.inventory import NotThere
from o2ims.lease import Lease
from o2ims.mirror import mirror
from o2ims.models import Change, Item, Operation, Source
from o2ims.operations import Caller
from o2ims.sighting import Origin, sight
from o2ims.writes import Writes
from tenancy.scope import TenantScope
from tests.shaky import Adapter as Shaky
from tests.shaky import here

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

#: Few, so that what is made, ended and made again meets itself.
NAMES = st.sampled_from(["p-1", "p-1", "p-2"])
#: What becomes of a client's write.
FATES = ("fine", "stalls", "dies after", "unheard, done", "refused", "unheard, not done", "dies before")
FAULTS = [Unreachable("x", "reset"), TimedOut("x", "silent"), Unauthorized("x", "who?"), Busy("x", "later")]


class Died(BaseException):
    """The process of a write ends here: nobody catches anything any more."""


def raising(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


class Everybody(RuleBasedStateMachine):
    """One source, and all who have to do with it."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Everybody.made += 1
        self._folder = TemporaryDirectory(prefix="netweave-converges-")
        self._loop = asyncio.new_event_loop()
        self._threads = ThreadPoolExecutor(4)
        self._stalled: list[tuple[Event, Any]] = []
        self._count = 0

    @initialize()
    def begin(self) -> None:
        """A source of its own, followed from its first list on."""
        key = f"source-{self.made}"
        config = {"path": f"{self._folder.name}/state.sqlite", "live": 0, "objects": 5}
        text = {
            "adapters": [{"name": key, "type": "shaky", "default": True, "tenant": "acme", "config": config}]
        }
        path = Path(self._folder.name) / "gateway.yaml"
        path.write_text(json.dumps(text))
        django_settings.GATEWAY_CONFIG = str(path)
        gateway.__init__()  # type: ignore[misc]
        mirror.__init__()  # type: ignore[misc]
        Shaky.reset()
        self._backend = gateway.current().backends[0]
        Source.objects.follow(gateway.current())
        self._source = Source.objects.get(key=key)
        self._hands = memory.Adapter(Options(name=key, key=key, config=config, tenant="acme"))
        self._hands.check()
        lease = Lease.acquire(self._source.pk, "test")
        assert lease is not None
        self._collector = collector.Collector(self._backend, "test")
        self._following = self._loop.create_task(self._collector._follow(lease))
        self._order("go")
        self.the_mirror_follows()

    # Clients

    @rule(name=NAMES, fate=st.sampled_from(FATES))
    def a_client_makes_a_pool(self, name: str, fate: str) -> None:
        draft = drafts.new_pool({"name": name, "description": self._text()})
        self._write(fate, lambda client: client.create_pool(draft))

    @rule(name=NAMES, fate=st.sampled_from(FATES))
    def a_client_changes_a_pool(self, name: str, fate: str) -> None:
        draft = drafts.changed_pool({"description": self._text()}, {})
        self._write(fate, lambda client: client.update_pool(self._id(name), draft))

    @rule(name=NAMES, fate=st.sampled_from(FATES))
    def a_client_deletes_a_pool(self, name: str, fate: str) -> None:
        self._write(fate, lambda client: client.delete_pool(self._id(name), cascade=True))

    @rule()
    def those_that_stalled_go_on(self) -> None:
        stalled, self._stalled = self._stalled, []
        for go, written in stalled:
            go.set()
            written.result(20)

    # The backend's own hands

    @rule(name=NAMES)
    def hands_make_a_pool(self, name: str) -> None:
        pool = ResourcePool(native_id="", name=name, tenant="acme", description=self._text())
        with suppress(Conflict):
            self._hands.create_pool(name, pool)

    @rule(name=NAMES)
    def hands_change_a_pool(self, name: str) -> None:
        pool = ResourcePool(native_id=name, name=name, tenant="acme", description=self._text())
        with suppress(NotFound):
            self._hands.update_pool(name, pool)

    @rule(name=NAMES)
    def hands_delete_a_pool(self, name: str) -> None:
        with suppress(NotFound):
            self._hands.delete_pool(name, tenant="acme")

    # The collector's watch, and the worker

    @rule()
    def the_watch_goes_on(self) -> None:
        self._order("go")

    @rule()
    def the_watch_lists_anew(self) -> None:
        self._order("list")

    @rule(error=st.sampled_from(FAULTS))
    def the_watch_breaks(self, error: BackendError) -> None:
        self._order(error)

    @rule(after=st.integers(0, 15))
    def a_list_breaks_off(self, after: int) -> None:
        Shaky.breaks_after = after
        self._order(FAULTS[0])
        self._order("go")
        Shaky.breaks_after = None

    @rule()
    def the_mirror_follows(self) -> None:
        mirror.follow()

    @rule(had_its_time=st.booleans())
    def the_worker_settles(self, had_its_time: bool) -> None:
        limit = django_settings.OPERATION_LIMIT if had_its_time else timedelta(0)
        Operation.objects.update(started_at=F("started_at") - limit, deadline=F("started_at"))
        for operation in operations.due():
            operations.settle(operation)

    # What is always so

    @invariant()
    def what_was_told_adds_up_to_what_is_recorded(self) -> None:
        if not hasattr(self, "_source"):
            return
        told: dict[Any, list[Change]] = defaultdict(list)
        log = list(Change.objects.filter(source=self._source).order_by("sequence"))
        assert [change.sequence for change in log] == list(range(1, len(log) + 1))
        for change in log:
            before = told[change.kind, change.object_id]
            assert (change.type == "CREATE") == (not before or before[-1].type == "DELETE")
            assert change.before == (before[-1].after if before else None)
            before.append(change)
        alive = {key: of_it[-1].after for key, of_it in told.items() if of_it[-1].type != "DELETE"}
        assert alive == self._table()

    def teardown(self) -> None:
        """Everybody comes to rest, without another list unless the watch has broken: then all is one."""
        try:
            if hasattr(self, "_source"):
                self._come_to_rest()
                self.what_was_told_adds_up_to_what_is_recorded()
                backend = self._backend_now()
                assert self._table() == backend
                assert self._mirror() == backend
                assert not Operation.objects.filter(source=self._source, state="started").exists()
        finally:
            self._end()

    def _come_to_rest(self) -> None:
        self.those_that_stalled_go_on()
        for _ in range(3):
            self._order("go")
        self.the_worker_settles(had_its_time=True)
        for _ in range(2):
            self._order("go")
        mirror.follow()

    def _end(self) -> None:
        for go, _ in self._stalled:
            go.set()
        self._threads.shutdown()
        if hasattr(self, "_following"):
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._following)
            self._hands.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        connections.close()
        Operation.objects.all().delete()
        Source.objects.all().delete()
        self._folder.cleanup()

    def _order(self, order: str | BackendError) -> None:
        async def obeyed() -> None:
            async with asyncio.timeout(20):
                await Shaky.orders.waiting.wait()
                Shaky.orders.give(order)
                await Shaky.orders.waiting.wait()

        self._loop.run_until_complete(obeyed())

    def _write(self, fate: str, call: Callable[[Writes], Any]) -> None:
        if fate == "stalls":
            reached, go = Event(), Event()
            written = self._threads.submit(self._stalls, call, reached, go)
            while not reached.wait(0.01) and not written.done():
                pass
            self._stalled.append((go, written))
            return
        here.before, here.after = {
            "fine": (None, None),
            "refused": (raising(Unauthorized("x", "no")), None),
            "unheard, not done": (raising(TimedOut("x", "late")), None),
            "unheard, done": (None, raising(TimedOut("x", "late"))),
            "dies before": (raising(Died()), None),
            "dies after": (None, raising(Died())),
        }[fate]
        self._as_client(call)

    def _stalls(self, call: Callable[[Writes], Any], reached: Event, go: Event) -> None:
        def stall() -> None:
            reached.set()
            go.wait(60)

        here.after = stall
        try:
            self._as_client(call)
        finally:
            databases.close_all()

    def _as_client(self, call: Callable[[Writes], Any]) -> None:
        caller = Caller(name="alice@acme", tenant="acme", request_id="r", traceparent="")
        try:
            with suppress(BackendError, NotThere, Died):
                call(Writes(caller, TenantScope.of("acme")))
        finally:
            here.before = here.after = None

    def _id(self, name: str) -> str:
        for shelf in mirror.shelves:
            for entry in shelf.entries[Kind.RESOURCE_POOL].values():
                if entry.body["name"] == name:
                    return entry.id
        raise NotThere

    def _text(self) -> str:
        self._count += 1
        return f"state {self._count}"

    def _table(self) -> dict[Any, Any]:
        rows = Item.objects.filter(source=self._source, deleted_at__isnull=True)
        return {(kind, id_): body for kind, id_, body in rows.values_list("kind", "object_id", "body")}

    def _backend_now(self) -> dict[Any, Any]:
        origin = Origin.of(self._backend, self._hands)
        seen = [sight(origin, thing) for thing in self._hands.everything()]
        return {sighting.key: dict(sighting.body) for sighting in seen}

    def _mirror(self) -> dict[Any, Any]:
        found = {}
        for shelf in mirror.shelves:
            for kind, entries in shelf.entries.items():
                for entry in entries.values():
                    body = {key: value for key, value in entry.body.items() if key != "o_cloud_id"}
                    found[str(kind), UUID(entry.id)] = body
        return found


@pytest.fixture
def shaky(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    monkeypatch.setitem(IMS, "shaky", Plugin("tests.shaky"))
    monkeypatch.setattr("adapters.ims.memory.adapter._WATCH_SECONDS", 0.0)
    monkeypatch.setattr("adapters.ims.memory.adapter._HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(collector, "BACKOFF_FIRST", 0.001)
    monkeypatch.setattr(collector, "BACKOFF_MOST", 0.001)
    yield
    gateway.__init__()  # type: ignore[misc]


def test_in_the_end_the_mirror_is_the_table_is_the_backend(shaky: None) -> None:
    run_state_machine_as_test(
        Everybody,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
