"""What every noun of the inventory does: a list, and one of it. Subclasses say which kind, what a
caller needs for it, and how it is described."""

from typing import Any, ClassVar

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from adapters.types import Kind
from api import conditional, pages
from o2ims import freshness, openapi
from o2ims.entry import Entry
from o2ims.inventory import Inventory, Page
from o2ims.query import Selector
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.representation import Representation
from o2ims.views.asked import Asked, asked, selector
from o2ims.views.versions import negotiated
from tenancy.guard import scope_of
from tenancy.permissions import Resource


class Collection(ViewSet):
    """A list and its items, of one `kind`, in one `flavour` of the API."""

    http_method_names = ["get", "head", "post", "put", "delete"]  # as far as the route maps them
    flavour: Representation = GATEWAY_V1
    kind: ClassVar[Kind]
    resource: ClassVar[Resource]
    noun: ClassVar[str]

    def list(self, request: Request, **path: str) -> HttpResponse:
        """The page that was asked for, of what the caller's scope shows."""
        version = negotiated(request, self.flavour)
        scope = scope_of(request, self)
        wanted = asked(request._request, scope, self.flavour.shapes[self.kind], self.flavour.page)
        inventory = Inventory(scope)
        page = inventory.page(self.kind, wanted.page, where=wanted.where, pool=path.get("pool"))
        headers = freshness.headers(request._request, inventory.stale())
        return self._listed(request, wanted, page, {**version, **headers})

    def retrieve(self, request: Request, id: str, **path: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """One object, whole unless attributes are selected."""
        version = negotiated(request, self.flavour)
        chosen = selector(dict(request._request.GET.lists()), self.flavour.shapes[self.kind])
        inventory = Inventory(scope_of(request, self))
        entry = inventory.get(self.kind, id, pool=path.get("pool"))
        headers = freshness.headers(request._request, inventory.stale())
        content = self._chosen(entry, chosen) if chosen else self.flavour.full(entry)
        return conditional.answer(request._request, content, {**version, **headers})

    def describe(self, path: str, method: str) -> dict[str, Any]:
        """The OpenAPI operation of `method` on `path`."""
        if method != "GET":
            return openapi.describe_write(self.flavour, self.noun, self.kind, path, method)
        return openapi.describe(self.flavour, self.noun, self.kind, path)

    def _listed(self, request: Request, wanted: Asked, page: Page, headers: dict[str, str]) -> HttpResponse:
        if page.more:
            last = page.entries[-1].id
            headers["Link"] = pages.next_link(request._request, wanted.page, last, wanted.binding)
        if wanted.selector:
            encoded = [self._chosen(entry, wanted.selector) for entry in page.entries]
        else:
            encoded = [self.flavour.listed(entry) for entry in page.entries]
        return conditional.answer(request._request, self.flavour.join(encoded), headers)

    def _chosen(self, entry: Entry, chosen: Selector) -> bytes:
        return orjson.dumps(chosen.apply(self.flavour.wire(entry.kind, entry.body)))
