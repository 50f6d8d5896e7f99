"""From an exception to the problem a caller sees: DRF's handler, which knows the adapters' tree too, and
Django's own pages."""

import sys
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import APIException, MethodNotAllowed, ParseError

from adapters import errors
from adapters.router import NoRoute
from api.bodies import Absent, Malformed
from api.conditional import Changed, Unconditional
from api.pages import PageError
from api.problems import problem
from o2ims import freshness
from o2ims.freshness import StaleSources
from o2ims.inventory import NotReady, NotThere
from o2ims.operations import UNHEARD, KeyReused, NotFollowed, UnderWay
from o2ims.query import QueryError
from o2ims.record import Fenced
from o2ims.writes import Occupied
from subscriptions.endpoint import NoEndpoint
from subscriptions.journal import Duplicate, Ended
from subscriptions.store import Away
from tenancy.audit import Deed
from tenancy.directory import NotListed
from tenancy.refusals import BuiltInRole, Exceeded, NotHeld, Refused, Unfit, Unsized

log = structlog.get_logger()

_SAFE = frozenset({"GET", "HEAD"})
_KEYS = {
    "pem": "certificate",
    "role": "roleId",
    "user": "userId",
    "tenant": "tenantId",
}  # fields of models, on the wire

_BACKEND: tuple[tuple[type[errors.BackendError], int, str], ...] = (  # the first that fits
    (errors.TimedOut, 504, "The backend {source} did not answer in time."),
    (errors.Unreachable, 503, "The backend {source} cannot be reached."),
    (errors.Busy, 503, "The backend {source} is busy."),
    (errors.Unsupported, 501, "The backend {source} does not support {ability}."),
    (errors.NotFound, 404, "The backend {source} has no such object."),
    (errors.Conflict, 409, "The backend {source} has such an object already, or it has changed meanwhile."),
    (errors.Invalid, 400, "The backend {source} refuses this: {detail}"),
    (errors.BackendError, 502, "The backend {source} cannot be used at the moment."),
)


def handle(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler: every exception a view raises becomes a problem."""
    sent = context["request"]
    sent._full_data = sent._data = {}  # a request ends in a cycle: what was refused need not wait for that
    request: HttpRequest = sent._request
    for types, answer in _HANDLERS:
        if isinstance(exc, types):
            found: HttpResponse = answer(request, exc)
            return found
    log.error("request_failed", exc_info=exc)
    return problem(request, 500, "Something went wrong on our side. The request id finds it in the log.")


def not_found(request: HttpRequest, exception: Exception | None = None, **_path: str) -> HttpResponse:
    """404, for paths that nobody serves."""
    return problem(request, 404, "There is nothing at this path.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400, for what Django itself refuses."""
    return problem(request, 400, "The request is malformed.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403, for what Django itself refuses."""
    return problem(request, 403, "This is not allowed.")


def failed(request: HttpRequest) -> HttpResponse:
    """500, for what escaped everything else; 503 of a page whose database is away."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return _database(request, error)
    return problem(request, 500, "Something went wrong on our side. The request id finds it in the log.")


def _api(request: HttpRequest, exc: APIException) -> HttpResponse:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(exc, MethodNotAllowed):
        return problem(request, 405, f"This path does not take {request.method}.")
    if isinstance(exc, ParseError):  # the body as a whole: the empty pointer
        fault = {"pointer": "", "detail": str(exc.detail)}
        return problem(request, 400, str(exc.detail), headers=headers, errors=[fault])
    return problem(request, exc.status_code, str(exc.detail), headers=headers)


def _parameter(request: HttpRequest, exc: QueryError | PageError) -> HttpResponse:
    fault = {"parameter": exc.parameter, "detail": exc.detail}
    return problem(request, 400, f"{exc.parameter}: {exc.detail}", errors=[fault])


def _not_there(request: HttpRequest, exc: Exception) -> HttpResponse:
    return problem(request, 404, "There is no such object.")


def _forbidden(request: HttpRequest, exc: Exception) -> HttpResponse:
    return forbidden(request)


def _bad_request(request: HttpRequest, exc: Exception) -> HttpResponse:
    return bad_request(request)


def _too_large(request: HttpRequest, exc: Exception) -> HttpResponse:
    return problem(request, 413, "The body is too large.")


def _not_ready(request: HttpRequest, exc: Exception) -> HttpResponse:
    return problem(request, 503, "The inventory is still being loaded.", headers={"Retry-After": "1"})


def _database(request: HttpRequest, exc: Exception) -> HttpResponse:
    log.error("database_unavailable", error=type(exc).__name__)
    return problem(
        request, 503, "The database cannot be reached at the moment.", headers={"Retry-After": "5"}
    )


def _stale(request: HttpRequest, exc: StaleSources) -> HttpResponse:
    status = 504 if exc.timed_out else 502
    names = [one.source for one in exc.stale]
    detail = (
        f"Not fresh: {', '.join(names)}. Without `Prefer: handling=strict` the last good state is answered."
    )
    headers = {"Proxy-Status": freshness.proxy_status(exc.stale)}
    return problem(request, status, detail, headers=headers, sources=names)


def _malformed(request: HttpRequest, exc: Malformed) -> HttpResponse:
    faults = [{"pointer": fault.pointer, "detail": fault.detail} for fault in exc.faults]
    status = 422 if isinstance(exc, Absent) else 400
    return problem(request, status, f"The body cannot be used: {exc}.", errors=faults)


def _changed(request: HttpRequest, exc: Changed) -> HttpResponse:
    return problem(request, 412, "It is not what If-Match names any more: read it again.")


def _unconditional(request: HttpRequest, exc: Exception) -> HttpResponse:
    return problem(request, 428, "Say with If-Match which state of it is meant: the ETag it was read with.")


def _occupied(request: HttpRequest, exc: Occupied) -> HttpResponse:
    text = (
        f"The pool still has {exc.count} resource{'s'[: exc.count != 1]}; with ?cascade=true they go with it."
    )
    return problem(request, 409, text)


def _no_route(request: HttpRequest, exc: NoRoute) -> HttpResponse:
    return problem(request, 422, "No backend is configured to take this.")


def _key_reused(request: HttpRequest, exc: KeyReused) -> HttpResponse:
    return problem(request, 422, "This Idempotency-Key was used for another request.")


def _under_way(request: HttpRequest, exc: UnderWay) -> HttpResponse:
    text = "The request with this Idempotency-Key is still under way."
    return problem(request, 409, text, headers={"Retry-After": "2"})


def _not_followed(request: HttpRequest, exc: Exception) -> HttpResponse:
    text = "The backend this belongs to is being taken up or out at the moment."
    return problem(request, 503, text, headers={"Retry-After": "2"})


def _backend(request: HttpRequest, exc: errors.BackendError) -> HttpResponse:
    log.warning("backend_error", error_class=type(exc).__name__, error=str(exc), source=exc.source)
    status, text = next((status, text) for kind, status, text in _BACKEND if isinstance(exc, kind))
    detail = text.format(source=exc.source, detail=exc.detail, ability=getattr(exc, "ability", ""))
    if isinstance(exc, UNHEARD) and request.method not in _SAFE:
        detail += " It may have been done all the same: look before you ask again."
    members: dict[str, Any] = {}
    if isinstance(exc, errors.Conflict) and request.method == "POST":  # what else is in a new one's way
        members["errors"] = [{"pointer": "/name", "detail": "is taken"}]
    if isinstance(exc, errors.Invalid) and exc.pointer:
        members["errors"] = [{"pointer": exc.pointer, "detail": exc.detail}]
    wait = getattr(exc, "retry_after", None)
    return problem(
        request, status, detail, headers={"Retry-After": str(int(wait))} if wait else {}, **members
    )


def _duplicate(request: HttpRequest, exc: Duplicate) -> HttpResponse:
    """409; 400 on the O-RAN roots (O-RAN.WG6.O2IMS-INTERFACE 3.2.6)."""
    status = 409 if request.path.startswith("/o2ims/") else 400
    fault = {"pointer": "/callback", "detail": "with this filter, is subscribed already"}
    text = f"There is a subscription of this callback and filter already: {exc.id}."
    return problem(request, status, text, errors=[fault])


def _has_changed(request: HttpRequest, exc: Exception) -> HttpResponse:
    return problem(request, 409, "It has just been changed by somebody else: read it again.")


def _store_away(request: HttpRequest, exc: Exception) -> HttpResponse:
    log.error("subscriptions_unavailable", error=str(exc))
    text = "Subscriptions cannot be changed at the moment; those that are there are served."
    Deed.of(request).told = False  # what the trail may have been told is taken back: it is told that too
    return problem(request, 503, text, headers={"Retry-After": "5"})


def _exceeded(request: HttpRequest, exc: Exceeded) -> HttpResponse:
    amounts = {name: float(getattr(exc, name)) for name in ("limit", "used", "requested")}
    whole = {name: int(amount) if amount.is_integer() else amount for name, amount in amounts.items()}
    text = "There is not that much left of the tenant's quota."
    members: dict[str, Any] = {
        "type": "quota-exceeded",
        "title": "Quota exceeded",
        "quota": exc.quota,
        **whole,
    }
    return problem(request, 429, text, **members)


def _unsized(request: HttpRequest, exc: Unsized) -> HttpResponse:
    return problem(request, 422, f"This cannot be counted: {exc}.")


def _unfit(request: HttpRequest, exc: Unfit) -> HttpResponse:
    fault = {"pointer": f"/{_KEYS.get(exc.field, exc.field)}", "detail": exc.detail}
    return problem(request, 422, f"The body cannot be used: {exc}.", errors=[fault])


def _may_not(request: HttpRequest, exc: Refused) -> HttpResponse:
    return problem(request, 403, str(exc))


def _refused(request: HttpRequest, exc: Refused) -> HttpResponse:
    return problem(request, 409, str(exc))


_HANDLERS: tuple[tuple[Any, Any], ...] = (
    (APIException, _api),
    ((QueryError, PageError), _parameter),
    ((NotThere, NotListed, Http404), _not_there),
    (Unfit, _unfit),
    (Exceeded, _exceeded),
    (Unsized, _unsized),
    ((NotHeld, BuiltInRole), _may_not),
    (Refused, _refused),
    (Malformed, _malformed),
    (Changed, _changed),
    (Unconditional, _unconditional),
    (Occupied, _occupied),
    (NoRoute, _no_route),
    (KeyReused, _key_reused),
    (UnderWay, _under_way),
    ((NotFollowed, Fenced), _not_followed),
    (NotReady, _not_ready),
    (Duplicate, _duplicate),
    (Ended, _has_changed),
    (NoEndpoint, _not_there),
    (Away, _store_away),
    (StaleSources, _stale),
    (errors.BackendError, _backend),
    (PermissionDenied, _forbidden),
    (RequestDataTooBig, _too_large),
    (SuspiciousOperation, _bad_request),
    ((DatabaseError, InterfaceError, PoolTimeout), _database),
)
