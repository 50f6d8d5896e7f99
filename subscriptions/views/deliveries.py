"""What was, or is to be, sent to one subscription: how a subscriber finds what it has missed."""

from typing import Any, ClassVar

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional, pages
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.representation import Representation
from subscriptions import openapi
from subscriptions.book import Book
from subscriptions.models import Delivery
from subscriptions.sent import Sent
from tenancy.guard import principal_of, scope_of
from tenancy.permissions import Resource

AFTER, STATE = "after", "state"


class Deliveries(ViewSet):
    """The deliveries of a subscription, in the order of `o2-sequence`."""

    http_method_names = ["get", "head"]
    flavour: Representation = GATEWAY_V1
    resource: ClassVar[Resource] = Resource.DELIVERY

    def list(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """The page that was asked for, of those after a sequence."""
        scope = scope_of(request, self)
        found = Book(principal_of(request), scope, self.flavour).get(id)
        binding = scope.tenant or "*"
        wanted = pages.requested(request._request, binding, self.flavour.page)
        rows = _selected(Delivery.objects.filter(subscription=found.id), wanted)
        shown = list(rows[: wanted.limit + 1])
        headers = {}
        if len(shown) > wanted.limit:
            shown = shown[: wanted.limit]
            last = str(shown[-1].sequence)
            headers["Link"] = pages.next_link(request._request, wanted, last, binding)
        content = orjson.dumps({"items": Sent(found, shown).wires()})
        return conditional.answer(request._request, content, headers)

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002
        """The OpenAPI operation of GET on `path`."""
        return openapi.describe_deliveries()


def _selected(rows: Any, wanted: pages.PageRequest) -> Any:
    query = {name: values for name, values in wanted.query.items() if name != pages.LIMIT}
    for name, values in query.items():
        if name not in {AFTER, STATE}:
            raise pages.PageError(name, f"is not known here; there are {AFTER}, {STATE}, limit")
        if len(values) > 1:
            raise pages.PageError(name, "may be given once")
    after = query.get(AFTER, ["0"])[0]
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise pages.PageError(AFTER, "must be a sequence: a whole number")
    state = query.get(STATE, [""])[0]
    if state and state not in Delivery.State.values:
        raise pages.PageError(STATE, f"must be one of {', '.join(Delivery.State.values)}")
    rows = rows.filter(sequence__gt=int(wanted.after or after)).order_by("sequence")
    rows = rows.filter(state=state) if state else rows
    skip = (wanted.number - 1) * wanted.limit
    return rows[skip:] if skip else rows
