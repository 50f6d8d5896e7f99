"""Hands in the backend of a test's gateway: what they do is done as by somebody else, and written down."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from adapters.base import Options
from adapters.ims.memory import Adapter
from adapters.types import Resource, ResourcePool, object_id
from tests.subscriptions.recorder import Record

TENANTS = ("acme", "globex", None)


@dataclass
class Hands:
    """`made` are the ledger's records of what was made and deleted, the sample's included."""

    source: str
    config: dict[str, Any]
    random: Random = field(default_factory=lambda: Random(6))
    made: list[Record] = field(default_factory=list)
    living: dict[str, Resource] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.adapter = Adapter(Options(name=self.source, key=self.source, config=self.config))
        for thing in self.adapter.everything():
            self._note("CREATE", thing.native_id)
        self._like = next(self.adapter.resources())

    def stir(self, times: int) -> None:
        """So many changes: a resource is made, changed, or deleted."""
        for _ in range(times):
            dice = self.random.random()
            if dice < 0.25 or len(self.living) < 5:
                self.create()
            elif dice < 0.85:
                self.change()
            else:
                self.delete()

    def create(self, name: str = "", **facts: Any) -> Resource:
        """A new resource, of the next tenant."""
        self._count += 1
        name = name or f"{self.source}-{self._count}"
        facts = {"tenant": TENANTS[self._count % len(TENANTS)], **facts}
        made = replace(self._like, native_id=name, name=name, global_asset_id="", **facts)
        self._note("CREATE", name)
        return self.keep(made)

    def change(self, native_id: str = "") -> Resource:
        """One of them is described anew."""
        self._count += 1
        was = self.living[native_id or self.random.choice(list(self.living))]
        return self.keep(replace(was, description=f"description {self._count}"))

    def delete(self, native_id: str = "") -> None:
        """One of them goes."""
        gone = self.living.pop(native_id or self.random.choice(list(self.living)))
        self._note("DELETE", gone.native_id)
        self.adapter.delete_resource(gone.native_id, tenant=gone.tenant)

    def pool(self, name: str, tenant: str | None = "acme") -> ResourcePool:
        """A new pool."""
        self._note("CREATE", name)
        pool = ResourcePool(native_id="", name=name, tenant=tenant)
        found = self.adapter.create_pool(name, pool).objects[0]
        assert isinstance(found, ResourcePool)
        return found

    def drop_pool(self, name: str, tenant: str | None = "acme") -> None:
        """A pool goes, with what is in it."""
        for gone in self.adapter.delete_pool(name, tenant=tenant, cascade=True).gone:
            self.living.pop(gone.native_id, None)
            self._note("DELETE", gone.native_id)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """All of it is seen together, or nothing."""
        with self.adapter._open().changing():
            yield

    def keep(self, resource: Resource, *, made: bool = False) -> Resource:
        """It is so from now on, which it was not before (`made`: it was not there)."""
        if made:
            self._note("CREATE", resource.native_id)
        self.living[resource.native_id] = self.adapter._open().put(resource)
        return resource

    def _note(self, type_: str, native_id: str) -> None:
        thing = str(object_id(self.source, native_id))
        self.made.append({"what": "made", "object": thing, "type": type_, "at": time.time()})


@contextmanager
def stirring(hands: Hands, a_second: float) -> Iterator[None]:
    """Inside the block changes happen, so many a second."""
    over = threading.Event()

    def stir() -> None:
        while not over.wait(1 / a_second):
            hands.stir(1)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(stir)
        try:
            yield
        finally:
            over.set()
            done.result(20)
