"""What the pages of tenants, people and roles have in common."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenancy import quotas
from tenancy.models import User
from tenancy.permissions import Action, Resource, Rights
from tenancy.trail import AuditEntry, Result

PLATFORM = SafeString("the platform")  # as Django types a filter's word for nothing


class TenantFilter(admin.RelatedFieldListFilter):
    """Tenants; who is of none is the platform's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.empty_value_display = PLATFORM


_DONE = {
    ("state", "suspended"): "pause",
    ("state", "healthy"): "resume",
    ("secret", "rotated"): "rotate secret of",
    ("test", None): "send test to",
    ("replayed", None): "send again to",
}


def deed_word(entry: AuditEntry) -> str:
    """What was done in two words: of a subscription also what kind of update it was, if `after` says that."""
    words = f"{entry.action} {entry.kind}".strip()
    if entry.kind != Resource.SUBSCRIPTION or entry.action != Action.UPDATE or not entry.after:
        return words
    try:
        after = json.loads(entry.after)
    except ValueError:  # somebody has written in the trail: the proof says so, and the list is shown
        return words
    told = after.items() if isinstance(after, dict) else ()
    found = [_DONE.get((key, value if isinstance(value, str) else None)) for key, value in told]
    done = next(filter(None, found), None)
    return f"{done} {entry.kind}" if done else words


def tenant_of(entry: AuditEntry) -> str:
    """Whose an audit entry is; who is nobody known is nobody's."""
    return entry.tenant or (PLATFORM if entry.actor else "-")


UNITS = {quotas.CORES: "cores", quotas.MEMORY: "GB"}


def quota_word(name: str) -> str:
    """A quota's name, and what it is counted in."""
    return f"{name} ({UNITS[name]})" if name in UNITS else name


def rights_of(request: HttpRequest) -> Rights:
    """What the person at the page holds."""
    return request.user.rights if isinstance(request.user, User) else Rights()


_OUTCOMES = {Result.SUCCESS: ("up", "●"), Result.DENIED: ("holding", "▲"), Result.ERROR: ("down", "✕")}


def outcome_word(result: str) -> str:
    """How something ended: a word, a shape and a colour."""
    colour, mark = _OUTCOMES[Result(result)]
    return format_html('<span class="state state-{}">{} {}</span>', colour, mark, result)
