"""What has been told of a cluster so far, by id: so that only what is different is told, and with a version
that never falls."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from adapters.ims.kubernetes.store import Ref
from adapters.types import KINDS, Gone, InventoryObject, Kind

_ORDER = {kind: order for order, kind in enumerate(Kind)}


class Published:
    """The last state told of each object, and which Kubernetes object it was made from."""

    def __init__(self) -> None:
        self._told: dict[tuple[Kind, str], tuple[Ref, InventoryObject]] = {}

    def __contains__(self, key: tuple[Kind, str]) -> bool:
        """Whether the last that was told of an id is that it is there."""
        return key in self._told

    def update(
        self, changed: Iterable[tuple[Ref, InventoryObject | None, int]], made: Mapping[Ref, InventoryObject]
    ) -> tuple[tuple[InventoryObject, ...], tuple[Gone, ...], list[Ref]]:
        """From what was made anew (what it was before, as of when) and all that is made now: the objects to
        tell, parents first; those that are gone, children first; and refs whose object has an id that is
        another's.

        It compares by id: what one Kubernetes object no longer is, another may be now (a Machine that became
        a Node).
        """
        changed = list(changed)
        gone: dict[tuple[Kind, str], int] = {}
        for ref, old, version in changed:
            key = _key(old) if old else None
            if key and self._told.get(key, (None,))[0] == ref:
                gone[key] = version
        objects, clashes = [], []
        for ref, _, version in changed:
            new = made.get(ref)
            if new is None:
                continue
            key = _key(new)
            owner, before = self._told.get(key, (ref, None))
            if owner != ref and key not in gone:
                clashes.append(ref)
                continue
            gone.pop(key, None)
            told = replace(new, version=_latest(version, before))
            self._told[key] = (ref, told)
            if before is None or replace(before, version=told.version) != told:
                objects.append(told)
        removed = [
            Gone(*key, version=_latest(version, self._told.pop(key)[1])) for key, version in gone.items()
        ]
        objects.sort(key=lambda found: _ORDER[KINDS[type(found)]])
        removed.sort(key=lambda found: -_ORDER[found.kind])
        return tuple(objects), tuple(removed), clashes


def _key(found: InventoryObject) -> tuple[Kind, str]:
    return KINDS[type(found)], found.native_id


def _latest(version: int, before: InventoryObject | None) -> str:
    return str(max(version, int(before.version) if before else 0))
