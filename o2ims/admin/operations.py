"""Operations: what somebody wanted to happen, and what became of it."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from o2ims.admin.words import (
    PLATFORM,
    TenantFilter,
    TimeFilter,
    hidden,
    link_to_changes,
    link_to_entries,
)
from o2ims.models import Operation
from tenancy.differences import pretty
from tenancy.readonly import ReadOnlyAdmin
from tenancy.times import exactly

_MARKS = {
    Operation.State.STARTED: ("○", "starting"),
    Operation.State.DONE: ("●", "up"),
    Operation.State.FAILED: ("✕", "down"),
    Operation.State.SETTLED: ("▲", "holding"),
}


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    """Writes. One that stays *started* waits for its backend; a worker settles it."""

    list_display = ["when", "what", "name", "state_word", "actor", "tenant_word", "source", "last_error"]
    list_filter = ["state", "action", "kind", "source", ("tenant", TenantFilter), ("started_at", TimeFilter)]
    list_select_related = ["source"]
    search_fields = ["=object_id", "request_id", "native_name", "native_id", "actor"]
    search_help_text = "id, name, request id or who"
    ordering = ["-started_at"]
    when_empty = "Nobody has changed anything yet, or not within the time that operations are kept."
    when = exactly("started_at", "time")
    ended = exactly("ended_at", "ended", never="not yet")
    due = exactly("deadline", "settled by a worker after")
    fields = [
        "when",
        "what",
        "name",
        "state_word",
        "last_error",
        "actor",
        "tenant_word",
        "source",
        "the_object",
        "request",
        "traceparent",
        "idempotency_key",
        "due",
        "ended",
        "pretty_asked",
        "pretty_answer",
    ]

    @admin.display(description="what")
    def what(self, operation: Operation) -> str:
        """In two words."""
        return f"{operation.action} {operation.kind}"

    @admin.display(description="name")
    def name(self, operation: Operation) -> str:
        """What it is or will be called in the backend."""
        return operation.native_name or operation.native_id

    @admin.display(description="state", ordering="state")
    def state_word(self, operation: Operation) -> str:
        """A word, a shape and a colour."""
        mark, colour = _MARKS[Operation.State(operation.state)]
        return format_html('<span class="state state-{}">{} {}</span>', colour, mark, operation.state)

    @admin.display(description="tenant", ordering="tenant")
    def tenant_word(self, operation: Operation) -> str:
        """Whose object it is about."""
        return operation.tenant or PLATFORM

    @admin.display(description="error")
    def last_error(self, operation: Operation) -> str:
        """Quoted, not summarised."""
        return f"{operation.error_class}: {operation.error}" if operation.error else "none"

    @admin.display(description="object")
    def the_object(self, operation: Operation) -> str:
        """The object, and a way to it."""
        if operation.object_id is None:
            return "none"
        url = reverse("admin:o2ims_item_changelist")
        return format_html('<a href="{}?q={}">{}</a>', url, operation.object_id, operation.object_id)

    @admin.display(description="request id")
    def request(self, operation: Operation) -> str:
        """Of the request that wanted it, and the ways to what that changed and was."""
        changes = link_to_changes(operation.request_id, "everything it changed")
        return format_html("{} ({})", changes, link_to_entries(operation.request_id))

    @admin.display(description="asked")
    def pretty_asked(self, operation: Operation) -> str:
        """What the caller sent."""
        return pretty(hidden(operation.asked))

    @admin.display(description="answer")
    def pretty_answer(self, operation: Operation) -> str:
        """The object as it was answered."""
        return pretty(operation.answer)
