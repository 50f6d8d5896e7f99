"""Rows as a file: CSV for spreadsheets, JSON Lines for programs, a part at a time, newest first.

One row is one line. Cells that a spreadsheet would take for a formula begin with an apostrophe.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from asgiref.sync import sync_to_async
from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse

from api.lines import plain
from tenancy.audit import Deed
from tenancy.permissions import Action, Resource

PART = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """What rows of one kind are as a file: `name` is the file's, `keys` head its columns, `wires` makes the
    values of some rows."""

    name: str
    resource: Resource
    keys: Sequence[str]
    wires: Callable[[Sequence[Row]], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Format:
    """How a table is written: `head` (of its keys) first, then `lines` of the values of each part."""

    media_type: str
    suffix: str
    head: Callable[[Sequence[str]], bytes]
    lines: Callable[[Iterable[Mapping[str, Any]]], bytes]


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = _json(value) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(value: Any) -> str:
    return plain(orjson.dumps(value).decode())


CSV = Format(
    media_type="text/csv",
    suffix="csv",
    head=lambda keys: _csv([keys]),
    lines=lambda wires: _csv(wire.values() for wire in wires),
)
JSON_LINES = Format(
    media_type="application/jsonl",
    suffix="jsonl",
    head=lambda _: b"",
    lines=lambda wires: "".join(f"{_json(wire)}\n" for wire in wires).encode(),
)
FORMATS = (CSV, JSON_LINES)


def written(table: Table[Row], rows: QuerySet[Row], to: Format) -> Iterator[bytes]:
    """All of `rows`, newest first, whatever comes in meanwhile."""
    yield to.head(table.keys)
    after: int | None = None
    while part := _part(rows, after):
        yield to.lines(table.wires(part))
        after = part[-1].pk


async def streamed(table: Table[Row], rows: QuerySet[Row], to: Format) -> AsyncIterator[bytes]:
    """The same, for an answer: each part is read when the one before it has been sent."""
    yield to.head(table.keys)
    after: int | None = None

    def lines() -> bytes:
        nonlocal after
        part = _part(rows, after)
        after = part[-1].pk if part else after
        return to.lines(table.wires(part)) if part else b""

    while text := await sync_to_async(lines, thread_sensitive=True)():
        yield text


def answered(
    table: Table[Row], rows: QuerySet[Row], given: Mapping[str, str], to: Format, *, by: Deed
) -> StreamingHttpResponse:
    """`rows`, which `given` has selected, as an answer, up to now. The entry of the export itself is written
    before anything is sent."""
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    what = {"format": to.suffix, "selection": dict(given), "through": str(newest)}
    by.tell(by.entry(Action.EXPORT, table.resource, status=200, after=what))
    headers = {
        "Content-Disposition": f'attachment; filename="{table.name}.{to.suffix}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(
        streamed(table, rows.filter(pk__lte=newest), to), content_type=to.media_type, headers=headers
    )


def _part(rows: QuerySet[Row], after: int | None) -> list[Row]:
    rows = rows if after is None else rows.filter(pk__lt=after)
    return list(rows.order_by("-pk")[:PART])
