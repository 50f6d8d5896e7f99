"""Items: what is there."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from o2ims.admin.words import PLATFORM, TenantFilter, link_to_changes
from o2ims.models import Item
from tenancy.differences import pretty
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import exactly


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
        return link_to_changes(item.object_id, "its changes")

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, item: Item) -> str:
        """Whose it is."""
        return item.tenant or PLATFORM

    @admin.display(description="body")
    def pretty_body(self, item: Item) -> str:
        """The mapped object."""
        return pretty(item.body)
