"""The admin page of quotas: how much of each a tenant has taken, and its limit."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tenancy.admin.fullness import bar_of, nearly_full
from tenancy.admin.page import Page
from tenancy.admin.words import TenantFilter, quota_word
from tenancy.quotas import Quota, default


class Fullness(admin.SimpleListFilter):
    """Those that are nearly used up."""

    title = "how full"
    parameter_name = "full"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """The one that somebody asks for."""
        return [("nearly", "over 80 %")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Quota]) -> QuerySet[Quota]:  # noqa: ARG002
        """Those over 80 % of the limit that is in force."""
        return nearly_full(queryset) if self.value() == "nearly" else queryset


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new limit, and why."""

    reason = forms.CharField(max_length=500, help_text="Goes into the audit trail.")

    class Meta:
        model = Quota
        fields = ["limit"]

    def clean_limit(self) -> Decimal | None:
        """A number from 0 on, or nothing."""
        limit: Decimal | None = self.cleaned_data["limit"]
        if limit is not None and limit < 0:
            raise forms.ValidationError("A limit is 0 or more.")
        return limit


@admin.register(Quota)
class QuotaAdmin(Page):
    """Quotas. A row is there once a tenant has something of it, or a limit."""

    form = LimitForm
    list_display = ["tenant_id", "name_word", "bar", "limit_word", "holds"]
    list_display_links = ["name_word"]
    list_filter = [("tenant", TenantFilter), "name", Fullness]
    search_fields = ["tenant__id"]
    search_help_text = "tenant"
    when_empty = "No tenant has anything yet."
    fields = ["tenant_id", "name_word", "bar", "holds", "limit_word", "limit", "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """All but the limit."""
        return ["tenant_id", "name_word", "bar", "holds", "limit_word"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Without the form, for who only looks."""
        return self.fields if self.has_change_permission(request, obj) else self.get_readonly_fields(request)

    @admin.display(description="name", ordering="name")
    def name_word(self, quota: Quota) -> str:
        """With its unit."""
        return quota_word(quota.name)

    @admin.display(description="taken")
    def bar(self, quota: Quota) -> str:
        """A bar, and the number."""
        return bar_of(quota)

    @admin.display(description="limit")
    def limit_word(self, quota: Quota) -> str:
        """Whose it is."""
        if quota.limit is not None:
            return f"{quota.limit.normalize():f}, its own"
        usual = default(quota.name)
        return "none" if usual is None else f"{usual.normalize():f}, the platform's default"

    @admin.display(description="held by writes under way", ordering="held")
    def holds(self, quota: Quota) -> str:
        """A number."""
        return f"{quota.held.normalize():f}"

    def construct_change_message(self, request: HttpRequest, form: Any, *more: Any, **named: Any) -> Any:  # noqa: ARG002
        """The reason is the entry's."""
        return str(form.cleaned_data.get("reason", ""))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Limits of what there is no row of yet are set in the admin API."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """It is emptied instead."""
        return False
