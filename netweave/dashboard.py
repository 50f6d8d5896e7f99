"""The first page of the admin site: is every backend there, does every
subscriber hear, who is near a quota, what was done last, what was
refused or failed, which credentials are about to end. Each number leads to the list that explains it; who may
not see a list is not told its number."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.admin.utils import quote
from django.db.models import Count, Model, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from netweave import tls
from netweave.sending import sending
from o2ims.admin.words import error_of, heard_of, latency_of, state_of
from o2ims.models import Source
from tenancy.admin.endings import SOON, ending
from tenancy.admin.fullness import bar_of, nearly_full
from tenancy.admin.words import deed_word, outcome_word, quota_word, tenant_of
from tenancy.models import Token, User
from tenancy.permissions import Action
from tenancy.quotas import Quota
from tenancy.times import ago, exact
from tenancy.trail import AuditEntry, Result
from tenancy.trust import Certificate, Issuer

SHOWN = 20  # backends, those that are not well first
ENTRIES = 10
AMONG = 10_000  # of the newest entries: reads are passed over, but not for ever
_WORST_FIRST = (Source.State.DOWN, Source.State.HOLDING, Source.State.STARTING, Source.State.UP)
_READS = Q(action__in=[Action.READ, Action.LIST])  # refused ones are in the panel above


def panels(user: User) -> dict[str, Any]:
    """What there is to say to `user`."""
    found: dict[str, Any] = {}
    if user.has_perm("o2ims.view_source"):
        found["backends"] = _backends()
    if user.has_perm("subscriptions.view_delivery") and user.has_perm("subscriptions.view_endpoint"):
        found["sending"] = sending()
    if user.has_perm("tenancy.view_quota"):
        found["quotas"] = _quotas()
    if user.has_perm("tenancy.view_auditentry"):
        found["done"] = _rows(_done())
        found["unwell"] = _unwell(timezone.now().replace(microsecond=0) - timedelta(hours=1))
    if user.has_perm("tenancy.view_token") and user.has_perm("tenancy.view_certificate"):
        found["endings"] = _endings(timezone.now())
    return found


def _backends() -> dict[str, Any]:
    every = sorted(
        Source.objects.present().defer("checkpoint"),
        key=lambda source: _WORST_FIRST.index(Source.State(source.state)),
    )
    states = Counter(source.state for source in every)
    return {
        "states": [
            {
                "word": Source.State(state).label.lower(),
                "count": states[state],
                "url": _list(Source, state__exact=str(state), retired_at__isnull="True"),
            }
            for state in _WORST_FIRST
            if states[state]
        ],
        "rows": [
            {
                "name": source.name,
                "url": _page(source),
                "kind": source.kind,
                "state": state_of(source),
                "since": ago(source.state_since),
                "error": error_of(source),
                "heard": heard_of(source),
                "latency": latency_of(source),
            }
            for source in every[:SHOWN]
        ],
        "more": len(every) - SHOWN,
        "url": _list(Source),
    }


def _quotas() -> dict[str, Any]:
    full = list(nearly_full(Quota.objects.all()))
    return {
        "count": len(full),
        "url": _list(Quota, full="nearly"),
        "all": _list(Quota),
        "rows": [
            {
                "tenant": quota.tenant_id,
                "name": quota_word(quota.name),
                "url": _page(quota),
                "bar": bar_of(quota),
            }
            for quota in full[:ENTRIES]
        ],
    }


def _done() -> QuerySet[AuditEntry]:
    """What was done or tried last, and was more than reading."""
    newest = AuditEntry.objects.values_list("pk", flat=True).first() or 0
    return AuditEntry.objects.filter(pk__gt=newest - AMONG).exclude(_READS)[:ENTRIES]


def _unwell(since: datetime) -> dict[str, Any]:
    rows = AuditEntry.objects.filter(timestamp__gte=since).exclude(result=Result.SUCCESS)
    counts = dict(rows.order_by().values_list("result").annotate(Count("pk")))
    start = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "results": [
            {
                "word": outcome_word(result),
                "count": counts.get(result, 0),
                "url": _list(AuditEntry, result=str(result), **{"from": start}),
            }
            for result in (Result.DENIED, Result.ERROR)
        ],
        "rows": _rows(rows[: ENTRIES // 2]) if counts else [],
    }


def _rows(entries: QuerySet[AuditEntry]) -> list[dict[str, Any]]:
    return [
        {
            "time": exact(entry.timestamp),
            "url": _page(entry),
            "who": entry.actor or "nobody known",
            "tenant": tenant_of(entry),
            "what": deed_word(entry),
            "object": entry.label or entry.object_id or entry.path,
            "outcome": outcome_word(entry.result),
        }
        for entry in entries
    ]


def _endings(now: datetime) -> dict[str, Any]:
    found: dict[type[Model], list[Any]] = {
        Token: list(ending(Token.objects.select_related("user"), now)),
        Certificate: list(ending(Certificate.objects.select_related("user"), now)),
        Issuer: list(ending(Issuer.objects.all(), now)),
    }
    rows = sorted((row for rows in found.values() for row in rows), key=lambda row: row.expires_at)
    return {
        "days": SOON.days,
        "counts": [
            {
                "word": _words(model, len(rows)),
                "count": len(rows),
                "url": _list(model, ends="soon"),
            }
            for model, rows in found.items()
        ],
        "rows": [
            {
                "kind": _words(type(row), 1),
                "name": str(row),
                "url": _page(row),
                "ends": exact(row.expires_at),
                "left": (row.expires_at - now).days,
            }
            for row in rows[:ENTRIES]
        ],
        "own": _own(now),
    }


def _own(now: datetime) -> dict[str, Any] | None:
    """The certificate that the gateway itself shows, where it ends soon or cannot be read."""
    if not settings.TLS_CERTIFICATE:
        return None
    try:
        ends = tls.ends_at(Path(settings.TLS_CERTIFICATE))
    except (OSError, ValueError):
        return {"path": settings.TLS_CERTIFICATE, "ends": None}
    return {"path": settings.TLS_CERTIFICATE, "ends": exact(ends)} if ends - now <= SOON else None


def _words(model: type[Model], count: int) -> str:
    return str(model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural)


def _list(model: type[Model], **query: str) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return reverse(name, query=query or None)


def _page(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])
