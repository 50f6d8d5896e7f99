"""What the pages of the inventory have in common: filters, links, JSON with its secrets hidden."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from o2ims.models import Source
from tenancy.times import ago

PLATFORM = "the platform"
_MARKS = {Source.State.UP: "●", Source.State.DOWN: "✕", Source.State.STARTING: "○", Source.State.HOLDING: "▲"}


class TenantFilter(admin.AllValuesFieldListFilter):
    """Tenants; what carries no label is the platform's."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Django's, with a word where it has a blank (or only a count)."""
        for choice in super().choices(changelist):
            word = str(choice["display"])
            yield {**choice, "display": word if word[:1].strip() else PLATFORM + word}


class TimeFilter(admin.DateFieldListFilter):
    """Today, this month, ..., under a heading that is a noun."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.title = "time (UTC)"


def state_of(source: Source) -> str:
    """A word, a shape and a colour."""
    if source.retired_at:
        return format_html('<span class="state state-retired">{} retired</span>', "□")
    mark = _MARKS[Source.State(source.state)]
    word = source.get_state_display().lower()
    return format_html('<span class="state state-{}">{} {}</span>', source.state, mark, word)


def error_of(source: Source) -> str:
    """Its last error: quoted, not summarised."""
    return f"{source.error_class}: {source.error}" if source.error else "none"


def heard_of(source: Source) -> str:
    """When it last proved to be there; marked where that is longer ago than it should be."""
    if source.contact_at is None:
        return "never"
    silent = (timezone.now() - source.contact_at).total_seconds()
    if source.retired_at or silent <= source.fresh_seconds:
        return ago(source.contact_at)
    return format_html('<span class="state state-holding">{} {}</span>', "▲", ago(source.contact_at))


def latency_of(source: Source) -> str:
    """How long it took to answer; a dash where it did not, or was not asked yet."""
    return "—" if source.latency_ms is None else f"{source.latency_ms:,} ms"


def link_to_changes(value: Any, words: str) -> str:
    """`value`, and a way to the changes that have to do with it."""
    url = reverse("admin:o2ims_change_changelist")
    return format_html('{} (<a href="{}?q={}">{}</a>)', value, url, value, words)


def link_to_entries(request_id: str) -> str:
    """The way to what the audit trail says of a request."""
    url = reverse("admin:tenancy_auditentry_changelist")
    query = urlencode({"requestId": request_id})
    return format_html('<a href="{}?{}">its audit entries</a>', url, query)


def hidden(value: Any, key: str = "") -> Any:
    """`value` with everything that may be a secret shown as `***`; references to one stay readable."""
    if isinstance(value, dict):
        return {name: hidden(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hidden(inner, key) for inner in value]
    secret = any(word in key.lower() for word in ("password", "secret", "token", "key", "credential"))
    reference = isinstance(value, str) and value.startswith(("env:", "file:", "${"))
    return "***" if secret and not reference else value
