"""The audit trail: searched, read, exported. Nobody writes here: entries come of what is done elsewhere."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import pages
from api.renderers import JSONRenderer
from tenancy import audit_openapi
from tenancy.audit import Deed
from tenancy.directory import Directory, NotListed
from tenancy.exports import exported
from tenancy.guard import permit, principal_of
from tenancy.permissions import Action, Resource
from tenancy.representation import AUDIT
from tenancy.selection import Selection
from tenancy.tables import CSV, JSON_LINES, Format
from tenancy.trail import AuditEntry
from tenancy.views import answers


class CsvRenderer(BaseRenderer):
    """What `Accept: text/csv` asks for."""

    media_type, format = CSV.media_type, CSV.suffix


class JsonLinesRenderer(BaseRenderer):
    """What `Accept: application/jsonl` asks for."""

    media_type, format = JSON_LINES.media_type, JSON_LINES.suffix


_EXPORTS: dict[str | None, Format] = {CSV.suffix: CSV, JSON_LINES.suffix: JSON_LINES}


class Audit(ViewSet):
    """The entries that concern the caller, newest first."""

    resource = Resource.AUDIT

    def get_renderers(self) -> list[BaseRenderer]:
        """Only a list is exported."""
        exports = [CsvRenderer(), JsonLinesRenderer()] if self.action == "list" else []
        return [JSONRenderer(), *exports]

    def list(self, request: Request) -> HttpResponse | StreamingHttpResponse:
        """The page that was asked for; or, as CSV or JSON Lines, all of them."""
        if to := _EXPORTS.get(request.accepted_renderer.format):
            return _exported(request, to)
        rows = _rows(request, Action.LIST)
        return answers.selected(
            request, AUDIT, lambda query: Selection.of(query, pages.LIMIT).rows(rows), newest_first=True
        )

    def retrieve(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """One of them."""
        rows = _rows(request, Action.READ).filter(pk=int(id)) if id.isdecimal() and len(id) < 19 else ()
        for row in rows:
            return answers.one(request, AUDIT, AUDIT.wire(row))
        raise NotListed

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002 - only GET
        """The OpenAPI operation of `method` on `path`."""
        return audit_openapi.describe(path)


def _rows(request: Request, action: Action) -> QuerySet[AuditEntry]:
    return Directory(principal_of(request), Resource.AUDIT, action).audit()


def _exported(request: Request, to: Format) -> StreamingHttpResponse:
    permit(principal_of(request), Resource.AUDIT, Action.EXPORT)
    selection = Selection.of({name: request.GET.getlist(name) for name in request.GET})
    return exported(_rows(request, Action.EXPORT), selection, to, by=Deed.of(request._request))
