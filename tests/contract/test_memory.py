"""The backend in memory passes the contract: so it may stand for a real one in other tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.base import Options
from adapters.ims.memory import Adapter
from adapters.types import Resource, ResourcePool
from tests.contract.ims import Backend, ImsContract, Make, WatchedImsContract


class Sample(Backend):
    """Another process that has the same file open."""

    def __init__(self, path: Path) -> None:
        self.adapter = Adapter(Options(name="other", key="other", config=config(path)))

    def add_pool(self, name: str, *, tenant: str = "") -> str:
        pool = ResourcePool(native_id="", name=name, tenant=tenant or None)
        return self.adapter.create_pool(name, pool).native_id

    def change_pool(self, native_id: str) -> None:
        (old,) = (pool for pool in self.adapter.pools() if pool.native_id == native_id)
        self.adapter.update_pool(native_id, replace(old, description=f"{old.description}!"))

    def remove_pool(self, native_id: str) -> None:
        self.adapter.delete_pool(native_id)

    def add_resource(self, name: str, *, tenant: str = "") -> str:
        like = next(self.adapter.resources())
        return self.adapter.create_resource(name, replace(like, name=name, tenant=tenant or None)).native_id

    def change_resource(self, native_id: str) -> None:
        old = self._resource(native_id)
        self.adapter._put(replace(old, description=f"{old.description}!"))

    def remove_resource(self, native_id: str) -> None:
        self.adapter.delete_resource(native_id)

    def stir(self, native_id: str) -> None:
        self.adapter._put(self._resource(native_id))

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


class TestMemory(WatchedImsContract):
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
