"""Things that several sources of one O-Cloud see: resources with the same global asset id.

One thread writes, any number read, without a lock: what is looked up is a tuple that is replaced, never
changed.
"""

from collections.abc import Iterable

from adapters.types import Kind
from o2ims.entry import Entry

_Key = tuple[str, str]


class Assets:
    """The resources by O-Cloud and global asset id. `twice` holds only those that more than one source
    has."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._seen: dict[_Key, tuple[Entry, ...]] = {}
        self.twice: dict[_Key, tuple[Entry, ...]] = {}
        for entry in entries:
            self.replace(None, entry)

    def replace(self, old: Entry | None, new: Entry | None) -> None:
        """One object has changed, come (no `old`) or gone (no `new`)."""
        if old is not None and (key := _key(old)):
            self._put(key, tuple(entry for entry in self._seen.get(key, ()) if entry is not old))
        if new is not None and (key := _key(new)):
            self._put(key, (*self._seen.get(key, ()), new))

    def twins(self, entry: Entry) -> tuple[Entry, ...]:
        """What other sources have of the same thing."""
        if not self.twice or not (key := _key(entry)):
            return ()
        return tuple(other for other in self.twice.get(key, ()) if other.source is not entry.source)

    def _put(self, key: _Key, entries: tuple[Entry, ...]) -> None:
        if entries:
            self._seen[key] = entries
        else:
            self._seen.pop(key, None)
        if len({entry.source.source_id for entry in entries}) > 1:
            self.twice[key] = entries
        else:
            self.twice.pop(key, None)


def _key(entry: Entry) -> _Key | None:
    asset = entry.body.get("global_asset_id") if entry.kind is Kind.RESOURCE else None
    return (entry.body["o_cloud_id"], asset) if asset else None
