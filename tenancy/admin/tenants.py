"""The admin page of tenants."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from tenancy.admin.fullness import is_nearly_full
from tenancy.admin.page import Page
from tenancy.admin.suspension import TenantForm
from tenancy.admin.words import quota_word
from tenancy.models import Tenant
from tenancy.times import exactly


@admin.register(Tenant)
class TenantAdmin(Page):
    """Tenants. They are suspended here; only the admin API removes one: it looks what there still is."""

    form = TenantForm
    list_display = ["id", "name", "state", "nearly_used_up", "people", "created"]
    list_filter = ["status"]
    search_fields = ["id", "name"]
    search_help_text = "id or name"
    when_empty = "Everything is the platform's until a tenant is added."
    created = exactly("created_at", "created")
    updated = exactly("updated_at", "updated")
    fields = [
        "id",
        "name",
        "description",
        "status",
        "contact_email",
        "rate_limit",
        "callback_check",
        "callback_networks",
        "metadata",
        "created",
        "updated",
    ]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The reason too, where something can be done; otherwise networks to read."""
        acts = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if acts:
            return [*self.fields, "reason"]
        return ["networks" if name == "callback_networks" else name for name in self.fields]

    def construct_change_message(self, request: HttpRequest, form: Any, *more: Any, **named: Any) -> Any:
        """The reason, where one was given: it is the entry's."""
        given = form.cleaned_data.get("reason")
        return given or super().construct_change_message(request, form, *more, **named)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """The id is what objects are labelled with: it never changes."""
        return ["id", "created", "updated", "networks"] if obj else ["created", "updated"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        """With their quotas."""
        return super().get_queryset(request).prefetch_related("quotas")

    @admin.display(description="status", ordering="status")
    def state(self, tenant: Tenant) -> str:
        """A word, and a mark where its people are kept out."""
        word = tenant.get_status_display().lower()
        if tenant.status == Tenant.Status.ACTIVE:
            return word
        return format_html('<span class="state state-down">✕ {}</span>', word)

    @admin.display(description="callback networks")
    def networks(self, tenant: Tenant) -> str:
        """One a line."""
        lines = ((one,) for one in tenant.callback_networks)
        return format_html_join("", "<div>{}</div>", lines) or "none of its own"

    @admin.display(description="over 80 %")
    def nearly_used_up(self, tenant: Tenant) -> str:
        """The quotas of which there is not much left, and the way to them."""
        full = [quota_word(quota.name) for quota in tenant.quotas.all() if is_nearly_full(quota)]
        if not full:
            return "none"
        query = {"tenant__id__exact": tenant.pk, "full": "nearly"}
        url = reverse("admin:tenancy_quota_changelist", query=query)
        return format_html('<a class="state state-holding" href="{}">▲ {}</a>', url, ", ".join(full))

    @admin.display(description="people")
    def people(self, tenant: Tenant) -> int:
        """How many users."""
        return tenant.users.count()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never here."""
        return False
