"""Kubernetes objects by table, and who looked at them: of what one was made from, only that is made again.

    put(ref, facts)                   the readers that must be made again
    with reading(reader): get, find   remembers what `reader` looked at, also what was not there

A ref is (table, key). A table is the plural, with its group for custom resources. An index is a table that
`put` fills from the facts themselves: ("node-of-machine", "worker-7") → {("machines.…", "ns/worker-7-x")}.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from adapters.ims.kubernetes.facts import Facts

Ref: TypeAlias = tuple[str, str]

#: The key under which those are remembered who looked at a whole table; no object's name can be it.
_ALL = "*"


class Store:
    """Facts, indexes and readers. `index` says under which refs an object can be found, besides its own."""

    def __init__(self, index: Callable[[Ref, Facts], Iterable[Ref]] | None) -> None:
        self._index = index or _no_index
        self._facts: dict[str, dict[str, Facts]] = {}
        self._found: dict[Ref, set[Ref]] = {}
        self._readers: dict[Ref, set[Ref]] = {}
        self._looked: dict[Ref, set[Ref]] = {}
        self._reading: set[Ref] | None = None

    def put(self, ref: Ref, facts: Facts | None) -> set[Ref]:
        """Sets or (None) removes an object; the readers it concerns, itself among them. Nothing changed:
        nobody."""
        table = self._facts.setdefault(ref[0], {})
        before = table.get(ref[1])
        if before == facts:
            return set()
        old = set(self._index(ref, before)) if before else set()
        new = set(self._index(ref, facts)) if facts else set()
        for gone in old - new:
            self._found[gone].discard(ref)
            if not self._found[gone]:
                del self._found[gone]
        for come in new - old:
            self._found.setdefault(come, set()).add(ref)
        if facts:
            table[ref[1]] = facts
        else:
            del table[ref[1]]
        concerned = {ref}.union(self.readers(ref), *(self.readers(changed) for changed in old ^ new))
        return concerned if before and facts else concerned | self.readers((ref[0], _ALL))

    def readers(self, ref: Ref) -> set[Ref]:
        """Who looked at `ref`."""
        return self._readers.get(ref, set())

    def get(self, ref: Ref) -> Facts | None:
        """The object, or None."""
        if self._reading is not None:
            self._reading.add(ref)
        return self._facts.get(ref[0], {}).get(ref[1])

    def find(self, ref: Ref) -> list[Ref]:
        """What an index has, in a fixed order."""
        if self._reading is not None:
            self._reading.add(ref)
        return sorted(self._found.get(ref, ()))

    def refs(self, table: str) -> list[Ref]:
        """The refs of all a table's objects."""
        if self._reading is not None:
            self._reading.add((table, _ALL))
        return [(table, key) for key in self._facts.get(table, ())]

    @contextmanager
    def reading(self, reader: Ref) -> Iterator[None]:
        """Remembers what is looked at inside, instead of what `reader` looked at before."""
        looked: set[Ref] = set()
        self._reading = looked
        try:
            yield
        finally:
            self._reading = None
            looked.discard(reader)  # its own object: put() names it anyway
            before = self._looked.pop(reader, set())
            for ref in before - looked:
                self._readers[ref].discard(reader)
                if not self._readers[ref]:
                    del self._readers[ref]
            for ref in looked - before:
                self._readers.setdefault(ref, set()).add(reader)
            if looked:
                self._looked[reader] = looked


def _no_index(ref: Ref, facts: Facts) -> Iterable[Ref]:  # noqa: ARG001
    return ()
