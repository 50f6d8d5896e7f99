"""The admin page of roles."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from tenancy.admin.page import Page
from tenancy.admin.words import TenantFilter, rights_of
from tenancy.models import Role
from tenancy.permissions import Permission
from tenancy.roles import CEILING
from tenancy.times import exactly


@admin.register(Role)
class RoleAdmin(Page):
    """Roles: the built-in ones to read, and tenants' own."""

    list_display = ["name", "whose", "people", "description"]
    list_filter = [("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    search_fields = ["name", "description"]
    search_help_text = "name or description"
    updated = exactly("updated_at", "updated")

    @admin.display(description="whose", ordering="tenant")
    def whose(self, role: Role) -> str:
        """For whom it is."""
        return role.tenant_id or ("the platform's people" if role.system else "every tenant's people")

    @admin.display(description="people", ordering="people")
    def people(self, role: Any) -> int:
        """How many have it."""
        return int(role.people)

    @admin.display(description="permissions")
    def allows(self, role: Role) -> str:
        """What it allows, one a line."""
        return "\n".join(map(str, sorted(role.grants)))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        """With how many have it."""
        rows: QuerySet[Role] = super().get_queryset(request)
        return rows.annotate(people=Count("bindings"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Permissions as a choice, where they can be chosen."""
        chosen = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return ["name", "tenant", "description", "permissions" if chosen else "allows", "updated"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """A role stays in its tenant."""
        return ["allows", "updated", *(["tenant"] if obj else [])]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **more: Any) -> Any:
        """Permissions are chosen among those that the person at the page holds and a tenant's role can."""
        if db_field.name != "permissions":
            return super().formfield_for_dbfield(db_field, request, **more)
        return forms.MultipleChoiceField(
            choices=[(str(one), str(one)) for one in _offered(request)],
            widget=FilteredSelectMultiple("permissions", is_stacked=False),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not the built-in ones, nor a role that allows more than the person at the page may."""
        return super().has_change_permission(request, obj) and _may_give(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not the built-in ones."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.tenant_id is not None)


def _offered(request: HttpRequest) -> list[Permission]:
    every = sorted({part for one in CEILING.permissions for part in one.parts()})
    return [one for one in every if rights_of(request).cover([one])]


def _may_give(request: HttpRequest, role: Role | None) -> bool:
    return role is None or (role.tenant_id is not None and rights_of(request).cover(role.grants))
