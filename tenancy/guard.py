"""Who may pass. Every route of an API root is closed until its view names what it needs: a class attribute
`resource`, of which the route's action follows (`list` or `read` for GET).

Reads what the middleware decided; asks no database.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from django.conf import settings
from django.contrib.auth import get_user
from prometheus_client import Counter
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenancy import second_factor
from tenancy.metrics import AUTHZ
from tenancy.models import User
from tenancy.permissions import Action, Resource
from tenancy.principals import Principal
from tenancy.scope import TenantScope

if TYPE_CHECKING:  # DRF's views import this module by its settings
    from rest_framework.views import APIView

#: The `resource` of a view for everybody who is identified, whatever their roles.
ANYONE: Final = "anyone"

_ACTIONS = {
    "list": Action.LIST,
    "retrieve": Action.READ,
    "create": Action.CREATE,
    "update": Action.UPDATE,
    "partial_update": Action.UPDATE,
    "destroy": Action.DELETE,
    # of subscriptions
    "test": Action.UPDATE,
    "rotate_secret": Action.UPDATE,
    "resume": Action.UPDATE,
    "replay": Action.UPDATE,
}
_CHANGES = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})


def needed(view: Any, action: str) -> tuple[Resource, Action] | Literal["anyone"] | None:
    """What a caller needs for a view's `action` (a method of the view class or an instance of it). None:
    the view does not say, and lets nobody in."""
    resource = getattr(view, "resource", None)
    if resource == ANYONE:
        return ANYONE
    if not isinstance(resource, Resource) or action not in _ACTIONS:
        return None
    return resource, _ACTIONS[action]


class Permitted(BasePermission):
    """Somebody the middleware identified, whose roles allow what the view needs."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether the caller may; raises `PermissionDenied` that names what is missing."""
        caller: object = request.user
        action = getattr(view, "action", None)
        if not isinstance(caller, Principal):
            return False
        if action is None or action == "metadata":
            return True  # a method that the path does not take: 405 says so
        wanted = needed(view, action)
        if wanted == ANYONE:
            return True
        return wanted is not None and permit(caller, *wanted)


@cache
def _counter(resource: Resource, action: Action, result: str) -> Counter:
    """A look at its labels costs more than counting."""
    return AUTHZ.labels(resource, action, result)


def permit(caller: Principal, resource: Resource, action: Action) -> bool:
    """True if the caller's roles allow `action` on some `resource`; raises `PermissionDenied` that names what
    is missing. Counted."""
    allowed = bool(caller.rights.scopes(resource, action))
    _counter(resource, action, "allowed" if allowed else "denied").inc()
    if not allowed:
        raise PermissionDenied(f"This needs the permission {resource}:{action}.")
    return True


def principal_of(request: Request) -> Principal:
    """Who the caller of `request` is. There is no request without a principal behind `Permitted`."""
    principal: Principal = request._request.principal  # type: ignore[attr-defined]
    return principal


def scope_of(request: Request, view: "APIView") -> TenantScope:
    """Whose objects the caller may do with what the view's action is; for one that changes something, what
    the caller may read is in sight too. Raises `PermissionDenied` where there is nothing."""
    caller, wanted = principal_of(request), needed(view, getattr(view, "action", ""))
    scope = caller.scope(*wanted) if isinstance(wanted, tuple) else None
    if scope is None or not isinstance(wanted, tuple):
        raise PermissionDenied
    resource, action = wanted
    return scope.with_what_is_read(caller.scope(resource, Action.READ)) if action in _CHANGES else scope


class MayReadDocs(BasePermission):
    """Everyone where `DOCS_PUBLIC` is set, else people who are signed in to the admin site."""

    message = "Sign in at /admin/ first: the documentation is not public here."

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Whether the caller may read the documentation."""
        if settings.DOCS_PUBLIC:
            return True
        person = get_user(request._request)  # of the session: DRF has overwritten the request's own
        return (
            isinstance(person, User)
            and person.runs_the_platform
            and second_factor.passed(request._request, person)
        )
