"""Identity of every call to an API root, decided once, before any view: who is asking, and in which tenant.

The answer to a stranger is built here, because an exception raised in a middleware would reach the outer
ones as a 500.
"""

import re
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from api import problems, requests
from tenancy.certificates import Unmapped
from tenancy.credentials import Credentials
from tenancy.metrics import AUTH
from tenancy.principals import Principal, Suspended, Unavailable, Unidentified, principals

API_ROOT = re.compile(r"/(?:o2ims|o2dms|o2smo|admin/v1)(?:/|\Z)|/[oO]2ims[-_]infrastructure")
REALM = 'Bearer realm="netweave"'


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
    if settings.REQUIRE_CLIENT_CERTIFICATE:
        _of_one_tenant(principals.of_token(shown.token), principals.of_certificate(shown.certificate))
    return principals.of_token(shown.token)


def _of_one_tenant(one: Principal, other: Principal) -> None:
    if one.tenant != other.tenant:
        raise Unidentified


class IdentityMiddleware:
    """Sets `request.principal` on calls to an API root, or answers 401, 403 or 503 itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        if not API_ROOT.match(request.path_info):
            return self.get_response(request)
        answer = self._identify(request)
        if isinstance(answer, HttpResponse):
            return answer
        request.principal = answer  # type: ignore[attr-defined]
        requests.facts(request).update(user=answer.name, tenant=answer.tenant)
        structlog.contextvars.bind_contextvars(user=answer.name, tenant=answer.tenant)
        if requests.facts(request).get("too_large"):
            return problems.problem(request, 413, f"The body is larger than {requests.BODY_LIMIT} bytes.")
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "Authorization"]))
        return response

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
        except Suspended:
            AUTH.labels("suspended").inc()
            return problems.problem(request, 403, "This tenant is not active.")
        except Unavailable:
            AUTH.labels("unavailable").inc()
            return problems.problem(
                request, 503, "Callers cannot be identified at the moment.", headers={"Retry-After": "5"}
            )
        AUTH.labels("success").inc()
        return principal
