"""What the views that change something share: who asks, what must still be so, and the answers."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from adapters.types import Kind
from api import conditional, pages, requests
from o2ims import operations
from o2ims.inventory import Inventory, NotThere
from o2ims.operations import Caller, Outcome
from o2ims.query.error import QueryError
from o2ims.representations.representation import Representation
from o2ims.views.asked import flag
from o2ims.writes import Writes
from tenancy.audit import Deed
from tenancy.guard import permit, principal_of, scope_of
from tenancy.permissions import Action, Resource

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


def writes(request: Request, view: APIView) -> Writes:
    """The changes that the caller of `request` may make. Raises `QueryError` for a key that is none."""
    return Writes(_caller(request), scope_of(request, view))


def precondition(
    request: Request, view: APIView, flavour: Representation, kind: Kind, id_: str
) -> Mapping[str, Any]:
    """The object on the wire as it is now. Raises `conditional.Changed` where `If-Match` names another
    state of it. A repeat with the same key is asked nothing: what it met has become what it did; raises
    `UnderWay` where the object is gone before that is known."""
    earlier = operations.known(_caller(request))
    try:
        entry = Inventory(scope_of(request, view)).get(kind, id_)
    except NotThere:
        if earlier is None:
            raise
        if earlier.state == operations.State.STARTED:  # what it met is not known
            raise operations.UnderWay from None
        return flavour.wire(kind, earlier.answer) if earlier.answer else {}
    if earlier is None:
        conditional.must_match(request._request, flavour.full(entry))
    return flavour.wire(kind, entry.body)


def _caller(request: Request) -> Caller:
    key = request.headers.get("Idempotency-Key", "")
    if key and not _KEY.match(key):
        raise QueryError("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    facts, principal = requests.facts(request._request), principal_of(request)
    return Caller(
        name=principal.name,
        tenant=principal.tenant,
        request_id=facts["request_id"],
        traceparent=facts["traceparent"],
        idempotency_key=key,
        deed=Deed.of(request._request),
    )


def cascade(request: Request) -> bool:
    """Whether what is in a pool goes with it: then the caller needs to be allowed that too. Raises
    `QueryError`."""
    return flag(request._request, "cascade") and permit(
        principal_of(request), Resource.RESOURCE, Action.DELETE
    )


def created(request: Request, flavour: Representation, kind: Kind, outcome: Outcome) -> HttpResponse:
    """201 with the new object and where it is."""
    wire = flavour.wire(kind, outcome.body or {})
    location = f"{pages.root(request._request)}{request.path}/{next(iter(wire.values()))}"
    return _answer(201, orjson.dumps(wire), {"Location": location})


def changed(request: Request, flavour: Representation, kind: Kind, outcome: Outcome) -> HttpResponse:  # noqa: ARG001
    """200 with the object as it is now."""
    return _answer(200, orjson.dumps(flavour.wire(kind, outcome.body or {})), {})


def deleted(request: Request, flavour: Representation, kind: Kind, outcome: Outcome) -> HttpResponse:
    """204; or 202 with the object, where the backend has only begun."""
    if outcome.body is None:
        return conditional.without_content(204)
    return _answer(202, orjson.dumps(flavour.wire(kind, outcome.body)), {"Location": request.path})


def _answer(status: int, content: bytes, headers: Mapping[str, str]) -> HttpResponse:
    headers = {**headers, "ETag": conditional.etag(content)}
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)
