"""What the backend in memory holds: rows in SQLite, with a log of what changed.

In the file `path:`, which several processes may have open at once; or, without one, in this process only,
where all adapters of one name share it for as long as any of them is open.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

import orjson

from adapters.base import Options
from adapters.errors import Busy, Misconfigured
from adapters.types import (
    KINDS,
    Batch,
    DeploymentManager,
    Footprint,
    Gone,
    InventoryObject,
    Kind,
    Resource,
    ResourcePool,
    ResourceType,
)

Row = TypeVar("Row", bound=DeploymentManager | ResourceType | ResourcePool | Resource)
_CLASSES: dict[str, type[Any]] = {kind: cls for cls, kind in KINDS.items()}
_LISTS = ("supported_locations", "tags", "groups")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (kind TEXT, native_id TEXT, body BLOB, PRIMARY KEY (kind, native_id));
CREATE TABLE IF NOT EXISTS change (version INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, native_id TEXT);
"""


class State:
    """The rows. Safe to use from any thread; several steps that belong together go into `changing`."""

    _shared: ClassVar[WeakValueDictionary[tuple[str, str], "State"]] = WeakValueDictionary()
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str, path: str, fill: Iterable[InventoryObject]) -> None:
        self._name = name
        self._lock = threading.RLock()
        #: Whether somebody lists or watches it: what nobody reads would be written for nothing.
        self.read = bool(path)
        try:
            self._rows = sqlite3.connect(
                path or ":memory:", timeout=5, check_same_thread=False, isolation_level=None
            )
            self._rows.execute("PRAGMA synchronous=OFF")
            self._rows.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise Misconfigured(name, f"cannot open its file: {error}") from error
        self._fill(fill)

    @classmethod
    def of(cls, options: Options, fill: Iterable[InventoryObject]) -> "State":
        """The state an adapter of these options opens, filled if it is a new one."""
        path = str(options.config.get("path") or "")
        if path:
            return cls(options.name, path, fill)
        with cls._opening:
            found = cls._shared.get((options.name, options.key))
            if found is None:
                found = cls._shared[options.name, options.key] = cls(options.name, "", fill)
            return found

    def __del__(self) -> None:
        if hasattr(self, "_rows"):
            self._rows.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One transaction, of one thread and one process at a time."""
        with self._lock:
            if self._rows.in_transaction:  # part of a larger one
                yield
                return
            try:
                self._rows.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise Busy(self._name, "its file is being written by somebody else") from error
            try:
                yield
            except BaseException:
                self._rows.execute("ROLLBACK")
                raise
            self._rows.execute("COMMIT")

    def all(self, cls: type[Row]) -> list[Row]:
        """Every object of a kind, by native id."""
        with self._lock:
            found = self._rows.execute(
                "SELECT body FROM object WHERE kind = ? ORDER BY native_id", (KINDS[cls],)
            ).fetchall()
        return [_decode(cls, body) for (body,) in found]

    def get(self, cls: type[Row], native_id: str) -> Row | None:
        """One object, or None."""
        with self._lock:
            row = self._rows.execute(
                "SELECT body FROM object WHERE kind = ? AND native_id = ?", (KINDS[cls], native_id)
            ).fetchone()
        return None if row is None else _decode(cls, row[0])

    def put(self, thing: Row) -> Row:
        """Writes an object; it has its version then. The same again is no change."""
        kind = KINDS[type(thing)]
        with self.changing():
            old = self.get(type(thing), thing.native_id)
            if old is not None and replace(old, version=thing.version) == thing:
                return old
            cursor = self._rows.execute(
                "INSERT INTO change (kind, native_id) VALUES (?, ?)", (kind, thing.native_id)
            )
            put = replace(thing, version=str(cursor.lastrowid))
            body = orjson.dumps(asdict(put))
            self._rows.execute(
                "INSERT OR REPLACE INTO object VALUES (?, ?, ?)", (kind, thing.native_id, body)
            )
        return put

    def drop(self, kind: Kind, native_id: str) -> Gone:
        """Takes an object away."""
        with self.changing():
            cursor = self._rows.execute(
                "INSERT INTO change (kind, native_id) VALUES (?, ?)", (kind, native_id)
            )
            self._rows.execute("DELETE FROM object WHERE kind = ? AND native_id = ?", (kind, native_id))
        return Gone(kind, native_id, str(cursor.lastrowid))

    def position(self) -> int:
        """The newest change's version."""
        with self._lock:
            (newest,) = self._rows.execute("SELECT coalesce(max(version), 0) FROM change").fetchone()
        return int(newest)

    def since(self, position: int) -> tuple[Batch, int]:
        """What has changed after a position, and the position then. What came and went in between is gone,
        and what is again as it was has changed: whoever did either may know of a part of it."""
        with self._lock:
            changed = self._rows.execute(
                "SELECT c.kind, c.native_id, max(c.version), o.body FROM change c LEFT JOIN object o"
                " ON o.kind = c.kind AND o.native_id = c.native_id WHERE c.version > ?"
                " GROUP BY c.kind, c.native_id ORDER BY 3",
                (position,),
            ).fetchall()
        objects = tuple(_decode(_CLASSES[kind], body) for kind, _, _, body in changed if body is not None)
        gone = tuple(
            Gone(Kind(kind), native_id, str(version))
            for kind, native_id, version, body in changed
            if body is None
        )
        position = max([position, *(version for _, _, version, _ in changed)])
        return Batch(objects=objects, gone=gone, checkpoint=str(position)), position

    def _fill(self, things: Iterable[InventoryObject]) -> None:
        if self.position():  # filled already: who only reads waits for nobody who writes
            return
        with self.changing():
            if self.position():
                return
            # What lies in memory begins anew with each process, and later states must have greater versions
            # all the same.
            start = ("INSERT INTO sqlite_sequence VALUES ('change', ?)", (time.time_ns() // 1_000_000,))
            self._rows.execute(*start)
            for thing in things:
                self.put(thing)


def _decode(cls: type[Row], body: bytes) -> Row:
    values = orjson.loads(body)
    values["takes"] = Footprint(**values["takes"]) if values.get("takes") else None
    values.update({name: tuple(values[name]) for name in _LISTS if name in values})
    return cls(**values)
