"""The adapter: rows in SQLite (in memory, or in the file `path:` that several processes share) with a log
of what changed."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict, replace
from typing import Any, TypeVar

import orjson

from adapters.base import ImsAdapter, Options
from adapters.errors import Conflict, Invalid, Misconfigured, NotFound
from adapters.ims.memory.sample import sample, visitor
from adapters.types import (
    KINDS,
    Ability,
    Batch,
    DeploymentManager,
    Gone,
    InventoryObject,
    Kind,
    Metadata,
    Resource,
    ResourcePool,
    ResourceType,
)

_Object = TypeVar("_Object", DeploymentManager, ResourceType, ResourcePool, Resource)
_CLASSES: dict[str, type[Any]] = {kind: cls for cls, kind in KINDS.items()}
_LISTS = ("supported_locations", "tags", "groups")
_WATCH_SECONDS = 0.05
_HEARTBEAT_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (kind TEXT, native_id TEXT, body BLOB, PRIMARY KEY (kind, native_id));
CREATE TABLE IF NOT EXISTS change (version INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, native_id TEXT);
"""


class Adapter(ImsAdapter):
    """Its options: `objects` (size of the sample, 120), `live` (seconds between changes, 3; 0 or false:
    none), `poll` (with it, it can only be polled), `path` (keep the state in this file)."""

    ordered = True
    prefix = "mock"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._lock = threading.RLock()
        self._rows: sqlite3.Connection | None = None
        self._next_tick = 0.0
        self._ticks = 0

    def metadata(self) -> Metadata:
        """Everything is supported, but with `poll` it cannot be watched."""
        can = set(Ability) - ({Ability.REAL_TIME_EVENTS} if self.options.config.get("poll") else set())
        return Metadata(name=self.name, kind="mock", version="1", can=frozenset(can))

    def check(self) -> None:
        """Opens the state."""
        self._open()

    def close(self) -> None:
        """Closes the state; one that lies in memory is gone with it."""
        with self._lock:
            if self._rows is not None:
                self._rows.close()
                self._rows = None

    def deployment_managers(self) -> Iterator[DeploymentManager]:
        """The one mock cluster."""
        return self._list(DeploymentManager)

    def types(self) -> Iterator[ResourceType]:
        """The models of the sample."""
        return self._list(ResourceType)

    def pools(self) -> Iterator[ResourcePool]:
        """The pools, those made since included."""
        return self._list(ResourcePool)

    def resources(self) -> Iterator[Resource]:
        """The resources, those made since included."""
        return self._list(Resource)

    def everything(self) -> Iterator[InventoryObject]:
        """All objects; where nobody can watch, listing is what makes it tick."""
        if Ability.REAL_TIME_EVENTS not in self.metadata().can:
            self._tick_if_due()
        return super().everything()

    async def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:  # noqa: ARG002
        """The list, then the log of changes; whoever watches makes it tick."""
        if Ability.REAL_TIME_EVENTS not in self.metadata().can:
            super().watch("")
        position = self._position()
        objects = tuple(self.everything())
        told = {(KINDS[type(thing)], thing.native_id): replace(thing, version="") for thing in objects}
        yield Batch(objects=objects, full=True, reason="start", checkpoint=str(position))
        quiet_since = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._tick_if_due()
            batch, position = self._since(position)
            batch = _news(batch, told)
            if batch.objects or batch.gone or time.monotonic() - quiet_since > _HEARTBEAT_SECONDS:
                quiet_since = time.monotonic()
                yield batch

    def create_pool(self, native_name: str, pool: ResourcePool) -> ResourcePool:
        """A new row; `Conflict` if the name is taken."""
        extensions = {**pool.extensions, "mock.nativeId": native_name}
        return self._insert(replace(pool, native_id=native_name, extensions=extensions))

    def update_pool(self, native_id: str, pool: ResourcePool) -> ResourcePool:
        """Description, location and extensions change; the name does not."""
        with self._lock:
            old = self._get(ResourcePool, native_id)
            extensions = {**old.extensions, **pool.extensions}
            return self._put(
                replace(old, description=pool.description, location=pool.location, extensions=extensions)
            )

    def delete_pool(self, native_id: str) -> None:
        """The row goes; `Conflict` while resources are in it."""
        with self._lock:
            self._get(ResourcePool, native_id)
            if any(resource.pool_native_id == native_id for resource in self.resources()):
                raise Conflict(self.name, f"the pool {native_id} still has resources")
            self._drop(Kind.RESOURCE_POOL, native_id)

    def create_resource(self, native_name: str, resource: Resource) -> Resource:
        """A new row in an existing pool, of an existing type."""
        self._must_have(ResourcePool, resource.pool_native_id, "/resourcePoolId")
        self._must_have(ResourceType, resource.type_native_id, "/resourceTypeId")
        extensions = {**resource.extensions, "mock.nativeId": native_name}
        return self._insert(replace(resource, native_id=native_name, extensions=extensions))

    def delete_resource(self, native_id: str) -> None:
        """The row goes."""
        with self._lock:
            self._get(Resource, native_id)
            self._drop(Kind.RESOURCE, native_id)

    def tick(self) -> None:
        """One change, as the living sample makes them: four resources change, then one comes or goes."""
        with self._lock:
            self._ticks += 1
            if self._ticks % 5 == 0:
                try:
                    self.delete_resource(visitor().native_id)
                except NotFound:
                    self._put(visitor())
                return
            living = list(self.resources())
            if living:
                resource = living[self._ticks * 37 % len(living)]
                utilization = (resource.extensions.get("mock.utilization", 0) + 13) % 100
                self._put(
                    replace(resource, extensions={**resource.extensions, "mock.utilization": utilization})
                )

    def _tick_if_due(self) -> None:
        live = self.options.config.get("live", 3)
        if live and time.monotonic() >= self._next_tick:
            if self._next_tick:
                self.tick()
            self._next_tick = time.monotonic() + float(live)

    def _open(self) -> sqlite3.Connection:
        with self._lock:
            if self._rows is None:
                path = str(self.options.config.get("path") or ":memory:")
                try:
                    rows = sqlite3.connect(path, timeout=5, check_same_thread=False, isolation_level=None)
                    rows.execute("PRAGMA synchronous=OFF")
                    rows.executescript(_SCHEMA)
                except sqlite3.Error as error:
                    raise Misconfigured(self.name, f"cannot open its file: {error}") from error
                self._rows = rows
                self._fill(rows)
            return self._rows

    def _fill(self, rows: sqlite3.Connection) -> None:
        rows.execute("BEGIN IMMEDIATE")
        if rows.execute("SELECT count(*) FROM object").fetchone() == (0,):
            # What lies in memory begins anew with each process, and later states must have greater versions
            # all the same.
            start = ("INSERT INTO sqlite_sequence VALUES ('change', ?)", (time.time_ns() // 1_000_000,))
            rows.execute(*start)
            for thing in sample(int(self.options.config.get("objects", 120))):
                self._write(rows, thing)
        rows.execute("COMMIT")

    def _list(self, cls: type[_Object]) -> Iterator[_Object]:
        with self._lock:
            found = (
                self._open()
                .execute("SELECT body FROM object WHERE kind = ? ORDER BY native_id", (KINDS[cls],))
                .fetchall()
            )
        return (_decode(cls, body) for (body,) in found)

    def _get(self, cls: type[_Object], native_id: str) -> _Object:
        with self._lock:
            row = (
                self._open()
                .execute("SELECT body FROM object WHERE kind = ? AND native_id = ?", (KINDS[cls], native_id))
                .fetchone()
            )
        if row is None:
            raise NotFound(self.name, f"no {KINDS[cls]} {native_id}")
        return _decode(cls, row[0])

    def _must_have(self, cls: type[_Object], native_id: str, pointer: str) -> None:
        try:
            self._get(cls, native_id)
        except NotFound as error:
            raise Invalid(self.name, error.detail, pointer=pointer) from error

    def _insert(self, thing: _Object) -> _Object:
        with self._lock:
            try:
                self._get(type(thing), thing.native_id)
            except NotFound:
                return self._put(thing)
        raise Conflict(self.name, f"{KINDS[type(thing)]} {thing.native_id} exists already")

    def _put(self, thing: _Object) -> _Object:
        with self._lock:
            rows = self._open()
            rows.execute("BEGIN IMMEDIATE")
            version = self._write(rows, thing)
            rows.execute("COMMIT")
            return replace(thing, version=version)

    def _write(self, rows: sqlite3.Connection, thing: InventoryObject) -> str:
        kind = KINDS[type(thing)]
        cursor = rows.execute("INSERT INTO change (kind, native_id) VALUES (?, ?)", (kind, thing.native_id))
        version = str(cursor.lastrowid)
        body = orjson.dumps(asdict(replace(thing, version=version)))
        rows.execute("INSERT OR REPLACE INTO object VALUES (?, ?, ?)", (kind, thing.native_id, body))
        return version

    def _drop(self, kind: Kind, native_id: str) -> None:
        with self._lock:
            rows = self._open()
            rows.execute("BEGIN IMMEDIATE")
            rows.execute("INSERT INTO change (kind, native_id) VALUES (?, ?)", (kind, native_id))
            rows.execute("DELETE FROM object WHERE kind = ? AND native_id = ?", (kind, native_id))
            rows.execute("COMMIT")

    def _position(self) -> int:
        with self._lock:
            (newest,) = self._open().execute("SELECT coalesce(max(version), 0) FROM change").fetchone()
            return int(newest)

    def _since(self, position: int) -> tuple[Batch, int]:
        with self._lock:
            changed = (
                self._open()
                .execute(
                    "SELECT c.kind, c.native_id, max(c.version), o.body FROM change c LEFT JOIN object o"
                    " ON o.kind = c.kind AND o.native_id = c.native_id WHERE c.version > ?"
                    " GROUP BY c.kind, c.native_id ORDER BY 3",
                    (position,),
                )
                .fetchall()
            )
        objects = tuple(_decode(_CLASSES[kind], body) for kind, _, _, body in changed if body is not None)
        gone = tuple(
            Gone(Kind(kind), native_id, str(version))
            for kind, native_id, version, body in changed
            if body is None
        )
        position = max([position, *(version for _, _, version, _ in changed)])
        return Batch(objects=objects, gone=gone, checkpoint=str(position)), position


def _news(batch: Batch, told: dict[tuple[Kind, str], InventoryObject]) -> Batch:
    """What of `batch` differs from what was told before, which is brought up to date: a rewrite of the same
    is nothing, and so is what came and went between two looks."""
    now = {(KINDS[type(thing)], thing.native_id): replace(thing, version="") for thing in batch.objects}
    objects = tuple(t for t in batch.objects if told.get(k := (KINDS[type(t)], t.native_id)) != now[k])
    gone = tuple(end for end in batch.gone if told.pop((end.kind, end.native_id), None) is not None)
    told.update(now)
    return replace(batch, objects=objects, gone=gone)


def _decode(cls: type[_Object], body: bytes) -> _Object:
    values = orjson.loads(body)
    values.update({name: tuple(values[name]) for name in _LISTS if name in values})
    return cls(**values)
