"""Subscriptions: who is told of which changes, where."""

from typing import Any, ClassVar

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional, pages
from o2ims.query import Selector
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.representation import Representation, on_the_wire
from o2ims.views.asked import asked, selector
from o2ims.views.versions import negotiated
from subscriptions import again, book, endpoint, openapi
from subscriptions.book import Book
from subscriptions.drafts import draft, replayed
from subscriptions.policies import Terms
from subscriptions.representation import SHAPES, WELL, Standing, body
from subscriptions.subscription import Subscription
from subscriptions.told import Wire, told, wire
from tenancy.audit import Deed
from tenancy.guard import principal_of, scope_of
from tenancy.permissions import Action, Resource


class Subscriptions(ViewSet):
    """Subscriptions, on one root of the API."""

    http_method_names = ["get", "head", "post", "put", "delete"]
    flavour: Representation = GATEWAY_V1
    resource: ClassVar[Resource] = Resource.SUBSCRIPTION

    def list(self, request: Request) -> HttpResponse:
        """The page that was asked for of the caller's."""
        version = negotiated(request, self.flavour)
        wanted = asked(
            request._request, scope_of(request, self), SHAPES[self.flavour.name], self.flavour.page
        )
        shown, more = self._book(request).page(wanted.page, wanted.where)
        if more:
            last = shown[-1].id
            version["Link"] = pages.next_link(request._request, wanted.page, last, wanted.binding)
        known = book.standings(one.id for one in shown)
        objects = [self._encoded(one, known[one.id], wanted.selector) for one in shown]
        return conditional.answer(request._request, self.flavour.join(objects), version)

    def retrieve(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """One of them."""
        version = negotiated(request, self.flavour)
        chosen = selector(dict(request._request.GET.lists()), SHAPES[self.flavour.name])
        found = self._book(request).get(id)
        content = self._encoded(found, _standing(found), chosen)
        return conditional.answer(request._request, content, version)

    def create(self, request: Request) -> HttpResponse:
        """A new one; its secret is shown this once."""
        version = negotiated(request, self.flavour)
        pages.no_parameters(request._request)
        terms = Terms.of(principal_of(request).tenant)
        wanted = draft(request.data, self.flavour, terms.policy)
        root = pages.root(request._request) + request.path.removesuffix("/subscriptions")
        book.must_be_the_callers(request._request, wanted.callback)
        made = self._book(request).add(
            wanted, terms, root, lambda one: self._tell(request, 201, one, after=wire(one))
        )
        shown = {**_wire(made.subscription, WELL), "secret": made.secret}
        headers = {"Location": f"{root}/subscriptions/{made.subscription.id}", "Cache-Control": "no-store"}
        if made.checked:
            headers["X-Callback-Check"] = made.checked
        return _answer(201, orjson.dumps(shown), version | headers)

    def update(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """It becomes what the body says."""
        was = self._met(request, id)
        current = _wire(was, _standing(was))
        terms = Terms.of(was.tenant)
        wanted = draft(request.data, self.flavour, terms.policy, current)
        book.must_be_the_callers(request._request, wanted.callback)
        new = self._book(request).change(
            was, wanted, terms, lambda one: self._tell(request, 200, one, before=wire(was), after=wire(one))
        )
        return self._shown(new)

    def destroy(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """It ends: nothing is sent any more."""
        found = self._met(request, id)
        status = 204 if self.flavour.envelope else 200  # 200 by O-RAN.WG6.O2IMS-INTERFACE 3.2
        self._book(request).end(found, lambda: self._tell(request, status, found, before=wire(found)))
        return conditional.without_content(status, negotiated(request, self.flavour))

    def test(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """A notification of nothing is sent."""
        found = self._met(request, id, either=True)
        sequence = endpoint.send_test(found.id, lambda n: self._tell(request, 202, found, after={"test": n}))
        return _answer(202, orjson.dumps({"sequence": sequence}), {})

    def rotate_secret(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """A new secret, shown this once; the old one signs too for 24 hours."""
        was = self._met(request, id, either=True)
        after = {"secret": "rotated"}
        new, secret = self._book(request).rotate(was, lambda: self._tell(request, 200, was, after=after))
        content = {"subscriptionId": new.id, "secret": secret, "overlapEnds": new.overlap_ends}
        return _answer(200, orjson.dumps(content), {"Cache-Control": "no-store"})

    def resume(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """What waits is tried at once."""
        found = self._met(request, id, either=True)
        endpoint.resume(found.id, lambda: self._tell(request, 200, found, after={"state": "healthy"}))
        return self._shown(found)

    def replay(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """Deliveries that have ended are sent once more."""
        found = self._met(request, id, either=True)
        rows = again.chosen(found.id, replayed(request.data))
        count = endpoint.replay(
            found.id, rows, lambda n: self._tell(request, 202, found, after={"replayed": n})
        )
        return _answer(202, orjson.dumps({"deliveries": count}), {})

    def describe(self, path: str, method: str) -> dict[str, Any]:
        """The OpenAPI operation of `method` on `path`."""
        return openapi.describe(self.flavour, path, method)

    def _met(self, request: Request, id_: str, *, either: bool = False) -> Subscription:
        """The one that is meant, in the state that `If-Match` names."""
        pages.no_parameters(request._request)
        found = self._book(request).get(id_, either=either)
        conditional.must_match(request._request, orjson.dumps(_wire(found, _standing(found))))
        return found

    def _book(self, request: Request) -> Book:
        return Book(principal_of(request), scope_of(request, self), self.flavour)

    @staticmethod
    def _encoded(subscription: Subscription, standing: Standing, chosen: Selector | None) -> bytes:
        shown = _wire(subscription, standing)
        return orjson.dumps(chosen.apply(shown) if chosen else shown)

    @staticmethod
    def _shown(subscription: Subscription) -> HttpResponse:
        content = orjson.dumps(_wire(subscription, _standing(subscription)))
        return _answer(200, content, {"ETag": conditional.etag(content)})

    @staticmethod
    def _tell(
        request: Request,
        status: int,
        one: Subscription,
        *,
        before: Wire | None = None,
        after: Wire | None = None,
    ) -> None:
        deed = Deed.of(request._request)
        action = {"DELETE": Action.DELETE}.get(str(request.method), Action.UPDATE)
        action = Action.CREATE if status == 201 else action
        deed.tell(told(deed, action, one, status=status, before=before, after=after))


def _wire(subscription: Subscription, standing: Standing) -> Wire:
    return on_the_wire(SHAPES[subscription.flavour], body(subscription, standing))


def _standing(subscription: Subscription) -> Standing:
    return book.standings([subscription.id])[subscription.id]


def _answer(status: int, content: bytes, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)
