"""Identity of every call to an API root, decided once, before any view: who is asking, and in which tenant.

The answer to a stranger is built here, because an exception raised in a middleware would reach the outer
ones as a 500.
"""

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from api import problems, requests
from tenancy.metrics import AUTH
from tenancy.principals import Principal, Suspended, Unavailable, Unidentified, principals

API_ROOT = re.compile(r"/(?:o2ims|o2dms|o2smo|admin/v1)(?:/|\Z)|/[oO]2ims[-_]infrastructure")
REALM = 'Bearer realm="netweave"'


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
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            AUTH.labels("missing").inc()
            return problems.problem(
                request,
                401,
                "Send a token: Authorization: Bearer <token>.",
                headers={"WWW-Authenticate": REALM},
            )
        try:
            principal = principals.of_token(secret.strip())
        except Unidentified:
            AUTH.labels("invalid").inc()
            return problems.problem(
                request,
                401,
                "The token is unknown, expired or revoked.",
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
