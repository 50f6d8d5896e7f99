"""A stand-in for OpenShift's machine controllers, and named so: the API server is real, and whoever makes
Machines of MachineSets and Nodes of Machines is this thread.

It does what a test of sizes needs: as many Machines as a set wants, each with a ready Node; of too many,
the one that carries the hint goes first; a Machine that is gone takes its Node with it.
"""

import itertools
import threading
from typing import Any, Self

from tests.adapters.kubernetes_objects import OPENSHIFT, becomes, node, owned
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import ApiError, Manifest

HINT = "machine.openshift.io/delete-machine"
MACHINE_OF = "machine.openshift.io/machine"
_SETS, _MACHINES = f"/apis/{OPENSHIFT}/machinesets", f"/apis/{OPENSHIFT}/machines"


class MachineControllerStandIn:
    """Works from `with` to its end."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self._thread = threading.Thread(target=self._work, name="machine-controller-stand-in")
        self.trouble: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.trouble and kind is None:
            raise self.trouble

    def _work(self) -> None:
        while not self._over.wait(0.1):
            try:
                self._reconcile()
            except ApiError as error:
                if error.status not in {404, 409}:  # somebody was faster: the next round sees it
                    self.trouble = error
                    return

    def _reconcile(self) -> None:
        machines = self._items(_MACHINES, "Machine")
        for found in self._items(_SETS, "MachineSet"):
            mine = [one for one in machines if _owner(one) == found["metadata"]["uid"]]
            wanted = found["spec"].get("replicas", 1)
            for _ in range(wanted - len(mine)):
                self._cluster.apply(self._machine(found))
            mine.sort(key=lambda one: (HINT not in (one["metadata"].get("annotations") or {}), _name(one)))
            for surplus in mine[: max(0, len(mine) - wanted)]:
                self._cluster.delete(surplus)
        machines = self._items(_MACHINES, "Machine")
        for one in machines:
            if not one.get("status", {}).get("nodeRef"):
                self._cluster.apply(self._node(one))
                self._cluster.apply(_only_status(one))
        there = {f"{one['metadata']['namespace']}/{_name(one)}" for one in machines}
        for one in self._items("/api/v1/nodes", "Node"):
            claimed = (one["metadata"].get("annotations") or {}).get(MACHINE_OF)
            if claimed and claimed not in there:
                self._cluster.delete(one)

    def _machine(self, found: Manifest) -> Manifest:
        template = found["spec"]["template"]
        meta = template.get("metadata") or {}
        return {
            "apiVersion": OPENSHIFT,
            "kind": "Machine",
            "metadata": {
                "name": f"{_name(found)}-{next(self._numbers)}",
                "namespace": found["metadata"]["namespace"],
                "labels": dict(meta.get("labels") or {}),
                "annotations": dict(meta.get("annotations") or {}),
                **owned(found),
            },
            "spec": template["spec"],
        }

    @staticmethod
    def _node(machine: Manifest) -> Manifest:
        made = node(f"node-{_name(machine)}")
        made["metadata"]["annotations"] = {MACHINE_OF: f"{machine['metadata']['namespace']}/{_name(machine)}"}
        return made

    def _items(self, path: str, kind: str) -> list[Manifest]:
        found = self._cluster.request("GET", path)
        version = "v1" if kind == "Node" else OPENSHIFT
        return [{"apiVersion": version, "kind": kind, **item} for item in found["items"]]


def _only_status(machine: Manifest) -> Manifest:
    """What the controller says of a Machine, and nothing that is another's."""
    bare: dict[str, Any] = {
        "apiVersion": OPENSHIFT,
        "kind": "Machine",
        "metadata": {key: machine["metadata"][key] for key in ("name", "namespace")},
        "spec": machine["spec"],
    }
    return becomes(bare, f"node-{_name(machine)}")


def _owner(machine: Manifest) -> str | None:
    owners = machine["metadata"].get("ownerReferences") or ()
    return next((str(owner["uid"]) for owner in owners), None)


def _name(found: Manifest) -> str:
    return str(found["metadata"]["name"])
