"""What many objects add up to: the zones of a pool, the members of a type, the capacity of all nodes. Kept as
they come and go, so that one changed node among 10,000 does not cost a look at all of them."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from adapters.ims.kubernetes.discovery import NODES
from adapters.ims.kubernetes.facts import Node
from adapters.ims.kubernetes.quantity import number, quantity
from adapters.ims.kubernetes.store import Ref
from adapters.types import Resource

#: What of a node's capacity is summed up, and its name in a deployment manager's `capacity`; besides extended
#: resources.
_SUMMED = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "storage", "pods": "pods"}


class Groups:
    """Pools and types by their members. A pseudo ref names one: ("pool", native id) or ("type", native
    id)."""

    def __init__(self) -> None:
        self._zones: dict[str, Counter[str]] = {}
        self._members: dict[str, set[Ref]] = {}
        self._first: dict[str, Ref] = {}

    def move(self, ref: Ref, old: Resource | None, new: Resource | None) -> set[Ref]:
        """A resource was made anew; the pseudo refs of the groups that look different now."""
        touched: set[Ref] = set()
        before = old and (old.pool_native_id, old.type_native_id, _zone(old))
        after = new and (new.pool_native_id, new.type_native_id, _zone(new))
        if before == after:
            return touched
        if before:
            pool, kind, zone = before
            self._zones[pool][zone] -= 1
            if not self._zones[pool][zone]:
                del self._zones[pool][zone]
                touched.add(("pool", pool))
            if not self._zones[pool]:
                del self._zones[pool]
            touched |= self._leave(kind, ref)
        if after:
            pool, kind, zone = after
            zones = self._zones.setdefault(pool, Counter())
            if not zones[zone]:
                touched.add(("pool", pool))
            zones[zone] += 1
            touched |= self._join(kind, ref)
        return touched

    def zones(self, pool: str) -> list[str] | None:
        """The zones of a pool's members, sorted; None if it has no members."""
        return sorted(zone for zone in self._zones[pool] if zone) if pool in self._zones else None

    def first(self, kind: str) -> Ref | None:
        """The member that shows what a type is: the first node by name, so that it is the same one every
        time."""
        return self._first.get(kind)

    def _leave(self, kind: str, ref: Ref) -> set[Ref]:
        self._members[kind].discard(ref)
        if self._first[kind] != ref:
            return set()
        if self._members[kind]:
            self._first[kind] = min(self._members[kind], key=_order)
        else:
            del self._members[kind], self._first[kind]
        return {("type", kind)}

    def _join(self, kind: str, ref: Ref) -> set[Ref]:
        self._members.setdefault(kind, set()).add(ref)
        if kind in self._first and _order(self._first[kind]) < _order(ref):
            return set()
        self._first[kind] = ref
        return {("type", kind)}


class Totals:
    """The sum of all nodes."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._architectures: Counter[str] = Counter()

    def replace(self, old: Node | None, new: Node | None) -> bool:
        """Whether the sum is another one now."""
        before, after = _amounts(old), _amounts(new)
        if before == after and (old and old.architecture) == (new and new.architecture):
            return False
        self._sums.subtract(before)
        self._sums.update(after)
        for node, step in ((old, -1), (new, 1)):
            if node:
                self._architectures[node.architecture] += step
        return True

    @property
    def capacity(self) -> dict[str, int | float]:
        """`cpu` in cores, `memory` and `storage` in bytes, `pods`, `nodes` and each extended resource as
        counts."""
        return {name: number(Fraction(total)) for name, total in sorted(self._sums.items()) if total}

    @property
    def architectures(self) -> list[str]:
        """Sorted."""
        return sorted(name for name, count in self._architectures.items() if name and count)


def check(node: Node) -> None:
    """Raises `ValueError` for a capacity that cannot be summed up."""
    _amounts(node)


def _amounts(node: Node | None) -> Mapping[str, int]:
    if node is None:
        return {}
    found = {
        _SUMMED.get(name, name): quantity(text)
        for name, text in node.capacity.items()
        if name in _SUMMED or "/" in name
    }
    return {"nodes": 1, **found}  # type: ignore[dict-item]  # Fractions: a Counter adds them as well


def _zone(resource: Resource) -> str:
    return str(resource.extensions.get("k8s.zone", ""))


def _order(ref: Ref) -> tuple[bool, str, str]:
    return ref[0] != NODES, *ref[::-1]
