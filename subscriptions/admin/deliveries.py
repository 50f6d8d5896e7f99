"""The admin pages of deliveries: selected, read, exported and sent again. Nobody changes one otherwise."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET

from api.pages import PageError
from subscriptions import again
from subscriptions.admin.one import facts_of
from subscriptions.admin.selecting import DeliveryPages, SelectionFilter, found
from subscriptions.admin.words import (
    attempts_word,
    deliveries,
    event_word,
    last_end,
    state_word,
    subscription_link,
    thing_of,
)
from subscriptions.exports import DELIVERIES, shown
from subscriptions.models import Delivery, Endpoint
from subscriptions.roll import PLATFORM, those
from tenancy.admin.page import deed_of
from tenancy.permissions import Action, Resource
from tenancy.readonly import ReadOnlyAdmin
from tenancy.tables import FORMATS, answered
from tenancy.times import days, exactly, until

LONGEST_REASON = 500


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What subscribers were told, and what came of it."""

    list_display = [
        "when",
        "to",
        "tenant_word",
        "event",
        "thing",
        "attempts",
        "state_word",
        "ended",
        "next_try",
    ]
    list_display_links = ["when"]  # the rest of a row leads elsewhere
    list_filter = [SelectionFilter]
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    actions = ["send_again"]
    when_empty = "Changes that a subscription wants to hear of will be here, for the time that they are kept."
    when = exactly("created_at", "time")
    change_form_template = "admin/subscriptions/delivery/change_form.html"
    fields = ["when", "to", "tenant_word", "event", "thing", "state_word", "tried", "next_try"]

    def get_urls(self) -> list[URLPattern]:
        """Django's, the exports, and *Send again*."""
        export, sent = self._view(require_GET(self.export)), self._view(self.sending)
        return [
            path("export/<str:suffix>/", export, name="subscriptions_delivery_export"),
            path("again/", sent, name="subscriptions_delivery_again"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """With what they tell of."""
        return shown(super().get_queryset(request))

    def get_changelist(self, request: HttpRequest, **more: Any) -> type[DeliveryPages]:  # noqa: ARG002
        """By pages of ids."""
        return DeliveryPages

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, with what may be done with all of it."""
        more = {
            "formats": FORMATS,
            "may_send": self.has_send_permission(request),
            "retention": days(settings.DELIVERY_RETENTION),
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """One, with the request, the answer and every attempt."""
        row = self.get_object(request, object_id) if object_id else None
        more: dict[str, Any] = {"may_send": self.has_send_permission(request)}
        if row is not None and self.has_view_permission(request, row):
            more |= facts_of(row)
            more["subtitle"] = f"{row.sequence} of {row.to.name if row.to else row.subscription}"
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """One, with its tenant and lane."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            found([row])
        return row

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        """Leads to the page that asks whether the chosen ones shall be sent again."""
        deed = deed_of(request)
        deed.tell(deed.entry(Action.READ, Resource.DELIVERY, status=302, reason="chosen, to be sent again"))
        ids = ",".join(str(pk) for pk in queryset.order_by("pk").values_list("pk", flat=True))
        return HttpResponseRedirect(_again(ids=ids))

    def sending(self, request: HttpRequest) -> HttpResponse:
        """What would be sent again, of all that the URL selects; on POST it is."""
        if not (self.has_view_permission(request) and self.has_send_permission(request)):
            raise PermissionDenied
        try:
            selection = SelectionFilter.asked(request.GET)
        except PageError:
            return HttpResponseRedirect(deliveries(**request.GET.dict()))  # which says what is wrong
        rows = selection.rows(Delivery.objects.all())
        through = request.POST.get("through", "")
        if through.isdecimal() and len(through) < 19:
            rows = rows.filter(pk__lte=int(through))
        many = again.counted(rows)
        reason = " ".join(request.POST.get("reason", "").split())
        fits = 0 < many.deliveries <= again.MOST
        if request.method == "POST" and fits and 0 < len(reason) <= LONGEST_REASON:
            return self._sent(request, rows, many, reason)
        newest = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        context = {
            **self.admin_site.each_context(request),
            "title": many.words if fits else "Nothing to send again" if not many.deliveries else "Too many",
            "opts": self.opts,
            "many": many,
            "fits": fits,
            "most": again.MOST,
            "tried": request.method == "POST",
            "through": through or newest,
            "list": deliveries(**selection.given),
            "query": urlencode(selection.given),
            "longest": LONGEST_REASON,
            "names": sorted(_names(list(many.of)[:20]).items(), key=lambda one: one[1]),
        }
        return TemplateResponse(request, "admin/subscriptions/delivery/again.html", context)

    def _sent(
        self, request: HttpRequest, rows: QuerySet[Delivery], many: again.Many, reason: str
    ) -> HttpResponse:
        deed = deed_of(request)
        tenants = dict(Endpoint.objects.filter(pk__in=list(many.of)).values_list("pk", "tenant"))
        whose = {str(pk): tenant for pk, tenant in tenants.items()}

        def told(to: str, count: int) -> None:
            entry = deed.entry(
                Action.UPDATE,
                Resource.SUBSCRIPTION,
                to,
                status=202,
                label=_names([to]).get(to, ""),
                tenant=whose.get(to, ""),
                after={"replayed": count},
                reason=reason,
            )
            deed.tell(entry)

        count, to = again.send(many, rows, told)
        messages.success(request, f"{count} sent again, to {to} subscriber{'' if to == 1 else 's'}.")
        return HttpResponseRedirect(reverse("admin:subscriptions_delivery_changelist"))

    def export(self, request: HttpRequest, suffix: str) -> Any:
        """All that the list's form selects, as a file."""
        to = next((one for one in FORMATS if one.suffix == suffix), None)
        if to is None:
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            selection = SelectionFilter.asked(request.GET)
        except PageError:
            return HttpResponseRedirect(deliveries(**request.GET.dict()))  # which says what is wrong
        rows = selection.rows(shown(Delivery.objects.all()))
        return answered(DELIVERIES, rows, selection.given, to, by=deed_of(request))

    @admin.display(description="subscription")
    def to(self, row: Any) -> str:
        """What it is called, and the way to it."""
        return subscription_link(row.subscription, row.to)

    @admin.display(description="tenant")
    def tenant_word(self, row: Any) -> str:
        """Whose subscription it is."""
        return "ended" if row.whose is None else row.whose or PLATFORM

    @admin.display(description="event")
    def event(self, row: Delivery) -> str:
        """What happened."""
        return event_word(row)

    @admin.display(description="object")
    def thing(self, row: Any) -> str:
        """To what it happened."""
        return thing_of(row)

    @admin.display(description="state")
    def state_word(self, row: Delivery) -> str:
        """A word, a shape and a colour."""
        return state_word(row.state)

    @admin.display(description="last end")
    def ended(self, row: Any) -> str:
        """How the last attempt ended, and how long it took."""
        return last_end(row)

    @admin.display(description="attempts")
    def tried(self, row: Delivery) -> str:
        """How many have ended."""
        return attempts_word(row)

    @admin.display(description="next try")
    def next_try(self, row: Any) -> str:
        """When it is its turn."""
        lane = row.lane_of
        if row.state != Delivery.State.WAITING:
            return "-"
        if lane is None:
            return "never"
        if row.endpoint_state == Endpoint.State.SUSPENDED:
            return "when it is resumed"
        if row.sequence > lane.head:
            return "after those before it"
        if lane.due_at is None:
            return "when the endpoint is well"
        return until(lane.due_at)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Who may change subscriptions."""
        return request.user.has_perm("subscriptions.change_endpoint")

    def _view(self, view: Any) -> Any:
        """A page of ours, of which the trail knows what it is about."""
        wrapped: Any = self.admin_site.admin_view(view)
        wrapped.model_admin = self
        return wrapped


def _again(**query: str) -> str:
    return reverse("admin:subscriptions_delivery_again", query=query)


def _names(ids: list[str]) -> dict[str, str]:
    """What these subscriptions are called, as far as they are there."""
    return {id_: found.name for id_, found in those(ids).items()}
