"""Lists of much in the admin site: narrowed by one form whose fields are the parameters of the URL, so that a
link is a saved view; in pages by id, so that none is counted and none shifts.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Protocol
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from api.pages import PageError, Query
from tenancy.models import Tenant

TENANTS = 200  # that are offered; any other may be written
SPANS = {
    "last hour": timedelta(hours=1),
    "last 24 hours": timedelta(hours=24),
    "last 7 days": timedelta(days=7),
}


class Wanted(Protocol):
    """What is selected: by which parameters, and of which rows which."""

    @property
    def given(self) -> Mapping[str, str]:
        """The parameters."""

    def rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` that are wanted."""


def filled(query: QueryDict) -> Query:
    """What a form or a link asks for: a field that was left empty asks for nothing."""
    return {name: query.getlist(name) for name in query if any(query.getlist(name))}


class FormFilter(admin.ListFilter, ABC):
    """The form. What is wrong with a value is said, and then nothing is shown: never too much."""

    title = "selection"
    template = "admin/selection.html"
    labels: ClassVar[Mapping[str, str]]
    offered: ClassVar[Mapping[str, Collection[str]]] = {}
    hidden: ClassVar[Collection[str]] = ()  # fields that are there only while they have a value

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        params.clear()  # all of them are ours
        self.search = request.GET.get(SEARCH_VAR, "")
        self.selection, self.error = self.asked(QueryDict()), ""
        try:
            self.selection = self.asked(request.GET)
        except PageError as error:
            self.error = f"{self.labels.get(error.parameter, error.parameter)} {error.detail}."

    @classmethod
    @abstractmethod
    def asked(cls, query: QueryDict) -> Wanted:
        """What a form or a link asks for. Raises `PageError`."""

    def has_output(self) -> bool:
        """Always."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Its parameters."""
        return list(self.labels)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """What is asked for."""
        return queryset.none() if self.error else self.selection.rows(queryset)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Links to usual spans of time, beside whatever else is asked for."""
        for words, span in SPANS.items():
            start = f"{timezone.now() - span:%Y-%m-%dT%H:%M:%SZ}"
            yield {"display": words, "query_string": changelist.get_query_string({"from": start}, ["to"])}

    def fields(self) -> Iterator[dict[str, Any]]:
        """Name, label, value, what is offered and what is suggested, of each field."""
        suggested = self.suggested()
        for name, label in self.labels.items():
            value = self.request.GET.get(name, "")
            options = list(self.offered.get(name, ()))
            if options and value and value not in options:
                options.append(value)
            if value or name not in self.hidden:
                found = suggested.get(name, [])
                words = dict(found).get(value, "")
                yield {
                    "name": name,
                    "label": label,
                    "value": value,
                    "options": options,
                    "suggested": found,
                    "words": words,
                }

    def suggested(self) -> dict[str, list[tuple[str, str]]]:
        """What may be written into a field, by its name: values, each with what it means where that needs
        words. Here the tenants there are now."""
        return {"tenantId": [(id_, "") for id_ in Tenant.objects.values_list("pk", flat=True)[:TENANTS]]}


class Pages(ChangeList):
    """A page of rows, newest first: those whose ids are below the one that the URL names, if any. The first
    of the list's filters is its `FormFilter`."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:  # noqa: ARG002
        """As they were written."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:  # noqa: ARG002
        """One page, and one row more to know whether there is another."""
        rows: QuerySet[Any] = self.queryset
        below = self.page_num if self.page_num > 1 else None
        found = list((rows.filter(pk__lt=below) if below else rows)[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        more = len(found) > self.list_per_page
        self.older = self.get_query_string({PAGE_VAR: self.result_list[-1].pk}) if more else ""
        self.newest = self.get_query_string() if below else ""
        self.newer = self._newer(below) if below else ""

    @property
    def narrowed(self) -> str:
        """What is selected, as a query."""
        return urlencode(self.filter_specs[0].selection.given)  # type: ignore[attr-defined]

    @property
    def fault(self) -> str:
        """What is wrong with what was asked for."""
        return str(self.filter_specs[0].error)  # type: ignore[attr-defined]

    def _newer(self, below: int) -> str:
        rows = self.queryset.filter(pk__gte=below).order_by("pk")
        next_page = list(rows.values_list("pk", flat=True)[: self.list_per_page])
        return self.get_query_string({PAGE_VAR: next_page[-1] + 1}) if next_page else ""
