"""The admin page of quotas: how much of each a tenant has taken, and its limit."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from tenancy.admin.page import Page
from tenancy.admin.words import TenantFilter
from tenancy.quotas import Quota, default

NEARLY = Decimal("0.8")


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


def nearly_full(quotas: QuerySet[Quota]) -> QuerySet[Quota]:
    """Those of which more than 80 % are taken."""
    taken = F("used") + F("held")
    found = Q(limit__isnull=False) & Q(limit__lt=taken / NEARLY)
    for name, _ in Quota._meta.get_field("name").choices or ():
        usual = default(str(name))
        if usual is not None:
            found |= Q(limit__isnull=True, name=name, used__gt=usual * NEARLY - F("held"))
    return quotas.filter(found)


def bar_of(quota: Quota) -> str:
    """How much of it is taken: a bar and the numbers, or, where there is no limit, a number."""
    limit, taken = quota.in_force, quota.taken
    numbers = [f"{amount.normalize():f}" for amount in (taken, limit) if amount is not None]
    if not limit:
        return " of ".join(numbers)
    share = min(Decimal(1), taken / limit)
    full = "full" if taken >= limit else "nearly" if share > NEARLY else "roomy"
    return format_html(
        '<svg class="quota quota-{}" width="120" height="10" role="img" aria-label="{}">'
        '<rect width="120" height="10"/><rect class="taken" width="{}" height="10"/></svg> {}',
        full,
        " of ".join(numbers),
        int(120 * share),
        " of ".join(numbers),
    )


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
    list_display = ["tenant_id", "name", "bar", "limit_word", "holds"]
    list_display_links = ["name"]
    list_filter = [("tenant", TenantFilter), "name", Fullness]
    search_fields = ["tenant__id"]
    search_help_text = "tenant"
    when_empty = "No tenant has anything yet."
    fields = ["tenant_id", "name", "bar", "holds", "limit_word", "limit", "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """All but the limit."""
        return ["tenant_id", "name", "bar", "holds", "limit_word"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Without the form, for who only looks."""
        return self.fields if self.has_change_permission(request, obj) else self.get_readonly_fields(request)

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
