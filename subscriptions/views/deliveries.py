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
from subscriptions.sent import Sent, page
from tenancy.guard import principal_of, scope_of
from tenancy.permissions import Resource


class Deliveries(ViewSet):
    """The deliveries of a subscription, in the order of `o2-sequence`."""

    http_method_names = ["get", "head"]
    flavour: Representation = GATEWAY_V1
    resource: ClassVar[Resource] = Resource.DELIVERY

    def list(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """The page that was asked for, of those after a sequence."""
        scope = scope_of(request, self)
        found = Book(principal_of(request), scope, self.flavour).get(id, either=True)
        binding = scope.tenant or "*"
        wanted = pages.requested(request._request, binding, self.flavour.page)
        shown, more = page(found, wanted)
        headers = {}
        if more:
            last = str(shown[-1].sequence)
            headers["Link"] = pages.next_link(request._request, wanted, last, binding)
        content = orjson.dumps({"items": Sent(found, shown).wires()})
        return conditional.answer(request._request, content, headers)

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002
        """The OpenAPI operation of GET on `path`."""
        return openapi.describe_deliveries()
