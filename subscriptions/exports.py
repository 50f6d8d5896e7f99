"""A selection of deliveries as a file."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from subscriptions.models import Attempt, Delivery, Endpoint
from subscriptions.notification import test_id, webhook_id
from tenancy.permissions import Resource
from tenancy.tables import Table

_KEYS = (
    "id",
    "subscriptionId",
    "tenantId",
    "sequence",
    "webhookId",
    "event",
    "objectType",
    "objectId",
    "objectName",
    "requestId",
    "state",
    "attempts",
    "outcome",
    "status",
    "milliseconds",
    "createdAt",
    "endedAt",
)


def shown(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """`rows` with what they tell of, but for the states of the object; its name is `object_name`. And with
    how long the last attempt took (`milliseconds`)."""
    last = Attempt.objects.filter(delivery=OuterRef("pk")).order_by("-id").values("milliseconds")[:1]
    named = Coalesce(KeyTextTransform("name", "change__after"), KeyTextTransform("name", "change__before"))
    states = ("change__before", "change__after")
    return (
        rows.select_related("change")
        .defer(*states)
        .annotate(object_name=named, milliseconds=Subquery(last), source_key=F("change__source__key"))
    )


def _wires(rows: Sequence[Delivery]) -> Iterator[dict[str, Any]]:
    ids = {row.subscription for row in rows}
    tenants = dict(Endpoint.objects.filter(pk__in=ids).values_list("pk", "tenant"))
    return (dict(zip(_KEYS, _values(row, tenants.get(row.subscription)), strict=True)) for row in rows)


def _values(row: Any, tenant: str | None) -> tuple[Any, ...]:
    change, to = row.change, str(row.subscription)
    message = webhook_id(row.source_key, change.sequence, to) if change else test_id(to, row.sequence)
    return (
        row.pk,
        to,
        tenant or None,
        row.sequence,
        message,
        change.type if change else "test",
        change.kind if change else None,
        str(change.object_id) if change else None,
        row.object_name,
        change.request_id if change else None,
        row.state,
        row.attempts,
        row.outcome or None,
        row.status,
        row.milliseconds,
        row.created_at.isoformat(),
        row.ended_at.isoformat() if row.ended_at else None,
    )


DELIVERIES: Table[Delivery] = Table(name="deliveries", resource=Resource.DELIVERY, keys=_KEYS, wires=_wires)
