"""Credentials that are about to end: a filter of the pages of tokens, certificates and issuers, and what the
dashboard counts."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

SOON = timedelta(days=14)
Row = TypeVar("Row", bound=Model)


def ending(rows: QuerySet[Row], now: datetime) -> QuerySet[Row]:
    """Those of `rows` (with an `expires_at`) that are good now and will not be in `SOON`."""
    if any(field.name == "revoked_at" for field in rows.model._meta.fields):
        rows = rows.filter(revoked_at=None)
    return rows.filter(expires_at__gt=now, expires_at__lte=now + SOON)


class EndingFilter(admin.SimpleListFilter):
    """What ends soon, or all there is."""

    title = "end"
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """The one."""
        return [("soon", f"within {SOON.days} days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """What ends soon, or all there is."""
        return ending(queryset, timezone.now()) if self.value() == "soon" else queryset
