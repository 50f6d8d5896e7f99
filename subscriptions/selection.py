"""Which deliveries are wanted: the parameters of the page in the admin site, of an export, and of what is
sent again."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from api.pages import PageError, Query
from o2ims.models import Change
from subscriptions.models import Attempt, Delivery, Endpoint
from subscriptions.roll import PLATFORM
from subscriptions.schedule import Outcome
from tenancy.selection import parameters, time_of, uuid_of

NAMES = (
    "from",
    "to",
    "state",
    "tenantId",
    "statusClass",
    "subscription",
    "requestId",
    "triedFrom",
    "triedTo",
    "tried",
    "ids",
)
CLASSES = ("2xx", "3xx", "4xx", "5xx", "none")
TRIED = ("delivered", "failed")
LONGEST = 1200  # fifty ids


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for, by the names of the parameters. `statusClass` none: it was tried, and nobody
    answered; `tried`, `triedFrom`, `triedTo`: an attempt at it that began then ended so; `ids`: these."""

    given: Mapping[str, str]

    @classmethod
    def of(cls, query: Query, *besides: str) -> "Selection":
        """That of a request's parameters; `besides` belong to something else. Raises `PageError`."""
        selection = cls(parameters(query, NAMES, *besides, longest=LONGEST))
        selection.rows(Delivery.objects.none())  # so that what is wrong with a value is told at once
        return selection

    def rows(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Those of `rows` that are wanted: from `from` on, before `to`."""
        return rows.filter(self._where())

    def _where(self) -> Q:
        given, wanted = self.given, dict[str, Any]()
        if text := given.get("from"):
            wanted["created_at__gte"] = time_of("from", text)
        if text := given.get("to"):
            wanted["created_at__lt"] = time_of("to", text)
        if text := given.get("state"):
            wanted["state"] = _one_of("state", text, Delivery.State.values)
        if text := given.get("subscription"):
            wanted["subscription"] = uuid_of("subscription", text)
        if text := given.get("requestId"):
            wanted["change__in"] = Change.objects.filter(request_id=text).values("pk")
        found = Q(**wanted)
        if text := given.get("tenantId"):
            found &= Q(subscription__in=_of_tenant(text))
        if text := given.get("statusClass"):
            found &= _of_class(_one_of("statusClass", text, CLASSES))
        if text := given.get("ids"):
            found &= Q(pk__in=_ids(text))
        return found & self._tried()

    def _tried(self) -> Q:
        given, wanted = self.given, dict[str, Any]()
        if text := given.get("triedFrom"):
            wanted["started_at__gte"] = time_of("triedFrom", text)
        if text := given.get("triedTo"):
            wanted["started_at__lt"] = time_of("triedTo", text)
        tries = Attempt.objects.filter(**wanted)
        if text := given.get("tried"):
            arrived = _one_of("tried", text, TRIED) == "delivered"
            ended = tries.filter(ended_at__isnull=False)
            tries = ended.filter(outcome=Outcome.DELIVERED) if arrived else ended.exclude(outcome="delivered")
        return Q(pk__in=tries.order_by().values("delivery")) if wanted or given.get("tried") else Q()


def _of_tenant(text: str) -> list[uuid.UUID]:
    whose = "" if text == PLATFORM else text
    return list(Endpoint.objects.filter(tenant=whose).values_list("pk", flat=True))


def _of_class(text: str) -> Q:
    if text == "none":
        return Q(status__isnull=True) & ~Q(outcome="")
    first = int(text[0]) * 100
    return Q(status__gte=first, status__lt=first + 100)


def _ids(text: str) -> list[int]:
    ids = text.split(",")
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in ids):
        raise PageError("ids", "must be ids of deliveries, with commas between them")
    return [int(one) for one in ids]


def _one_of(name: str, text: str, values: Any) -> str:
    if text not in values:
        raise PageError(name, f"must be one of {', '.join(values)}")
    return text
