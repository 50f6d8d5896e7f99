"""Every call's identity and its place in the audit trail, decided once, around any view: who is asking, in
which tenant, and what came of it.

The answer to a stranger is built here, because an exception raised in a middleware would reach the outer
ones as a 500.
"""

import re
from collections.abc import Callable

import orjson
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from psycopg_pool import PoolTimeout

from api import problems, requests
from tenancy.audit import Deed, append, waiting
from tenancy.certificates import Unmapped
from tenancy.credentials import Credentials
from tenancy.guard import needed
from tenancy.metrics import AUTH
from tenancy.models import User
from tenancy.permissions import Action
from tenancy.principals import Principal, Suspended, Unavailable, Unidentified, principals
from tenancy.rates import Away, Bucket, Verdict, buckets, rates, strangers
from tenancy.trail import Result

API_ROOT = re.compile(r"/(?:o2ims|o2dms|o2smo|admin/v1)(?:/|\Z)|/[oO]2ims[-_]infrastructure")
REALM = 'Bearer realm="netweave"'


_SUCCESS = AUTH.labels("success")


class Missing(Exception):
    """Nothing, or not enough, is shown."""


def _principal(shown: Credentials) -> Principal:
    """Who shows this. A token says who; a certificate beside it must be of the same tenant. Raises
    `Missing` or what `principals` raises."""
    if shown.certificate is None:
        if settings.REQUIRE_CLIENT_CERTIFICATE:
            raise Missing("Show a client certificate.")
        if not shown.token:
            raise Missing("Send a token (Authorization: Bearer <token>), or show a client certificate.")
        return principals.of_token(shown.token)
    if not shown.token:
        return principals.of_certificate(shown.certificate)
    principal = principals.of_token(shown.token, shown.certificate)
    if settings.REQUIRE_CLIENT_CERTIFICATE:
        _of_one_tenant(principal, principals.of_certificate(shown.certificate))
    return principal


def _of_one_tenant(one: Principal, other: Principal) -> None:
    if one.tenant != other.tenant:
        raise Unidentified


class IdentityMiddleware:
    """Sets `request.principal` on calls to an API root, or answers 401, 403, 429 or 503 itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        if not API_ROOT.match(request.path_info):
            return self.get_response(request)
        answer = self._identify(request)
        if isinstance(answer, HttpResponse):
            return self._strangers(request, answer)
        request.principal = answer  # type: ignore[attr-defined]
        requests.facts(request).update(user=answer.name, tenant=answer.tenant)
        Deed.of(request).by(answer.user_id, answer.name, answer.tenant, answer.authentication)
        structlog.contextvars.bind_contextvars(user=answer.name, tenant=answer.tenant)
        verdict = _counted(request, buckets(answer.user_id, answer.tenant, answer.rate_limit))
        if isinstance(verdict, HttpResponse):
            return verdict
        response = self._answer(request)
        for name, value in (verdict.headers if verdict else {}).items():
            response.headers[name] = value
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if requests.facts(request).get("too_large"):
            return problems.problem(request, 413, f"The body is larger than {requests.BODY_LIMIT} bytes.")
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        vary = response.headers.get("Vary")
        response.headers["Vary"] = f"{vary}, Authorization" if vary else "Authorization"
        return response

    def _strangers(self, request: HttpRequest, refusal: HttpResponse) -> HttpResponse:
        if refusal.status_code == 503:
            return refusal
        verdict = _counted(request, strangers(Deed.of(request).address))
        return verdict if isinstance(verdict, HttpResponse) else refusal

    def _identify(self, request: HttpRequest) -> Principal | HttpResponse:
        try:
            principal = _principal(Credentials.of(request))
        except Missing as error:
            AUTH.labels("missing").inc()
            return problems.problem(request, 401, str(error), headers={"WWW-Authenticate": REALM})
        except (Unidentified, Unmapped):
            AUTH.labels("invalid").inc()
            return problems.problem(
                request,
                401,
                "The credential is unknown, expired or revoked.",
                headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
            )
        except Suspended as error:
            Deed.of(request).by(error.user_id, error.name, error.tenant, error.authentication)
            AUTH.labels("suspended").inc()
            return problems.problem(request, 403, "This tenant is not active.")
        except Unavailable:
            AUTH.labels("unavailable").inc()
            return problems.problem(
                request, 503, "Callers cannot be identified at the moment.", headers={"Retry-After": "5"}
            )
        _SUCCESS.inc()
        return principal


def _counted(request: HttpRequest, wanted: list[Bucket]) -> Verdict | HttpResponse | None:
    """Takes this request from its buckets; the refusal where one of them is empty, None where nobody
    counts."""
    try:
        verdict = rates.take(wanted)
    except Away:
        return problems.problem(
            request, 503, "Requests cannot be counted at the moment.", headers={"Retry-After": "5"}
        )
    if verdict is None or not verdict.wait:
        return verdict
    requests.facts(request)["too_fast"] = True
    of, limit = verdict.bucket.of, verdict.bucket.limit
    return problems.problem(
        request,
        429,
        f"Too many requests of this {of}: {limit.per_second} a second, {limit.burst} at once.",
        headers=verdict.headers,
        type="rate-limited",
        of=of,
    )


class AuditMiddleware:
    """Tells the trail of every call to an API root and to the admin site: each unsafe one, and each refusal,
    has its one entry before the answer leaves; reads have theirs within a second (`AUDIT_READS`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """One request."""
        if not API_ROOT.match(request.path_info) and not ADMIN_SITE.match(request.path_info):
            return self.get_response(request)
        deed = Deed.of(request)
        response = self.get_response(request)
        if not deed.told:
            _tell(request, deed, response)
        return response


def _tell(request: HttpRequest, deed: Deed, response: HttpResponseBase) -> None:
    """What came of a request that has done nothing, or nothing that was worth a transaction: its entry may
    wait where the database is away."""
    of_the_site = not API_ROOT.match(request.path_info)  # a session is nobody to the API
    if of_the_site and not deed.actor and isinstance(person := getattr(request, "user", None), User):
        deed.by(str(person.pk), person.username, person.tenant_id, "session")
    action, kind, object_id = _asked(request)
    safe = request.method in _SAFE
    result = _result(request, response, plain=safe or not of_the_site)
    if safe and result is Result.SUCCESS and not deed.actor:
        return  # a page that asks who it is
    if safe and result is Result.SUCCESS:
        if settings.AUDIT_READS == "off" or (
            settings.AUDIT_READS == "summary" and waiting.counted(deed, action, kind, result, told=0)
        ):
            return
    elif (not deed.actor or requests.facts(request).get("too_fast")) and waiting.counted(
        deed, action, kind, result, told=STRANGERS
    ):
        return
    entry = deed.entry(
        action,
        kind,
        object_id,
        result=result,
        status=response.status_code,
        label=_tried(request) if action == "login" and result is Result.DENIED else "",
        reason=_detail(response),
    )
    if safe and result is not Result.DENIED:
        waiting.add(entry)
        return
    try:
        append([entry])
    except (DatabaseError, PoolTimeout):
        waiting.add(entry)


def _asked(request: HttpRequest) -> tuple[str, str, str]:
    """What a request is about: action, resource, id of the object."""
    method = "GET" if request.method == "HEAD" else str(request.method)
    try:
        match = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return _ACTIONS.get(method, Action.READ), "", ""
    id_ = next(
        (str(match.kwargs[name]) for name in ("id", "object_id", "tenant", "pool") if name in match.kwargs),
        "",
    )
    view = getattr(match.func, "cls", None)
    wanted = needed(view, getattr(match.func, "actions", {}).get(method.lower(), ""))
    if isinstance(wanted, tuple):
        return wanted[1], wanted[0], id_
    name = match.url_name or ""
    if name in _SESSIONS:
        return Action.READ if method in _SAFE else _SESSIONS[name], "Session", ""
    page = getattr(match.func, "model_admin", None)
    if page is None:
        return _ACTIONS.get(method, Action.READ), "", id_
    action = Action.READ if method in _SAFE else _PAGES.get(name.rpartition("_")[2], Action.UPDATE)
    return action, str(getattr(page.model, "resource", "")), id_


def _result(request: HttpRequest, response: HttpResponseBase, *, plain: bool) -> Result:
    """What the status says; of a form of the admin site, unless it is `plain`, there is more to it."""
    if response.status_code >= 400:
        return Result.DENIED if response.status_code in {401, 403, 429} else Result.ERROR
    if plain:
        return Result.SUCCESS
    name = request.resolver_match.url_name if request.resolver_match else ""
    if response.status_code == 200 and name != "logout":  # a form that is not taken is shown again
        return Result.DENIED if name == "login" else Result.ERROR
    return Result.ERROR if requests.facts(request).get("refused") else Result.SUCCESS


def _tried(request: HttpRequest) -> str:
    """Whose login name it was tried with; nothing else that somebody wrote there, which may be a password."""
    try:
        return User.objects.known(request.POST.get("username", ""))
    except (DatabaseError, PoolTimeout):
        return ""


def _detail(response: HttpResponseBase) -> str:
    """Why it was refused, in the words that the caller was given."""
    if response.headers.get("Content-Type") != problems.CONTENT_TYPE or not isinstance(
        response, HttpResponse
    ):
        return ""
    return str(orjson.loads(response.content).get("detail", ""))


ADMIN_SITE = re.compile(r"/admin(?:/(?!jsi18n/)|\Z)")
STRANGERS = 60  # refusals a minute and address (and caller, if too fast) that have entries of their own
_SAFE = {"GET", "HEAD", "OPTIONS"}
_ACTIONS = {"POST": Action.CREATE, "PUT": Action.UPDATE, "PATCH": Action.UPDATE, "DELETE": Action.DELETE}
_PAGES = {"add": Action.CREATE, "change": Action.UPDATE, "delete": Action.DELETE}  # of the admin site
_SESSIONS = {"login": "login", "logout": "logout", "password_change": "password"}
