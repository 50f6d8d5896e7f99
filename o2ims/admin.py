"""The admin pages of the inventory: sources with their state, what is there, what happened."""

import time
from typing import Any

import orjson
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST

from adapters.errors import BackendError
from o2ims.collector import check
from o2ims.gateway import gateway
from o2ims.models import Change, Item, Source
from tenancy.readonly import ReadOnlyAdmin

_MARKS = {Source.State.UP: "●", Source.State.DOWN: "✕", Source.State.STARTING: "○", Source.State.HOLDING: "▲"}


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """Backends: is each one there, since when not, and why. They are configured in gateway.yaml."""

    list_display = ["name", "kind", "state_word", "since", "lag", "objects", "tenant_word", "last_error"]
    list_filter = ["state", "kind", "tenant"]
    search_fields = ["name", "key", "error"]
    search_help_text = "name, key or error"
    actions = ["check_now"]
    fields = [
        "name",
        "key",
        "kind",
        "o_cloud",
        "tenant_word",
        "state_word",
        "state_since",
        "lag",
        "listed_at",
        "last_error",
        "error_at",
        "skipped",
        "version",
        "abilities_word",
        "objects",
        "last_sequence",
        "owner",
        "configuration",
        "retired_at",
    ]
    change_form_template = "admin/o2ims/source/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        """Django's, and *Check now* of one source."""
        view = self.admin_site.admin_view(require_POST(self.check_one))
        return [path("<path:object_id>/check/", view, name="o2ims_source_check"), *super().get_urls()]

    def check_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks one backend now, and shows what it says."""
        source = self.get_object(request, object_id)
        if source is None or not self.has_view_permission(request, source):
            return HttpResponseRedirect(reverse("admin:o2ims_source_changelist"))
        self._check(request, source)
        return HttpResponseRedirect(reverse("admin:o2ims_source_change", args=[object_id]))

    @admin.action(description="Check now", permissions=["view"])
    def check_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Asks the selected backends now."""
        for source in queryset:
            self._check(request, source)

    def _check(self, request: HttpRequest, source: Source) -> None:
        backend = next((b for b in gateway.current().backends if b.key == source.key and b.enabled), None)
        if backend is None:
            self.message_user(request, f"Not in the configuration: {source}.", messages.WARNING)
            return
        started = time.monotonic()
        try:
            check(backend)
        except BackendError as error:
            self.message_user(request, f"{type(error).__name__}: {error} ({_ms(started)})", messages.ERROR)
        else:
            self.message_user(request, f"Reachable and allowed: {source} ({_ms(started)})", messages.SUCCESS)

    @admin.display(description="state", ordering="state")
    def state_word(self, source: Source) -> str:
        """A word, a shape and a colour."""
        state = "retired" if source.retired_at else source.get_state_display()
        mark = _MARKS.get(Source.State(source.state), "")
        return format_html('<span class="state state-{}">{} {}</span>', source.state, mark, state)

    @admin.display(description="since", ordering="state_since")
    def since(self, source: Source) -> str:
        """Relative, with the exact time on hover."""
        return _ago(source.state_since)

    @admin.display(description="last heard of", ordering="contact_at")
    def lag(self, source: Source) -> str:
        """When the backend last proved to be there."""
        return _ago(source.contact_at) if source.contact_at else "never"

    @admin.display(description="objects")
    def objects(self, source: Source) -> str:
        """How many living objects it has, as a link to them."""
        url = reverse("admin:o2ims_item_changelist") + f"?source__id__exact={source.pk}"
        return format_html('<a href="{}">{}</a>', url, source.items.filter(deleted_at__isnull=True).count())

    @admin.display(description="tenant")
    def tenant_word(self, source: Source) -> str:
        """Whose unlabelled objects are."""
        return (source.tenant or "the platform") + (" (shared)" if source.shared else "")

    @admin.display(description="last error")
    def last_error(self, source: Source) -> str:
        """Quoted, not summarised."""
        return f"{source.error_class}: {source.error}" if source.error else "none"

    @admin.display(description="abilities")
    def abilities_word(self, source: Source) -> str:
        """What it can do."""
        return ", ".join(source.abilities) or "not asked yet"

    @admin.display(description="configuration")
    def configuration(self, source: Source) -> str:
        """What the file says, secrets hidden."""
        backend = next((b for b in gateway.current().backends if b.key == source.key), None)
        return _pretty(_hidden(dict(backend.config))) if backend else "not in the file"


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    """What is there."""

    list_display = ["short_id", "name", "kind", "source", "tenant", "seen_at", "deleted_at"]
    list_filter = ["kind", "source", "tenant", ("deleted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["source"]
    search_fields = ["=object_id", "native_id", "body__name"]
    search_help_text = "id, native id or name"
    fields = [
        "object_id",
        "kind",
        "source",
        "tenant",
        "parent",
        "native_id",
        "native_version",
        "mapping_version",
        "sequence",
        "seen_at",
        "deleted_at",
        "pretty_body",
    ]

    @admin.display(description="id", ordering="object_id")
    def short_id(self, item: Item) -> str:
        """The first eight characters."""
        return str(item.object_id)[:8]

    @admin.display(description="name")
    def name(self, item: Item) -> str:
        """Its name."""
        return str(item.body.get("name", ""))

    @admin.display(description="body")
    def pretty_body(self, item: Item) -> str:
        """The mapped object."""
        return _pretty(item.body)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """What happened."""

    list_display = ["at", "type", "kind", "short_id", "name", "source", "tenant", "sequence"]
    list_filter = ["type", "kind", "source", "tenant", "at"]
    list_select_related = ["source"]
    search_fields = ["=object_id", "request_id"]
    search_help_text = "id of the object, or request id"
    ordering = ["-id"]
    fields = [
        "at",
        "type",
        "kind",
        "object_id",
        "source",
        "tenant",
        "sequence",
        "request_id",
        "traceparent",
        "pretty_before",
        "pretty_after",
    ]

    @admin.display(description="id", ordering="object_id")
    def short_id(self, change: Change) -> str:
        """The first eight characters."""
        return str(change.object_id)[:8]

    @admin.display(description="name")
    def name(self, change: Change) -> str:
        """Its name after, or before."""
        return str((change.after or change.before or {}).get("name", ""))

    @admin.display(description="before")
    def pretty_before(self, change: Change) -> str:
        """The object as it was."""
        return _pretty(change.before)

    @admin.display(description="after")
    def pretty_after(self, change: Change) -> str:
        """The object as it became."""
        return _pretty(change.after)


def _pretty(value: Any) -> str:
    if value is None:
        return "-"
    return format_html("<pre>{}</pre>", orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _hidden(value: Any, key: str = "") -> Any:
    """`value` with everything that may be a secret shown as `***`; references to one stay readable."""
    if isinstance(value, dict):
        return {name: _hidden(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner, key) for inner in value]
    secret = any(word in key.lower() for word in ("password", "secret", "token", "key", "credential"))
    reference = isinstance(value, str) and value.startswith(("env:", "file:", "${"))
    return "***" if secret and not reference else value


def _ago(at: Any) -> str:
    return format_html(
        '<span title="{} UTC">{} ago</span>', at.strftime("%Y-%m-%d %H:%M:%S"), timesince(at, timezone.now())
    )


def _ms(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"
