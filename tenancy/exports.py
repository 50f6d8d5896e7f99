"""A selection of the audit trail as a file, and its seals."""

from base64 import b64encode
from collections.abc import Iterator

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from tenancy import tables
from tenancy.audit import Deed
from tenancy.permissions import Resource
from tenancy.representation import AUDIT_ENTRY_KEYS, audit_entry
from tenancy.sealing import Keys
from tenancy.selection import Selection
from tenancy.trail import AuditEntry, AuditSeal

TRAIL: tables.Table[AuditEntry] = tables.Table(
    name="audit", resource=Resource.AUDIT, keys=AUDIT_ENTRY_KEYS, wires=lambda rows: map(audit_entry, rows)
)


def written(rows: QuerySet[AuditEntry], to: tables.Format) -> Iterator[bytes]:
    """The selection, newest first, whatever comes in meanwhile."""
    return tables.written(TRAIL, rows, to)


def exported(
    rows: QuerySet[AuditEntry], selection: Selection, to: tables.Format, *, by: Deed
) -> StreamingHttpResponse:
    """The selection of `rows` as an answer, up to now, which is an entry itself."""
    return tables.answered(TRAIL, selection.rows(rows), selection.given, to, by=by)


def seals() -> Iterator[bytes]:
    """The public keys, then each seal on a line: what was signed, as it was signed, and the signature; of
    each entry its id (8 bytes, big-endian), time (8, microseconds) and SHA-256 (32)."""
    yield orjson.dumps({"ed25519": Keys.of_settings().public()}) + b"\n"
    for seal in AuditSeal.objects.order_by("number").iterator(chunk_size=100):
        entries = None if seal.entries is None else b64encode(bytes(seal.entries)).decode()
        signature = b64encode(bytes(seal.signature)).decode()
        line = {"statement": seal.statement().decode(), "signature": signature, "entries": entries}
        yield orjson.dumps(line) + b"\n"
