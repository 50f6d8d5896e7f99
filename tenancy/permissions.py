"""What an identified caller may do. Until roles come: read what its scope shows, and change what is its
own."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from tenancy.principals import Principal

if TYPE_CHECKING:  # DRF's views import this module by its settings
    from rest_framework.views import APIView


class Identified(BasePermission):
    """Somebody the middleware identified; who only reads may not use methods that change something."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Whether the caller may use this method at all."""
        caller: object = request.user
        return isinstance(caller, Principal) and (request.method in SAFE_METHODS or caller.writes)


class MayReadDocs(BasePermission):
    """Everyone where `DOCS_PUBLIC` is set, else people who are signed in to the admin site."""

    message = "Sign in at /admin/ first: the documentation is not public here."

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Whether the caller may read the documentation."""
        if settings.DOCS_PUBLIC:
            return True
        person = get_user(request._request)  # of the session: DRF has overwritten the request's own
        return person.is_active and person.is_staff
