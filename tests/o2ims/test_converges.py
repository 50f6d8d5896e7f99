"""Whatever clients, other hands, faults and delays do, and in whatever order it is heard: in the end the
mirror is the table is the backend, nothing was told twice, and no operation is left open.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pytest_django.fixtures import Settings

from adapters.errors import BackendError, Busy, TimedOut, Unauthorized, Unreachable
from adapters.registry import IMS, Plugin
from o2ims import collector
from o2ims.gateway import gateway
from o2ims.record import Record
from tests.everybody import FATES, Everybody
from tests.shaky import Adapter

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

#: Few, so that what is made, ended and made again meets itself.
NAMES = st.sampled_from(["p-1", "p-1", "p-1", "p-2"])
WHAT = st.sampled_from(["make", "make", "delete", "change"])
FAULTS = st.sampled_from(
    [Unreachable("x", "reset"), TimedOut("x", "silent"), Unauthorized("x", "who?"), Busy("x", "later")]
)
Step = Callable[[Everybody, str], None]
STEPS: dict[str, Step] = {
    "the watch goes on": lambda all_, _: all_.watch("go"),
    "hands delete it": lambda all_, name: all_.hands("delete", name),
    "hands make it": lambda all_, name: all_.hands("make", name),
    "hands change it": lambda all_, name: all_.hands("change", name),
    "a client's making stalls": lambda all_, name: all_.client("make", name, "stalls"),
    "a client's deleting stalls": lambda all_, name: all_.client("delete", name, "stalls"),
    "those that stalled go on": lambda all_, _: all_.go_on(),
    "a client makes it": lambda all_, name: all_.client("make", name, "fine"),
    "a client's changing stalls": lambda all_, name: all_.client("change", name, "stalls"),
    "a client deletes it": lambda all_, name: all_.client("delete", name, "fine"),
    "a client dies deleting it": lambda all_, name: all_.client("delete", name, "dies after"),
    "the watch lists anew": lambda all_, _: all_.watch("list"),
    "the watch breaks": lambda all_, _: all_.watch(Unreachable("x", "reset")),
    "the worker looks": lambda all_, _: all_.settle(in_time=True),
    "the mirror follows": lambda all_, _: all_.follow(),
}
OFTEN = [*STEPS, *["the watch goes on", "hands delete it"] * 2, "a client makes it"]
MADE = ("a client's making stalls",)
GO = "the watch goes on"
#: Each needs a care of its own, and ends badly without it.
STORIES: dict[str, tuple[str, ...]] = {
    "made, seen, and gone before it is recorded": (*MADE, GO, "hands delete it", GO),
    "made and gone before anybody looks, then recorded": (*MADE, "hands delete it", GO),
    "made and gone before a list, then recorded": (*MADE, "hands delete it", "the watch breaks", GO),
    "made, recorded, and gone before anybody looks": ("a client makes it", "hands delete it", GO),
    "made, recorded and gone between the log's end and a list": (
        *("the watch breaks", "a client makes it", "hands delete it", GO),
    ),
    "made and recorded while a list is under way": (
        *("the watch lists anew", "a client makes it", "the watch lists anew", GO, GO),
    ),
    "made again just as it was, then its first end is recorded": (
        *("a client makes it", GO, "a client's deleting stalls", "a client makes it"),
        *("those that stalled go on", GO),
    ),
    "made and gone once more, before that is recorded": (
        *("a client makes it", GO, "a client's deleting stalls", GO, *MADE, "hands delete it", GO),
    ),
    "deleted and made again before a list, and both told after it": (
        *("a client makes it", GO, "a client's deleting stalls", *MADE),
        *("the watch lists anew", GO, "those that stalled go on"),
    ),
    "deleted and found gone by the worker, then told by who made it": (
        *(*MADE, "the worker looks", "the mirror follows", "a client dies deleting it"),
        *("the worker looks", "those that stalled go on", GO),
    ),
    "changed and deleted, found gone by the worker, then both told": (
        *("a client makes it", "a client's changing stalls", "a client's deleting stalls"),
        *("the worker looks", "those that stalled go on", GO),
    ),
    "changed by hand while it is recorded": (*MADE, "hands change it", GO),
    "deleted by one and made by hand before that is recorded": (
        *("a client makes it", GO, "a client's deleting stalls", "hands make it", GO),
    ),
    "found by the worker, and told by who made it": (*MADE, "the worker looks", GO),
    "found by the worker, gone, and told by who made it": (
        *MADE,
        "the worker looks",
        GO,
        "hands delete it",
        GO,
    ),
}


class Anything(RuleBasedStateMachine):
    """Everybody, in any order."""

    count = 0

    @initialize()
    def begin(self) -> None:
        Anything.count += 1
        self.everybody = Everybody(f"source-{self.count}")

    @rule(what=WHAT, name=NAMES, fate=st.sampled_from([*FATES, "stalls"]))
    def a_client_writes(self, what: str, name: str, fate: str) -> None:
        self.everybody.client(what, name, fate)

    @rule(what=WHAT, name=NAMES, meanwhile=st.lists(st.sampled_from(OFTEN), min_size=2, max_size=6))
    def a_client_stalls_while_others_go_on(self, what: str, name: str, meanwhile: list[str]) -> None:
        """The backend has done it, and its process comes to tell so only after all that."""
        self.everybody.client(what, name, "stalls")
        for step in meanwhile:
            STEPS[step](self.everybody, name)
        self.everybody.go_on()

    @rule(step=st.sampled_from(OFTEN), name=NAMES)
    def somebody_does_something(self, step: str, name: str) -> None:
        STEPS[step](self.everybody, name)

    @rule(error=FAULTS, after=st.none() | st.integers(0, 15))
    def the_watch_breaks_and_perhaps_the_next_list_too(self, error: BackendError, after: int | None) -> None:
        self.everybody.watch(error)
        if after is not None:
            Adapter.breaks_after = after
            self.everybody.watch("go")
            Adapter.breaks_after = None

    @rule()
    def everybody_comes_to_rest(self) -> None:
        self.everybody.come_to_rest()

    def teardown(self) -> None:
        """In the end, too."""
        if hasattr(self, "everybody"):
            try:
                self.everybody.come_to_rest()
            finally:
                self.everybody.close()


@pytest.fixture
def shaky(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    monkeypatch.setitem(IMS, "shaky", Plugin("tests.shaky"))
    monkeypatch.setattr("adapters.ims.memory.adapter._WATCH_SECONDS", 0.0)
    monkeypatch.setattr("adapters.ims.memory.adapter._HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(collector, "BACKOFF_FIRST", 0.001)
    monkeypatch.setattr(collector, "BACKOFF_MOST", 0.001)
    with ThreadPoolExecutor(1) as thread:  # one, with one connection: a new one each time would take longest

        async def in_that_thread(call: Callable[..., Any], *words: Any, **more: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(thread, partial(call, *words, **more))

        monkeypatch.setattr(collector, "in_thread", in_that_thread)
        yield
        thread.submit(connections.close_all).result()
    gateway.__init__()  # type: ignore[misc]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_well(shaky: None, name: str) -> None:
    everybody = Everybody("source")
    try:
        for step in STORIES[name]:
            STEPS[step](everybody, "p-1")
        everybody.come_to_rest()
    finally:
        everybody.close()


def test_a_write_that_is_told_while_a_list_is_compared_begins_nothing_that_the_list_lacks(
    shaky: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody, compare = Everybody("source"), Record.missing

    def told_meanwhile(self: Record, *words: Any, **more: Any) -> Any:
        found = compare(self, *words, **more)
        everybody.go_on()
        return found

    try:
        everybody.client("make", "p-1", "stalls")
        everybody.hands("delete", "p-1")
        everybody.watch(Unreachable("x", "reset"))
        monkeypatch.setattr(Record, "missing", told_meanwhile)
        everybody.watch("go")
        everybody.come_to_rest()
    finally:
        everybody.close()


def test_in_the_end_the_mirror_is_the_table_is_the_backend(shaky: None) -> None:
    run_state_machine_as_test(
        Anything,
        settings=settings(
            max_examples=50,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # to shrink what fails would take minutes
        ),
    )
