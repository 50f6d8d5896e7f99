"""The admin page of bindings."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from tenancy.admin.page import Page
from tenancy.admin.words import PLATFORM, TenantFilter, rights_of
from tenancy.models import Binding, Role
from tenancy.times import exactly


@admin.register(Binding)
class BindingAdmin(Page):
    """Who has which role, until when."""

    list_display = ["user", "role", "tenant_word", "state_word", "expires", "created"]
    list_filter = [("user__tenant", TenantFilter), "role"]
    list_select_related = ["user", "role"]
    search_fields = ["user__username", "role__name"]
    search_help_text = "user or role"
    autocomplete_fields = ["user"]
    when_empty = "Nobody has a role yet."
    created = exactly("created_at", "given")
    expires = exactly("expires_at", "ends", never="never")
    fields = ["user", "role", "expires_at", "created"]

    @admin.display(description="tenant", ordering="user__tenant")
    def tenant_word(self, binding: Binding) -> str:
        """Of the user."""
        return binding.user.tenant_id or PLATFORM

    @admin.display(description="state")
    def state_word(self, binding: Binding) -> str:
        """A word, a shape and a colour."""
        if binding.expires_at and binding.expires_at <= timezone.now():
            return format_html('<span class="state state-retired">{} ended</span>', "□")
        return format_html('<span class="state state-up">{} in force</span>', "●")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """It stays with its user."""
        return ["created", *(["user"] if obj else [])]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **more: Any) -> Any:
        """Roles are chosen among those that the person at the page can give."""
        if db_field.name == "role":
            rights = rights_of(request)
            given = [role.pk for role in Role.objects.all() if rights.cover(role.needed_to_give())]
            more["queryset"] = Role.objects.filter(pk__in=given).order_by("tenant_id", "name")
        return super().formfield_for_foreignkey(db_field, request, **more)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The platform's roles are given and taken by who can give them."""
        return super().has_change_permission(request, obj) and _may_take(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The platform's roles are given and taken by who can give them."""
        return super().has_delete_permission(request, obj) and _may_take(request, obj)


def _may_take(request: HttpRequest, binding: Binding | None) -> bool:
    if binding is None or not binding.role.system:
        return True
    return rights_of(request).cover(binding.role.needed_to_give())
