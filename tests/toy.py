"""A toy backend for tests of the collector: the memory backend, which on request fails, hides or garbles
what it has."""

from collections.abc import Iterator
from typing import Any, ClassVar

from adapters.errors import BackendError
from adapters.ims import memory
from adapters.types import Batch, InventoryObject, Resource


class Adapter(memory.Adapter):
    """What it does next is set on the class; `reset` makes it well again."""

    fault: ClassVar[BackendError | None] = None
    hidden: ClassVar[int] = 0
    garbled: ClassVar[bool] = False

    @classmethod
    def reset(cls) -> None:
        """Well again."""
        cls.fault, cls.hidden, cls.garbled = None, 0, False

    def check(self) -> None:
        """Fails if it is to."""
        if self.fault:
            raise self.fault
        super().check()

    def find(self, *words: Any, **more: Any) -> Batch:
        """Fails if it is to."""
        if self.fault:
            raise self.fault
        return super().find(*words, **more)

    def everything(self) -> Iterator[InventoryObject]:
        """Without the first `hidden` resources; `garbled` adds one that cannot be stored."""
        left = self.hidden
        for thing in super().everything():
            if left and isinstance(thing, Resource):
                left -= 1
                continue
            yield thing
        if self.garbled:
            yield Resource(
                native_id="odd",
                name="odd",
                type_native_id="t",
                pool_native_id="p",
                extensions={"mock.odd": object()},
            )
