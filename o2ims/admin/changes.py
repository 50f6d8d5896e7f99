"""Changes: what happened."""

from django.contrib import admin
from django.utils.html import format_html

from o2ims.admin.words import PLATFORM, TenantFilter, TimeFilter, link_to_changes, link_to_entries
from o2ims.models import Change
from tenancy.differences import difference, pretty
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import exactly


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
        return link_to_changes(change.object_id, "all its changes")

    @admin.display(description="request id")
    def request(self, change: Change) -> str:
        """Of the request, or of the watch, that caused it, and the ways to what else that did."""
        changes = link_to_changes(change.request_id, "everything it changed")
        return format_html("{} ({})", changes, link_to_entries(change.request_id))

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, change: Change) -> str:
        """Whose object it is."""
        return change.tenant or PLATFORM

    @admin.display(description="difference")
    def difference(self, change: Change) -> str:
        """Only what is not the same before and after."""
        return difference(change.before, change.after)

    @admin.display(description="before")
    def pretty_before(self, change: Change) -> str:
        """The object as it was."""
        return pretty(change.before)

    @admin.display(description="after")
    def pretty_after(self, change: Change) -> str:
        """The object as it became."""
        return pretty(change.after)
