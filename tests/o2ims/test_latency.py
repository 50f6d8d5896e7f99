"""How long a source took to answer its last check or complete list is known, while it answers."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.configuration import Backend
from adapters.errors import Unreachable
from adapters.ims.memory import Adapter as Memory
from adapters.types import Ability, InventoryObject, Metadata
from o2ims.models import Source
from o2ims.threads import in_thread
from tests.o2ims.test_collector import collecting, shared, state, toy, until
from tests.toy import Adapter as Toy

__all__ = ["shared", "toy"]
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
SLOW = 0.3


def latency() -> int | None:
    return Source.objects.get(key="one").latency_ms


async def test_of_a_check_and_then_of_the_list_until_it_is_down(
    shared: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everything(self: Toy) -> Iterator[InventoryObject]:
        time.sleep(SLOW)
        yield from Memory.everything(self)

    monkeypatch.setattr(Toy, "everything", everything)
    async with collecting(shared):
        await until(lambda: latency() is not None)  # the check's, first
        await until(lambda: state() == "up" and (latency() or 0) >= SLOW * 1000)
    Toy.fault = Unreachable("one", "nobody answers")
    async with collecting(shared):
        await until(lambda: state() == "down")
        assert await in_thread(latency) is None


async def test_of_each_list_of_one_that_is_polled(shared: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = [SLOW, 0.0, 0.0]

    def everything(self: Toy) -> Iterator[InventoryObject]:
        time.sleep(pauses.pop(0) if pauses else 0.0)
        yield from Memory.everything(self)

    def metadata(self: Toy) -> Metadata:
        said = Memory.metadata(self)
        return replace(said, can=said.can - {Ability.REAL_TIME_EVENTS})

    monkeypatch.setattr(Toy, "everything", everything)
    monkeypatch.setattr(Toy, "metadata", metadata)
    async with collecting(shared):
        await until(lambda: (latency() or 0) >= SLOW * 1000)
        await until(lambda: (latency() or 0) < SLOW * 1000)
