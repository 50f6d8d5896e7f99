"""What DRF is told about identity: it reads what the middleware decided."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from tenancy.middleware import REALM
from tenancy.principals import Principal


class MiddlewareAuthentication(BaseAuthentication):
    """The principal that `IdentityMiddleware` found."""

    def authenticate(self, request: Request) -> tuple[Principal, Principal] | None:
        """`(principal, principal)`, or None where the middleware identified nobody."""
        principal = getattr(request._request, "principal", None)
        return None if principal is None else (principal, principal)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """The challenge of a 401."""
        return REALM
