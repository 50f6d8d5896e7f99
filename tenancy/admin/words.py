"""What the pages of tenants, people and roles have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.safestring import SafeString

from tenancy.models import User
from tenancy.permissions import Rights
from tenancy.refusals import Refused

PLATFORM = SafeString("the platform")  # as Django types a filter's word for nothing


class TenantFilter(admin.RelatedFieldListFilter):
    """Tenants; who is of none is the platform's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.empty_value_display = PLATFORM


def rights_of(request: HttpRequest) -> Rights:
    """What the person at the page holds."""
    return request.user.rights if isinstance(request.user, User) else Rights()


def telling(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view of an admin page that tells what a rule refuses; then nothing of it has happened."""

    @wraps(view)
    def shown(page: Any, request: HttpRequest, *given: Any, **named: Any) -> Any:
        try:
            with transaction.atomic():
                return view(page, request, *given, **named)
        except Refused as error:
            page.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    return shown
