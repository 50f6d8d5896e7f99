"""A selection of the audit trail as a file: CSV for spreadsheets, JSON Lines for programs, a part at a time.

One entry is one line. Cells that a spreadsheet would take for a formula begin with an apostrophe.
"""

import csv
import io
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from api.lines import plain
from tenancy.audit import Deed
from tenancy.permissions import Action, Resource
from tenancy.representation import AUDIT_ENTRY_KEYS, audit_entry
from tenancy.sealing import Keys
from tenancy.selection import Selection
from tenancy.trail import AuditEntry, AuditSeal

PART = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Format:
    """How a selection is written: `head` first, then `lines` of each part."""

    media_type: str
    suffix: str
    head: bytes
    lines: Callable[[Sequence[AuditEntry]], bytes]


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
    head=_csv([AUDIT_ENTRY_KEYS]),
    lines=lambda rows: _csv(audit_entry(row).values() for row in rows),
)
JSON_LINES = Format(
    media_type="application/jsonl",
    suffix="jsonl",
    head=b"",
    lines=lambda rows: "".join(f"{_json(audit_entry(row))}\n" for row in rows).encode(),
)
FORMATS = (CSV, JSON_LINES)


def written(rows: QuerySet[AuditEntry], to: Format) -> Iterator[bytes]:
    """The selection, newest first, whatever comes in meanwhile."""
    yield to.head
    after: int | None = None
    while part := _part(rows, after):
        yield to.lines(part)
        after = part[-1].pk


async def streamed(rows: QuerySet[AuditEntry], to: Format) -> AsyncIterator[bytes]:
    """The same, for an answer: each part is read when the one before it has been sent."""
    yield to.head
    after: int | None = None
    while part := await sync_to_async(_part, thread_sensitive=True)(rows, after):
        yield to.lines(part)
        after = part[-1].pk


def exported(
    rows: QuerySet[AuditEntry], selection: Selection, to: Format, *, by: Deed
) -> StreamingHttpResponse:
    """The selection of `rows` as an answer, up to now. The entry of the export itself is written before
    anything is sent."""
    rows = selection.rows(rows)
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    what = {"format": to.suffix, "selection": dict(selection.given), "through": str(newest)}
    by.tell(by.entry(Action.EXPORT, Resource.AUDIT, status=200, after=what))
    headers = {
        "Content-Disposition": f'attachment; filename="audit.{to.suffix}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(
        streamed(rows.filter(pk__lte=newest), to), content_type=to.media_type, headers=headers
    )


def seals() -> Iterator[bytes]:
    """The public keys, then each seal on a line: what was signed, as it was signed, and the signature; of
    each entry its id (8 bytes, big-endian), time (8, microseconds) and SHA-256 (32)."""
    yield orjson.dumps({"ed25519": Keys.of_settings().public()}) + b"\n"
    for seal in AuditSeal.objects.order_by("number").iterator(chunk_size=100):
        entries = None if seal.entries is None else b64encode(bytes(seal.entries)).decode()
        signature = b64encode(bytes(seal.signature)).decode()
        line = {"statement": seal.statement().decode(), "signature": signature, "entries": entries}
        yield orjson.dumps(line) + b"\n"


def _part(rows: QuerySet[AuditEntry], after: int | None) -> list[AuditEntry]:
    rows = rows if after is None else rows.filter(pk__lt=after)
    return list(rows.order_by("-pk")[:PART])
