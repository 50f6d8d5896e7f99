"""What subscribers hear when another source of a group is read: the net difference, once.

    source that was read      its changes were announced, up to the switch
    source that is read now   its own were not; what it has otherwise than the first one is told here

The difference goes into the log of the one that is read now, so whoever follows the log meets it in its
place.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from django.db import connection

from adapters.types import Kind
from o2ims.models import Change, Source

_ORDER = {kind: number for number, kind in enumerate(Kind)}
_BATCH = 500
_DIFFERENCE = """
    WITH was AS (
      SELECT DISTINCT ON (kind, object_id) kind, object_id, tenant, body, hash FROM o2ims_item
      WHERE source_id = ANY(%s) AND deleted_at IS NULL ORDER BY kind, object_id, source_id <> %s, source_id
    ), now AS (
      SELECT kind, object_id, tenant, body, hash FROM o2ims_item WHERE source_id = %s AND deleted_at IS NULL
    )
    SELECT coalesce(was.kind, now.kind), coalesce(was.object_id, now.object_id),
           was.tenant, now.tenant, was.body::text, now.body::text
    FROM was FULL JOIN now ON was.kind = now.kind AND was.object_id = now.object_id
    WHERE was.hash IS DISTINCT FROM now.hash
      AND (was.body IS DISTINCT FROM now.body OR was.tenant IS DISTINCT FROM now.tenant)
"""


def announce(was: Sequence[Source], now: Source) -> int:
    """Appends to the log of `now` what it shows otherwise than those that were read (`now` may have been one
    of them): what goes (children first), what comes and what is different. The rows are locked by the caller.
    Returns how many Changes."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCE, [[source.pk for source in was], now.pk, now.pk])
        rows = cursor.fetchall()
    gone = sorted((row for row in rows if row[5] is None), key=lambda row: -_ORDER[Kind(row[0])])
    there = sorted((row for row in rows if row[5] is not None), key=lambda row: _ORDER[Kind(row[0])])
    request = str(uuid.uuid4())
    changes = [change for row in (*gone, *there) for change in _changes(now, row, request)]
    Change.objects.bulk_create(changes, batch_size=_BATCH)
    Source.objects.filter(pk=now.pk).update(last_sequence=now.last_sequence)
    return len(changes)


def _changes(now: Source, row: tuple[Any, ...], request: str) -> Iterator[Change]:
    """One; two where the object is another tenant's over there: it ends in one scope and begins in the
    other."""
    kind, object_id, old_tenant, new_tenant, old, new = row
    before, after = (None if body is None else orjson.loads(body) for body in (old, new))
    parts = [(old_tenant, before, None), (new_tenant, None, after)]
    if before is not None and after is not None and old_tenant == new_tenant:
        parts = [(new_tenant, before, after)]
    for tenant, one, other in parts:
        if one is None and other is None:
            continue
        now.last_sequence += 1
        type_ = Change.Type.MODIFY if one and other else Change.Type.DELETE if one else Change.Type.CREATE
        yield Change(
            source=now,
            sequence=now.last_sequence,
            kind=kind,
            object_id=object_id,
            tenant=tenant,
            type=type_,
            before=one,
            after=other,
            request_id=request,
        )
