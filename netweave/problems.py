"""From an exception to the problem a caller sees: DRF's handler, which knows the adapters' tree too, and
Django's own pages."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import APIException, MethodNotAllowed

from adapters import errors
from api.pages import PageError
from api.problems import problem
from o2ims import freshness
from o2ims.freshness import StaleSources
from o2ims.inventory import NotReady, NotThere
from o2ims.query import QueryError

log = structlog.get_logger()

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
    request: HttpRequest = context["request"]._request
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
    """500, for what escaped everything else."""
    return problem(request, 500, "Something went wrong on our side. The request id finds it in the log.")


def _api(request: HttpRequest, exc: APIException) -> HttpResponse:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(exc, MethodNotAllowed):
        return problem(request, 405, f"This path does not take {request.method}.")
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


def _backend(request: HttpRequest, exc: errors.BackendError) -> HttpResponse:
    log.warning("backend_error", error_class=type(exc).__name__, error=str(exc), source=exc.source)
    status, text = next((status, text) for kind, status, text in _BACKEND if isinstance(exc, kind))
    detail = text.format(source=exc.source, detail=exc.detail, ability=getattr(exc, "ability", ""))
    members: dict[str, Any] = {}
    if isinstance(exc, errors.Invalid) and exc.pointer:
        members["errors"] = [{"pointer": exc.pointer, "detail": exc.detail}]
    wait = getattr(exc, "retry_after", None)
    return problem(
        request, status, detail, headers={"Retry-After": str(int(wait))} if wait else {}, **members
    )


_HANDLERS: tuple[tuple[Any, Any], ...] = (
    (APIException, _api),
    ((QueryError, PageError), _parameter),
    ((NotThere, Http404), _not_there),
    (NotReady, _not_ready),
    (StaleSources, _stale),
    (errors.BackendError, _backend),
    (PermissionDenied, _forbidden),
    (RequestDataTooBig, _too_large),
    (SuspiciousOperation, _bad_request),
    ((DatabaseError, InterfaceError, PoolTimeout), _database),
)
