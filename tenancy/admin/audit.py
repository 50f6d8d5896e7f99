"""The admin page of the audit trail: selected, read, compared, exported and proved. Nobody writes here, by
page or by URL."""

import json
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_safe

from api.pages import PageError
from tenancy.admin.entries import SelectionFilter
from tenancy.admin.page import deed_of
from tenancy.admin.selecting import Pages
from tenancy.admin.words import deed_word, outcome_word, tenant_of
from tenancy.differences import difference, pretty
from tenancy.directory import NotListed, one_of
from tenancy.exports import exported
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Resource
from tenancy.proof import VERIFY, prove, said
from tenancy.readonly import ReadOnlyAdmin
from tenancy.selection import LONGEST, Selection
from tenancy.tables import FORMATS
from tenancy.times import days, exactly
from tenancy.trail import AuditEntry, AuditSeal, moment

_MODELS = {str(model.resource): model for model in (Tenant, User, Role, Binding, Token)}


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """What happened, who did it, and what came of it."""

    list_display = ["when", "person", "tenant_word", "deed", "thing", "outcome", "same_request"]
    list_display_links = ["when"]
    list_filter = [SelectionFilter]
    search_fields = ["actor"]  # so that there is a search; it is the selection's `q`, over far more
    search_help_text = "text anywhere: who, object, id, request id, path, address, reason, before, after"
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    when_empty = "Whatever is asked of this gateway will be here."
    when = exactly("timestamp", "time")
    fieldsets = [
        (None, {"fields": ["exact_time", "outcome", "status", "reason", "sealed"]}),
        ("Who", {"fields": ["who", "user_id", "tenant_word", "authentication", "address"]}),
        ("What", {"fields": ["deed", "the_object", "object_id", "asked_for", "request"]}),
        ("Difference", {"fields": ["differs"]}),
        ("Before", {"fields": ["pretty_before"], "classes": ["collapse"]}),
        ("After", {"fields": ["pretty_after"], "classes": ["collapse"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        """Django's, the exports, and the proof."""
        return [
            path(
                "export/<str:suffix>/", self._view(require_GET(self.export)), name="tenancy_auditentry_export"
            ),
            path("proof/", self._view(self.proof), name="tenancy_auditentry_proof"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **more: Any) -> type[Pages]:  # noqa: ARG002
        """By pages of ids."""
        return Pages

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, with what its foot says and what may be taken away."""
        more = {
            "formats": FORMATS if self.has_export_permission(request) else (),
            "retention": days(settings.AUDIT_RETENTION),
            "newest_seal": AuditSeal.objects.defer("entries").order_by("-number").first(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[AuditEntry],
        search_term: str,  # noqa: ARG002
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """What the selection has found already."""
        return queryset, False

    def export(self, request: HttpRequest, suffix: str) -> HttpResponse | StreamingHttpResponse:
        """All that the list's form selects, as a file."""
        to = next((one for one in FORMATS if one.suffix == suffix), None)
        if to is None:
            raise Http404
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            selection: Selection = SelectionFilter.asked(request.GET)
        except PageError:
            return HttpResponseRedirect(f"{_list()}?{request.GET.urlencode()}")  # which says what is wrong
        return exported(AuditEntry.objects.all(), selection, to, by=deed_of(request))

    def proof(self, request: HttpRequest) -> TemplateResponse:
        """Whether the trail is whole: how much there is to check, and on POST what was found."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found, noted = None, request.POST.get("head", "").strip()[:LONGEST]
        if request.method == "POST":
            found = prove(noted=noted)
            what = {"whole": found.whole, "entries": found.entries, "faults": found.count, "head": found.head}
            deed = deed_of(request)
            deed.tell(deed.entry(VERIFY, Resource.AUDIT, status=200, after=what))
        context = {
            **self.admin_site.each_context(request),
            "title": "Proof of the audit trail",
            "opts": self.opts,
            "count": AuditSeal.objects.aggregate(sum=Sum("count"))["sum"] or 0,
            "noted": noted,
            "found": found,
            "lines": said(found) if found else [],
        }
        return TemplateResponse(request, "admin/tenancy/auditentry/proof.html", context)

    @admin.display(description="time (UTC)")
    def exact_time(self, entry: AuditEntry) -> str:
        """To the microsecond, as it is sealed."""
        return moment(entry.timestamp)

    @admin.display(description="who")
    def person(self, entry: AuditEntry) -> str:
        """The name as it was."""
        return entry.actor or "nobody known"

    @admin.display(description="who")
    def who(self, entry: AuditEntry) -> str:
        """The name as it was, and the ways to the person and to what else they did."""
        if not entry.actor:
            return self.person(entry)
        entries = _entries(self.person(entry), "all their entries", userName=entry.actor)
        there = entry.user_id and User.objects.filter(pk=entry.user_id).exists()
        return format_html("{} {}", entries, _row(User, entry.user_id)) if there else entries

    @admin.display(description="tenant")
    def tenant_word(self, entry: AuditEntry) -> str:
        """Whose object, else whose person."""
        return tenant_of(entry)

    @admin.display(description="what")
    def deed(self, entry: AuditEntry) -> str:
        """In two words."""
        return deed_word(entry)

    @admin.display(description="object")
    def thing(self, entry: AuditEntry) -> str:
        """Its name as it was, or what else is known of it."""
        return entry.label or entry.object_id or entry.path

    @admin.display(description="object")
    def the_object(self, entry: AuditEntry) -> str:
        """Its name as it was, and the ways to it and to what else was done with it."""
        if not entry.object_id:
            return entry.label or "none in particular"
        query = {"resource": entry.kind, "resourceId": entry.object_id}
        entries = _entries(entry.label or entry.object_id, "all its entries", **query)
        model = _MODELS.get(entry.kind)
        try:
            there = model and one_of(model._default_manager.all(), entry.object_id)
        except NotListed:
            there = None
        return format_html("{} {}", entries, _row(model, entry.object_id)) if there else entries

    @admin.display(description="outcome")
    def outcome(self, entry: AuditEntry) -> str:
        """A word, a shape and a colour."""
        return outcome_word(entry.result)

    @admin.display(description="asked for")
    def asked_for(self, entry: AuditEntry) -> str:
        """By which request."""
        return f"{entry.method} {entry.path}".strip() or "-"

    @admin.display(description="same request")
    def same_request(self, entry: AuditEntry) -> str:
        """The request's id, as a way to what else it led to."""
        if not entry.request_id:
            return "-"
        url, shown = _list(requestId=entry.request_id), entry.request_id[:8]
        return format_html('<a href="{}" title="{}">{}</a>', url, entry.request_id, shown)

    @admin.display(description="request id")
    def request(self, entry: AuditEntry) -> str:
        """All of it, and the way to what else it led to."""
        if not entry.request_id:
            return "-"
        return _entries(entry.request_id, "same request", requestId=entry.request_id)

    @admin.display(description="sealed")
    def sealed(self, entry: AuditEntry) -> str:
        """By which seal."""
        seals = AuditSeal.objects.defer("entries").filter(from_id__lt=entry.pk, to_id__gte=entry.pk)
        seal = seals.first()
        return f"by seal {seal.number}, {moment(seal.sealed_at)}" if seal else "not yet"

    @admin.display(description="difference")
    def differs(self, entry: AuditEntry) -> str:
        """Only what is not the same before and after."""
        before, after = _object(entry.before), _object(entry.after)
        return difference(before, after) if before or after else "nothing was changed"

    @admin.display(description="before")
    def pretty_before(self, entry: AuditEntry) -> str:
        """The object as it was."""
        return pretty(_object(entry.before))

    @admin.display(description="after")
    def pretty_after(self, entry: AuditEntry) -> str:
        """The object as it became, or what there is to say of what was done."""
        return pretty(_object(entry.after))

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Reading is not enough."""
        return request.user.has_perm("tenancy.export_auditentry")

    def _view(self, view: Any) -> Any:
        """A page of ours, of which the trail knows what it is about."""
        found: Any = self.admin_site.admin_view(view)
        found.model_admin = self
        return found


def _list(**query: str) -> str:
    return reverse("admin:tenancy_auditentry_changelist", query=query or None)


def _entries(shown: str, words: str, **query: str) -> str:
    return format_html('{} (<a href="{}">{}</a>)', shown, _list(**query), words)


def _row(model: Any, key: Any) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])
    return format_html('(<a href="{}">as it is now</a>)', url)


def _object(text: str | None) -> Any:
    return json.loads(text) if text else None
