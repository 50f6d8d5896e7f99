"""The Machine APIs of a cluster, to be changed: one object at a time, as raw JSON, and never another state
of it than the one that was looked at."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.errors import Conflict, Invalid, Misconfigured, NotFound
from adapters.ims.kubernetes.discovery import MACHINES, Collection
from adapters.ims.kubernetes.facts import CLUSTER_API, OPENSHIFT
from adapters.ims.kubernetes.scene import Scene
from adapters.ims.kubernetes.store import Ref
from adapters.ims.kubernetes.survey import Found
from adapters.kube import Connection
from adapters.types import Ability

#: The sets that can be changed at all: a MachinePool is its provider's.
WRITABLE = {
    f"machinesets.{OPENSHIFT}",
    f"machinesets.{CLUSTER_API}",
    f"machinedeployments.{CLUSTER_API}",
}

_TRIES = 3
_PAUSE_SECONDS = 0.05


def abilities(found: Found, config: Mapping[str, Any]) -> set[Ability]:
    """What can be written where discovery found that; a new pool needs a machine template too."""
    tables = {collection.table for collection in found.collections}
    can: set[Ability] = set()
    if WRITABLE & tables:
        can |= {Ability.RESOURCE_POOL_UPDATE, Ability.RESOURCE_POOL_DELETE, Ability.RESOURCE_DELETE}
        if config.get("machineTemplates"):
            can.add(Ability.RESOURCE_POOL_CREATE)
    if {MACHINES[0], f"machinesets.{OPENSHIFT}"} <= tables:
        can.add(Ability.RESOURCE_CREATE)
    return can


class Changed(Conflict):
    """It is no longer what it was when it was read: read it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineApi:
    """What discovery `found`, a connection, and whose is what carries no tenant."""

    source: str
    connection: Connection
    found: Found
    pool_labels: tuple[str, ...]
    tenant: str | None
    config: Mapping[str, Any]

    def owner(self, tenant: str | None) -> str | None:
        """Whose an object with this tenant is."""
        return tenant or self.tenant

    def read(self, *tables: str) -> Scene:
        """Those tables as they are now; of those that are not served, nothing."""
        scene = Scene(self.source, self.found.machine_apis, self.pool_labels)
        for table in tables:
            self.add(scene, table)
        return scene

    def add(self, scene: Scene, table: str) -> None:
        """Reads one more table into a scene."""
        collection = self._collection(table)
        if collection:
            what = f"list {collection.plural}"
            listing = self.connection.list(
                collection.path, lambda raw: scene.put(table, raw), dict(collection.query), what=what
            )
            scene.version = scene.version or listing.version

    def version(self, table: str) -> str:
        """The API server's version now."""
        collection = self._collection(table)
        assert collection
        page = self.connection.get(collection.path, {"limit": "1"}, what=f"list {collection.plural}")
        return str(page["metadata"]["resourceVersion"])

    def get(self, ref: Ref) -> Any:
        """The object as it is now, or `NotFound`."""
        return self.connection.get(self._path(ref), what=f"read a {_one(ref)}")

    def has(self, ref: Ref, raw: Any) -> bool:
        """Whether the object `raw` is there, and not another one of its name."""
        try:
            return bool(self.get(ref)["metadata"]["uid"] == raw["metadata"]["uid"])
        except NotFound:
            return False

    def create(self, ref: Ref, manifest: Mapping[str, Any]) -> Any:
        """Makes an object; `Changed` where there is one of that name."""
        collection = self._path(ref).rpartition("/")[0]
        try:
            return self.connection.post(collection, manifest, what=f"make a {_one(ref)}")
        except NotFound as error:
            space = ref[1].partition("/")[0]
            raise Misconfigured(self.source, f"there is no namespace {space} to make machines in") from error
        except Conflict as error:
            raise Changed(self.source, error.detail) from error
        except Invalid as error:
            if "metadata.name:" in error.detail:
                raise Invalid(self.source, error.detail, pointer="/name") from error
            raise

    def change(
        self, ref: Ref, raw: Any, patch: Callable[[Any], Mapping[str, Any]], *, tries: int = _TRIES
    ) -> Any:
        """Patches the object `raw` with what `patch` makes of it ({}: nothing to do); where it has changed
        meanwhile, it is read and `patch` asked again, a few times."""
        for number in range(1, tries + 1):
            wanted = patch(raw)
            if not wanted:
                return raw
            meta = {**wanted.get("metadata", {}), **_state(raw)}
            try:
                return self.connection.patch(
                    self._path(ref), {**wanted, "metadata": meta}, what=f"change a {_one(ref)}"
                )
            except Conflict as error:
                if number == tries:
                    raise Changed(self.source, error.detail) from error
            time.sleep(_pause(number))
            raw = self._again(ref, raw)
        raise AssertionError("not reached")

    def delete(
        self, ref: Ref, raw: Any, check: Callable[[Any], object], *, tries: int = _TRIES
    ) -> Any | None:
        """Deletes the object `raw`, after `check` has looked at it; None when it is gone, or the object while
        something holds it. Where it has changed meanwhile, it is read and `check` asked again."""
        for number in range(1, tries + 1):
            check(raw)
            body = {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": _state(raw),
                "propagationPolicy": "Background",
            }
            try:
                answer = self.connection.delete(self._path(ref), body, what=f"delete a {_one(ref)}")
            except Conflict as error:
                if number == tries:
                    raise Changed(self.source, error.detail) from error
            else:
                return None if answer.get("kind") == "Status" else answer
            time.sleep(_pause(number))
            raw = self._again(ref, raw)
        raise AssertionError("not reached")

    def _again(self, ref: Ref, raw: Any) -> Any:
        """The same object as it is now, and not another one of its name."""
        found = self.get(ref)
        if found["metadata"]["uid"] != raw["metadata"]["uid"]:
            raise NotFound(self.source, f"no longer has that {_one(ref)}")
        return found

    def _collection(self, table: str) -> Collection | None:
        return next((found for found in self.found.collections if found.table == table), None)

    def _path(self, ref: Ref) -> str:
        collection = self._collection(ref[0])
        assert collection
        root, _, plural = collection.path.rpartition("/")
        space, _, name = ref[1].partition("/")
        return f"{root}/namespaces/{space}/{plural}/{name}"


def _state(raw: Any) -> dict[str, str]:
    """What makes a change conditional on the state that was looked at."""
    return {key: raw["metadata"][key] for key in ("uid", "resourceVersion")}


def _one(ref: Ref) -> str:
    return ref[0].partition(".")[0].removesuffix("s")


def _pause(number: int) -> float:
    return _PAUSE_SECONDS * number * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
