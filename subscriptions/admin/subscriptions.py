"""The admin pages of subscriptions: the list, and one with what can be done to it. They live in Redis and are
no rows: these are plain views in the frame of the admin site."""

from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from api import requests
from api.pages import PageError
from subscriptions import endpoint, journal, roll, store
from subscriptions.admin.deeds import ACTS, Act, Doing, Done
from subscriptions.admin.words import (
    dead_word,
    deliveries,
    event_word,
    last_end,
    last_word,
    rate_word,
    state_word,
    subscription_page,
    thing_of,
)
from subscriptions.exports import shown
from subscriptions.figures import Figures, figures
from subscriptions.models import Delivery, Endpoint
from subscriptions.subscription import Subscription
from tenancy.admin.page import deed_of
from tenancy.admin.selecting import TENANTS, filled
from tenancy.models import Tenant
from tenancy.selection import parameters
from tenancy.times import ago, digits, exact

PER_PAGE = 100
LAST = 10  # deliveries, on the page of one
LONGEST_REASON = 500
AFTER = "after"
DEAD_LETTERS = ("24h",)
LIST = "admin:subscriptions_subscription_changelist"
_RIGHTS = {verb: f"subscriptions.{verb}_endpoint" for verb in ("view", "change", "delete")}


class SubscriptionPages:
    """For who may read everybody's subscriptions; with buttons for who may change them."""

    model = Endpoint  # whose resource the audit trail names

    def __init__(self, site: admin.AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """The list, one, and each thing that is done to one."""
        acts = [
            path(
                f"<path:object_id>/{act.name}/",
                self._view(require_POST(self._acting(act))),
                name=f"subscriptions_subscription_{act.name}",
            )
            for act in ACTS
        ]
        return [
            path("", self._view(require_safe(self.listed)), name="subscriptions_subscription_changelist"),
            *acts,
            path(
                "<path:object_id>/",
                self._view(require_safe(self.one)),
                name="subscriptions_subscription_change",
            ),
        ]

    def listed(self, request: HttpRequest) -> HttpResponse:
        """The part of the list that the URL asks for."""
        _must_have(request, "view")
        given, after, error = _asked(request)
        found = roll.Page((), more=False, away="", behind=0)
        if not error:
            found = roll.look(given, after, PER_PAGE)
        numbers = figures([one.id for one in found.rows])
        context = {
            **self._site.each_context(request),
            "title": "Subscriptions",
            "found": found,
            "rows": [_row(one, numbers.get(one.id, Figures())) for one in found.rows],
            "error": error,
            "given": {**dict.fromkeys(roll.NAMES, ""), **given},
            "narrowed": bool(given),
            "states": Endpoint.State.values,
            "dead_letters": DEAD_LETTERS,
            "tenants": [roll.PLATFORM, *Tenant.objects.values_list("pk", flat=True)[:TENANTS]],
            "next": urlencode({**given, AFTER: found.rows[-1].id}) if found.more else "",
            "first": urlencode(given) if after else "",
            "behind_first": bool(after),
        }
        return TemplateResponse(request, "admin/subscriptions/subscription/list.html", context)

    def one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One of them, and what can be done to it."""
        _must_have(request, "view")
        subscription, away = _known(object_id)
        if subscription is None:
            return _gone(request, object_id)
        return self._page(request, subscription, away)

    def _acting(self, act: Act) -> Any:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            _must_have(request, "view")
            _must_have(request, act.verb)
            subscription, away = _known(object_id)
            if subscription is None:
                requests.facts(request)["refused"] = True
                return _gone(request, object_id)
            reason = " ".join(request.POST.get("reason", "").split())
            if not 0 < len(reason) <= LONGEST_REASON:
                return self._page(request, subscription, away, tried=act.name)
            try:
                done = act.do(Doing(request=request, to=subscription, reason=reason))
            except (endpoint.NoEndpoint, journal.Ended, store.Away) as error:
                return _failed(request, subscription.id, error)
            return self._done(request, subscription, act, done)

        return view

    def _done(self, request: HttpRequest, subscription: Subscription, act: Act, done: Done) -> HttpResponse:
        if done.secret:  # in this answer, and in no message: those are kept in a cookie
            return self._page(request, roll.one(subscription.id)[0] or subscription, "", done=done)
        messages.success(request, done.message)
        ended = act.verb == "delete"
        return HttpResponseRedirect(reverse(LIST) if ended else subscription_page(subscription.id))

    def _page(
        self,
        request: HttpRequest,
        one: Subscription,
        away: str,
        *,
        tried: str = "",
        done: Done | None = None,
    ) -> HttpResponse:
        found = figures([one.id]).get(one.id, Figures())
        last = shown(Delivery.objects.filter(subscription=one.id)).order_by("-sequence")
        ends = one.two_until(timezone.now())
        acts = [act for act in ACTS if request.user.has_perm(_RIGHTS[act.verb]) and act.offered(found)]
        context = {
            **self._site.each_context(request),
            "title": one.name,
            "row": _row(one, found),
            "one": one,
            "callback": one.callback.partition(one.host),
            "filter": _filter(one),
            "found": found,
            "since": ago(found.since) if found.since else "-",
            "made_by": one.created_by or "-",
            "signing": f"two secrets until {digits(ends)} UTC" if ends else "one secret",
            "entries": reverse(
                "admin:tenancy_auditentry_changelist",
                query={"resource": str(Endpoint.resource), "resourceId": one.id},
            ),
            "as_of": exact(timezone.now()),
            "last": [_delivered(row) for row in last[:LAST]],
            "acts": [
                {
                    "title": act.title,
                    "says": act.says(one, found),
                    "url": reverse(f"admin:subscriptions_subscription_{act.name}", args=[one.id]),
                    "tried": act.name == tried,
                    "name": act.name,
                }
                for act in acts
            ],
            "longest": LONGEST_REASON,
            "away": away,
            "done": done,
        }
        return TemplateResponse(request, "admin/subscriptions/subscription/page.html", context)

    def _view(self, view: Any) -> Any:
        """A page of which the audit trail knows what it is about."""
        found: Any = self._site.admin_view(view)
        found.model_admin = self
        return found


def _must_have(request: HttpRequest, verb: str) -> None:
    if not request.user.has_perm(_RIGHTS[verb]):
        raise PermissionDenied


def _asked(request: HttpRequest) -> tuple[dict[str, str], str, str]:
    """What the URL selects, behind which id, and what is wrong with it."""
    try:
        given = parameters(filled(request.GET), roll.NAMES, AFTER)
    except PageError as error:
        return {}, "", f"{error.parameter} {error.detail}."
    if given.get("state", "") not in {"", *Endpoint.State.values}:
        return given, "", f"State must be one of {', '.join(Endpoint.State.values)}."
    if given.get("deadLetters", "") not in {"", *DEAD_LETTERS}:
        return given, "", f"Dead letters must be one of {', '.join(DEAD_LETTERS)}."
    return given, request.GET.get(AFTER, ""), ""


def _known(id_: str) -> tuple[Subscription | None, str]:
    try:
        return roll.one(id_)
    except PageError:
        return None, ""


def _gone(request: HttpRequest, id_: str) -> HttpResponse:
    messages.warning(request, f"There is no subscription {id_[:36]}; it may have ended.")
    return HttpResponseRedirect(reverse(LIST))


def _failed(request: HttpRequest, id_: str, error: Exception) -> HttpResponse:
    """Nothing was done: it is said, on the page and in the trail."""
    said = "It has just ended, or was changed by somebody else: nothing was done."
    if isinstance(error, store.Away):
        said = f"Redis cannot be reached ({error}): nothing was done."
    deed = deed_of(request)
    deed.told, deed.reason = False, said
    requests.facts(request)["refused"] = True
    messages.error(request, said)
    return HttpResponseRedirect(subscription_page(id_))


def _row(one: Subscription, found: Figures) -> dict[str, Any]:
    return {
        "id": one.id,
        "short": one.id[:8],
        "url": subscription_page(one.id),
        "tenant": one.tenant or roll.PLATFORM,
        "own": one.consumer_id or "",
        "callback": f"{urlsplit(one.callback).scheme}://{one.place}".partition(one.host),
        "filter": _filter(one),
        "created": one.created_at[:19].replace("T", " "),
        "state": state_word(found.state, f"{one.id}.state"),
        "last": last_word(found),
        "waiting": found.waiting,
        "waiting_url": deliveries(subscription=one.id, state="waiting"),
        "oldest": ago(found.oldest) if found.oldest else "-",
        "rate": rate_word(found.rate),
        "dead": dead_word(found.dead),
        "dead_url": deliveries(subscription=one.id, state="dead"),
    }


def _filter(one: Subscription) -> str:
    if not one.filter:
        return "everything"
    return one.filter if isinstance(one.filter, str) else orjson.dumps(one.filter).decode()


def _delivered(row: Any) -> dict[str, Any]:
    return {
        "url": reverse("admin:subscriptions_delivery_change", args=[row.pk]),
        "sequence": row.sequence,
        "time": exact(row.created_at),
        "event": event_word(row),
        "thing": thing_of(row),
        "state": state_word(row.state),
        "attempts": row.attempts,
        "ended": last_end(row),
    }
