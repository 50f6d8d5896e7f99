"""The base of admin pages that change something: what a rule refuses is told to who is at the page, and what
they do to the audit trail, in the transaction of the change."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from api import requests
from tenancy.audit import Deed
from tenancy.history import to_entries
from tenancy.models import User
from tenancy.permissions import Action
from tenancy.refusals import Refused
from tenancy.representation import Wire
from tenancy.told import told, wire


def deed_of(request: HttpRequest) -> Deed:
    """That of who is at the page."""
    deed, person = Deed.of(request), request.user
    if isinstance(person, User):
        deed.by(str(person.pk), person.username, person.tenant_id, "session")
    return deed


class Page(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that are changed here."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, and its actions: all of one is done, or nothing."""
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except Refused as error:
            return self._refused(request, error)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form of one."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, *args, **kwargs)
        except Refused as error:
            return self._refused(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Whether it shall really go."""
        try:
            with transaction.atomic():
                return super().delete_view(request, *args, **kwargs)
        except Refused as error:
            return self._refused(request, error)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """What the audit trail says of the row."""
        return to_entries(self.model, object_id)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Saves, and remembers how it was."""
        requests.facts(request)["before"] = wire(obj) if change else None
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Where Django would write its own log."""
        reason = message if isinstance(message, str) else ""
        self._tell(request, Action.CREATE, obj, after=wire(obj), reason=reason)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Where Django would write its own log."""
        after = wire(obj)
        before = requests.facts(request).get("before") or after
        reason = message if isinstance(message, str) else ""
        self._tell(request, Action.UPDATE, obj, before=before, after=after, reason=reason)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Where Django would write its own log: before they go."""
        for row in queryset:
            self._tell(request, Action.DELETE, row, before=wire(row))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:  # noqa: ARG002
        """One by one, so that each is noted in the revocation log; all of them or none."""
        for row in queryset:
            row.delete()

    def _tell(
        self,
        request: HttpRequest,
        action: Action,
        row: Model,
        *,
        before: Wire | None = None,
        after: Wire | None = None,
        reason: str = "",
    ) -> None:
        deed = deed_of(request)
        deed.tell(told(deed, action, row, before=before, after=after, reason=reason))

    def _refused(self, request: HttpRequest, error: Refused) -> HttpResponse:
        Deed.of(request).told = False  # what was done is undone
        Deed.of(request).reason = str(error)
        requests.facts(request)["refused"] = True
        self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
