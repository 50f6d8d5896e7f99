"""Which entries of the audit trail are wanted: the parameters of `/admin/v1/audit`, of the page in
the admin site, of the command, and of an export's own entry."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from api.pages import PageError, Query
from tenancy.trail import AuditEntry, Result

#: Parameters that are compared as they are, and with what.
_EQUAL = {
    "tenantId": "tenant",
    "userName": "actor",
    "action": "action",
    "resource": "kind",
    "resourceId": "object_id",
    "requestId": "request_id",
}
_SEARCHED = ("actor", "label", "object_id", "request_id", "path", "address", "reason", "before", "after")
NAMES = ("from", "to", "userId", "result", *_EQUAL, "q")
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for, by the names of the parameters."""

    given: Mapping[str, str]

    @classmethod
    def of(cls, query: Query, *besides: str) -> "Selection":
        """That of a request's parameters; `besides` belong to something else. Raises `PageError`."""
        selection = cls(parameters(query, NAMES, *besides))
        selection.rows(AuditEntry.objects.none())  # so that what is wrong with a value is told at once
        return selection

    def rows(self, rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Those of `rows` that are wanted: from `from` on, before `to`."""
        wanted: dict[str, Any] = {_EQUAL[name]: text for name, text in self.given.items() if name in _EQUAL}
        if text := self.given.get("from"):
            wanted["timestamp__gte"] = time_of("from", text)
        if text := self.given.get("to"):
            wanted["timestamp__lt"] = time_of("to", text)
        if text := self.given.get("userId"):
            wanted["user_id"] = uuid_of("userId", text)
        if text := self.given.get("result"):
            wanted["result"] = _result(text)
        found = Q(**wanted)
        if text := self.given.get("q"):
            anywhere = Q()
            for name in _SEARCHED:
                anywhere |= Q(**{f"{name}__icontains": text})
            found &= anywhere
        return rows.filter(found)


def parameters(query: Query, names: Collection[str], *besides: str, longest: int = LONGEST) -> dict[str, str]:
    """Those of a request that select something, each given once, in up to `longest` characters; `besides`
    belong to something else. Raises `PageError`."""
    given = {}
    for name, values in query.items():
        if name in besides:
            continue
        if name not in names:
            raise PageError(name, f"is not known here; there are {', '.join((*names, *besides))}")
        if len(values) > 1 or not values[0].isprintable() or not 0 < len(values[0]) <= longest:
            raise PageError(name, f"must be given once, in 1 to {longest} printable characters")
        given[name] = values[0]
    return given


def time_of(name: str, text: str) -> datetime:
    """The time that parameter `name` says. Raises `PageError`."""
    try:
        at = (
            parse_datetime(text)
            or parse_datetime(text.replace(" ", "+"))  # the + of an offset, as a query has it
            or parse_datetime(f"{text}T00:00:00")
        )
    except ValueError:
        at = None
    if at is None:
        raise PageError(name, "must be a date or a time (ISO 8601; UTC where it does not say)")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def uuid_of(name: str, text: str) -> uuid.UUID:
    """The UUID that parameter `name` says. Raises `PageError`."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise PageError(name, "must be a UUID") from error


def _result(text: str) -> str:
    if text not in Result.values:
        raise PageError("result", f"must be one of {', '.join(Result.values)}")
    return text
