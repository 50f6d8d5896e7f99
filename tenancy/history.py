"""The history of a row: what the audit trail says of it, where Django would show a log of its own."""

from typing import Any

from django.http import HttpResponseRedirect
from django.urls import reverse


def to_entries(model: Any, key: str) -> HttpResponseRedirect:
    """The way to the entries of the object of `model` with this key."""
    query = {"resource": str(model.resource), "resourceId": key}
    return HttpResponseRedirect(reverse("admin:tenancy_auditentry_changelist", query=query))
