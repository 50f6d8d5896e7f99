"""Sources: is each one there, since when not, and why."""

import time

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from adapters.errors import BackendError
from o2ims.admin.words import PLATFORM, TenantFilter, error_of, heard_of, hidden, latency_of, state_of
from o2ims.collector import check
from o2ims.gateway import gateway
from o2ims.models import Source
from tenancy.differences import pretty
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import ago, exactly


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """Backends: is each one there, since when not, and why. They are configured in gateway.yaml."""

    list_display = [
        "name",
        "kind",
        "state_word",
        "last_error",
        "since",
        "lag",
        "latency",
        "objects",
        "tenant_word",
    ]
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
        "turns",
        "state_word",
        "exact_since",
        "lag",
        "latency",
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
        return state_of(source)

    @admin.display(description="since", ordering="state_since")
    def since(self, source: Source) -> str:
        """Relative, with the exact time on hover."""
        return ago(source.state_since)

    @admin.display(description="last heard of", ordering="contact_at")
    def lag(self, source: Source) -> str:
        """When the backend last proved to be there."""
        return heard_of(source)

    @admin.display(description="latency", ordering="latency_ms")
    def latency(self, source: Source) -> str:
        """How long it took to answer its last check or complete list."""
        return latency_of(source)

    @admin.display(description="objects")
    def objects(self, source: Source) -> str:
        """How many living objects it has, as a link to them."""
        url = reverse("admin:o2ims_item_changelist") + f"?source__id__exact={source.pk}&presence=there"
        return format_html('<a href="{}">{}</a>', url, source.items.filter(deleted_at__isnull=True).count())

    @admin.display(description="tenant")
    def tenant_word(self, source: Source) -> str:
        """Whose unlabelled objects are."""
        return (source.tenant or PLATFORM) + (" (shared)" if source.shared else "")

    @admin.display(description="group")
    def turns(self, source: Source) -> str:
        """Where sources are read one at a time: whether it is this one's turn."""
        if not source.group:
            return "none: it is always read"
        return f"{source.strategy}, {'it is read now' if source.active else 'another one is read now'}"

    @admin.display(description="last error")
    def last_error(self, source: Source) -> str:
        """Quoted, not summarised."""
        return error_of(source)

    @admin.display(description="abilities")
    def abilities_word(self, source: Source) -> str:
        """What it can do."""
        return ", ".join(source.abilities) or "not asked yet"

    @admin.display(description="configuration")
    def configuration(self, source: Source) -> str:
        """What the file says, secrets hidden."""
        backend = next((b for b in gateway.current().backends if b.key == source.key), None)
        return pretty(hidden(dict(backend.config))) if backend else "not in the file"


def _ms(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"
