"""The backend in memory passes the contract: so it may stand for a real one in other tests."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Options
from adapters.ims.memory import Adapter
from adapters.types import Resource, ResourcePool
from tests.contract.ims import Backend, ImsContract, Make, WatchedImsContract
from tests.contract.writing import WritesPools, WritesResources


class Sample(Backend):
    """Another process that has the same file open."""

    def __init__(self, path: Path) -> None:
        self.adapter = Adapter(Options(name="other", key="other", config=config(path)))

    needed: Mapping[str, Any] = {"mock.type": "compute-large"}
    changeable = ("mock.capacity", 7)
    fixed = "mock.nativeId"

    def add_pool(self, name: str, *, tenant: str = "") -> str:
        pool = ResourcePool(native_id="", name=name, tenant=tenant or None)
        return self.adapter.create_pool(name, pool).objects[0].native_id

    def change_pool(self, native_id: str) -> None:
        (old,) = (pool for pool in self.adapter.pools() if pool.native_id == native_id)
        self.adapter.update_pool(native_id, replace(old, description=f"{old.description}!"))

    def remove_pool(self, native_id: str) -> None:
        (old,) = (pool for pool in self.adapter.pools() if pool.native_id == native_id)
        self.adapter.delete_pool(native_id, tenant=old.tenant)

    def add_resource(self, name: str, *, tenant: str = "") -> str:
        like = next(self.adapter.resources())
        return self._put(replace(like, native_id=name, name=name, tenant=tenant or None))

    def add_member(self, pool_id: str, name: str, *, tenant: str = "") -> str:
        like = next(self.adapter.resources())
        (pool,) = (pool for pool in self.adapter.pools() if pool.native_id == pool_id)
        return self._put(
            replace(
                like, native_id=name, name=name, tenant=tenant or pool.tenant, pool_native_id=pool.native_id
            )
        )

    def change_resource(self, native_id: str) -> None:
        old = self._resource(native_id)
        self._put(replace(old, description=f"{old.description}!"))

    def remove_resource(self, native_id: str) -> None:
        self.adapter.delete_resource(native_id, tenant=self._resource(native_id).tenant)

    def stir(self, native_id: str) -> None:
        self._put(self._resource(native_id))

    def _put(self, resource: Resource) -> str:
        extensions = {**resource.extensions, "mock.nativeId": resource.native_id}
        return self.adapter._open().put(replace(resource, extensions=extensions)).native_id

    def _resource(self, native_id: str) -> Resource:
        (found,) = (resource for resource in self.adapter.resources() if resource.native_id == native_id)
        return found


def config(path: Path) -> dict[str, object]:
    return {"path": str(path), "live": 0, "objects": 12}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mock.sqlite"


@pytest.fixture
def kept(path: Path) -> Iterator[Sample]:
    sample = Sample(path)
    yield sample
    sample.adapter.close()


def maker(config: dict[str, object]) -> Make:
    return lambda: Adapter(Options(name="mock", key="mock", config=config))


class TestMemory(WritesPools, WritesResources, WatchedImsContract):
    @pytest.fixture
    def backend(self, kept: Sample) -> Backend:
        return kept

    @pytest.fixture
    def make(self, path: Path) -> Make:
        return maker(config(path))


class TestMemoryThatIsPolled(ImsContract):
    @pytest.fixture
    def backend(self, kept: Sample) -> Backend:
        return kept

    @pytest.fixture
    def make(self, path: Path) -> Make:
        return maker({**config(path), "poll": "1s"})
