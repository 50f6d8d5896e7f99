"""The memory backend at a test's mercy: each step of its watch, and what becomes of a write, is told to it.

A watch waits for an order before each batch: "go" (what has changed, or a sign of life), "list" (it lists
anew, gives a sign of life, and only at the next "go" tells the list), or an error, which it raises. A write
does to its caller, before and after it is done, what `here` says in that thread.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, ClassVar

from adapters.errors import BackendError
from adapters.ims import memory
from adapters.types import Batch, InventoryObject

Order = str | BackendError


class Here(threading.local):
    """What happens in this thread before the next write is done, and after."""

    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None


here = Here()


class Orders:
    """What watches wait for: one order at a time. For one event loop."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self._next: asyncio.Queue[Order] = asyncio.Queue()

    async def next(self) -> Order:
        """For the watch: the order, when it comes."""
        self.waiting.set()
        return await self._next.get()

    def give(self, order: Order) -> None:
        """For the test: the watch goes on."""
        self.waiting.clear()
        self._next.put_nowait(order)


class Adapter(memory.Adapter):
    """`ended` counts the pools that were really deleted here, by native id."""

    orders: ClassVar[Orders]
    ended: ClassVar[Counter[str]]
    #: After how many objects a list breaks off; None: it does not.
    breaks_after: ClassVar[int | None] = None

    @classmethod
    def reset(cls) -> None:
        """As it was never shaken."""
        cls.orders, cls.ended, cls.breaks_after = Orders(), Counter(), None

    def everything(self) -> Iterator[InventoryObject]:
        """The list, which breaks off where it is to."""
        for number, thing in enumerate(super().everything()):
            if self.breaks_after is not None and number >= self.breaks_after:
                type(self).breaks_after = None
                raise BackendError(self.name, "broke off in the middle of a list")
            yield thing

    async def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:
        """Does as it is told."""
        inner, listed = super().watch(checkpoint), None
        while True:
            order = await self.orders.next()
            if isinstance(order, BackendError):
                raise order
            if order == "list" and listed is not None:
                yield Batch()
            elif order == "list":
                inner = super().watch("")
                listed = await anext(inner)
                yield Batch()
            elif listed is not None:
                yield listed
                listed = None
            else:
                yield await anext(inner)

    def create_pool(self, *words: Any, **more: Any) -> Batch:
        """As `here` wants it."""
        return self._done(super().create_pool, *words, **more)

    def update_pool(self, *words: Any, **more: Any) -> Batch:
        """As `here` wants it."""
        return self._done(super().update_pool, *words, **more)

    def delete_pool(self, *words: Any, **more: Any) -> Batch:
        """As `here` wants it."""
        return self._done(super().delete_pool, *words, **more)

    def _done(self, call: Callable[..., Batch], *words: Any, **more: Any) -> Batch:
        before, after, here.before, here.after = here.before, here.after, None, None
        if before:
            before()
        batch = call(*words, **more)
        self.ended.update(end.native_id for end in batch.gone)
        if after:
            after()
        return batch
