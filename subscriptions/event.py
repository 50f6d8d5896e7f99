"""Changes as they are told, read from the log: their states as texts, so that no number in them is lost."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.types import Kind
from subscriptions.statements import rows

_READ = """
    SELECT c.id, s.key, c.sequence, c.kind, c.type, c.object_id::text, s.o_cloud,
           c.before::text, c.after::text, c.request_id, c.traceparent, extract(epoch FROM c.at)
    FROM o2ims_change c JOIN o2ims_source s ON s.id = c.source_id WHERE c.id = ANY(%s::bigint[])
"""


_KEPT = 500


@dataclass(frozen=True, slots=True)
class Event:
    """A Change as it is told: `before` and `after` are stored bodies, or None, `at` is in Unix seconds."""

    id: int
    source: str
    sequence: int
    kind: Kind
    type: str
    object_id: str
    o_cloud: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    request_id: str
    traceparent: str
    at: float


class Log:
    """The change log to somebody who tells of one change many times: what was read last is kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Event] = OrderedDict()

    def read(self, ids: Collection[int]) -> dict[int | None, Event]:
        """These changes, by their ids."""
        known: dict[int | None, Event] = {id_: self._kept[id_] for id_ in ids if id_ in self._kept}
        news = events([id_ for id_ in ids if id_ not in known])
        self._kept.update({one.id: one for one in news.values()})
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return known | news


def events(ids: Collection[int]) -> dict[int | None, Event]:
    """These changes, by their ids."""
    if not ids:
        return {}
    return {
        row[0]: Event(
            id=row[0],
            source=row[1],
            sequence=row[2],
            kind=Kind(row[3]),
            type=row[4],
            object_id=row[5],
            o_cloud=row[6],
            before=None if row[7] is None else orjson.loads(row[7]),
            after=None if row[8] is None else orjson.loads(row[8]),
            request_id=row[9],
            traceparent=row[10],
            at=float(row[11]),
        )
        for row in rows(_READ, [list(ids)])
    }
