"""The admin pages of the inventory: sources with their state, what is there, what happened."""

import json
import time
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from adapters.errors import BackendError
from o2ims.collector import check
from o2ims.gateway import gateway
from o2ims.models import Change, Item, Source
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import ago, exactly

_MARKS = {Source.State.UP: "●", Source.State.DOWN: "✕", Source.State.STARTING: "○", Source.State.HOLDING: "▲"}
_PLATFORM = "the platform"


class TenantFilter(admin.AllValuesFieldListFilter):
    """Tenants; what carries no label is the platform's."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Django's, with a word where it has a blank (or only a count)."""
        for choice in super().choices(changelist):
            word = str(choice["display"])
            yield {**choice, "display": word if word[:1].strip() else _PLATFORM + word}


class TimeFilter(admin.DateFieldListFilter):
    """Today, this month, ..., under a heading that is a noun."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.title = "time (UTC)"


class PresenceFilter(admin.SimpleListFilter):
    """What is there, and what is remembered for a while after it is gone."""

    title = "presence"
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """The two."""
        return [("there", "there"), ("gone", "gone")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:  # noqa: ARG002
        """One of them, or both."""
        wanted = {"there": True, "gone": False}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(deleted_at__isnull=wanted)


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """Backends: is each one there, since when not, and why. They are configured in gateway.yaml."""

    list_display = ["name", "kind", "state_word", "last_error", "since", "lag", "objects", "tenant_word"]
    list_filter = ["state", "kind", ("tenant", TenantFilter)]
    search_fields = ["name", "key", "error"]
    search_help_text = "name, key or error"
    actions = ["check_now"]
    when_empty = "The configuration, gateway.yaml, names no backend yet."
    fields = [
        "name",
        "key",
        "kind",
        "o_cloud",
        "tenant_word",
        "state_word",
        "exact_since",
        "lag",
        "listed",
        "last_error",
        "failed",
        "skipped",
        "version",
        "abilities_word",
        "objects",
        "last_sequence",
        "owner",
        "configuration",
        "retired",
    ]
    exact_since = exactly("state_since", "state since")
    listed = exactly("listed_at", "last listed completely", never="never")
    failed = exactly("error_at", "last error at")
    retired = exactly("retired_at", "retired")
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
        if source.retired_at:
            return format_html('<span class="state state-retired">{} retired</span>', "□")
        mark = _MARKS[Source.State(source.state)]
        word = source.get_state_display().lower()
        return format_html('<span class="state state-{}">{} {}</span>', source.state, mark, word)

    @admin.display(description="since", ordering="state_since")
    def since(self, source: Source) -> str:
        """Relative, with the exact time on hover."""
        return ago(source.state_since)

    @admin.display(description="last heard of", ordering="contact_at")
    def lag(self, source: Source) -> str:
        """When the backend last proved to be there."""
        return ago(source.contact_at) if source.contact_at else "never"

    @admin.display(description="objects")
    def objects(self, source: Source) -> str:
        """How many living objects it has, as a link to them."""
        url = reverse("admin:o2ims_item_changelist") + f"?source__id__exact={source.pk}&presence=there"
        return format_html('<a href="{}">{}</a>', url, source.items.filter(deleted_at__isnull=True).count())

    @admin.display(description="tenant")
    def tenant_word(self, source: Source) -> str:
        """Whose unlabelled objects are."""
        return (source.tenant or _PLATFORM) + (" (shared)" if source.shared else "")

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

    list_display = ["short_id", "name", "kind", "source", "tenant_word", "seen", "deleted"]
    list_display_links = ["short_id", "name"]
    list_filter = ["kind", "source", ("tenant", TenantFilter), PresenceFilter]
    list_select_related = ["source"]
    search_fields = ["=object_id", "native_id", "body__name"]
    search_help_text = "id, native id or name"
    when_empty = "No backend has shown anything yet; the list of sources says why."
    seen = exactly("seen_at", "seen")
    deleted = exactly("deleted_at", "gone since")
    fields = [
        "id_and_changes",
        "name",
        "kind",
        "source",
        "tenant_word",
        "parent",
        "native_id",
        "native_version",
        "mapping_version",
        "sequence",
        "seen",
        "deleted",
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

    @admin.display(description="id")
    def id_and_changes(self, item: Item) -> str:
        """The whole id, and a way to what happened to it."""
        return _link_to_changes(item.object_id, "its changes")

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, item: Item) -> str:
        """Whose it is."""
        return item.tenant or _PLATFORM

    @admin.display(description="body")
    def pretty_body(self, item: Item) -> str:
        """The mapped object."""
        return _pretty(item.body)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """What happened."""

    list_display = ["when", "type", "kind", "short_id", "name", "source", "tenant_word", "sequence"]
    list_filter = ["type", "kind", "source", ("tenant", TenantFilter), ("at", TimeFilter)]
    list_select_related = ["source"]
    search_fields = ["=object_id", "request_id"]
    search_help_text = "id of the object, or request id"
    ordering = ["-id"]
    when_empty = "Nothing has happened yet, or not within the time that changes are kept."
    when = exactly("at", "time")
    fields = [
        "when",
        "type",
        "name",
        "kind",
        "id_and_changes",
        "source",
        "tenant_word",
        "sequence",
        "request",
        "traceparent",
        "difference",
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

    @admin.display(description="id of the object")
    def id_and_changes(self, change: Change) -> str:
        """The whole id, and a way to what else happened to it."""
        return _link_to_changes(change.object_id, "all its changes")

    @admin.display(description="request id")
    def request(self, change: Change) -> str:
        """Of the request, or of the watch, that caused it, and a way to what else that did."""
        return _link_to_changes(change.request_id, "everything it changed")

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, change: Change) -> str:
        """Whose object it is."""
        return change.tenant or _PLATFORM

    @admin.display(description="difference")
    def difference(self, change: Change) -> str:
        """Only what is not the same before and after."""
        if change.before is None or change.after is None:
            return "the whole object"
        before, after = _leaves(change.before), _leaves(change.after)
        changed = sorted(path for path in before | after if before.get(path) != after.get(path))
        rows = ((path, before.get(path, ""), after.get(path, "")) for path in changed)
        return format_html_join("", "<p>{}: <del>{}</del> <ins>{}</ins></p>", rows) or "none"

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
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


def _link_to_changes(value: Any, words: str) -> str:
    url = reverse("admin:o2ims_change_changelist")
    return format_html('{} (<a href="{}?q={}">{}</a>)', value, url, value, words)


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    """What is not a map in `value`, as JSON, by its path."""
    if not isinstance(value, dict):
        return {path: json.dumps(value, ensure_ascii=False)}
    inner = (_leaves(part, f"{path}/{key}" if path else key) for key, part in value.items())
    return {path: leaf for leaves in inner for path, leaf in leaves.items()}


def _hidden(value: Any, key: str = "") -> Any:
    """`value` with everything that may be a secret shown as `***`; references to one stay readable."""
    if isinstance(value, dict):
        return {name: _hidden(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner, key) for inner in value]
    secret = any(word in key.lower() for word in ("password", "secret", "token", "key", "credential"))
    reference = isinstance(value, str) and value.startswith(("env:", "file:", "${"))
    return "***" if secret and not reference else value


def _ms(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"
