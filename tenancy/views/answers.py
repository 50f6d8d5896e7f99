"""What the views of the admin API answer: one object, a page of them, one that was made."""

import uuid
from collections.abc import Callable
from typing import Any

import orjson
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from api import conditional, pages
from tenancy.audit import Deed
from tenancy.guard import principal_of
from tenancy.permissions import Action
from tenancy.representation import Noun, Wire
from tenancy.told import told

PAGE = 100


def one(request: Request, noun: Noun, wire: Wire) -> HttpResponse:
    """200 with one object, or 304."""
    return conditional.answer(request._request, orjson.dumps(wire), {}, tagged=_tagged(noun, wire))


def tell(
    request: Request, row: Model, status: int, *, before: Wire | None = None, after: Wire | None = None
) -> None:
    """Has the trail tell what was made, changed or removed, in the transaction of that."""
    deed = Deed.of(request._request)
    deed.tell(told(deed, _ACTIONS[str(request.method)], row, before=before, after=after, status=status))


_ACTIONS = {"POST": Action.CREATE, "PUT": Action.UPDATE, "PATCH": Action.UPDATE, "DELETE": Action.DELETE}


def must_match(request: Request, noun: Noun, wire: Wire) -> None:
    """Raises `conditional.Unconditional` or `conditional.Changed` unless `If-Match` names the object as it
    is."""
    conditional.must_match(request._request, _tagged(noun, wire), needed=True)


def changed(noun: Noun, wire: Wire) -> HttpResponse:
    """200 with an object as it is now."""
    return _written(200, noun, wire, {}, {})


def created(request: Request, noun: Noun, wire: Wire, **once: str) -> HttpResponse:
    """201 with a new object and where it is; `once` is shown this once."""
    where = f"{pages.root(request._request)}{request.path}/{wire[next(iter(wire))]}"
    headers = {"Location": where, **({"Cache-Control": "no-store"} if once else {})}
    return _written(201, noun, wire, once, headers)


def page(request: Request, noun: Noun, rows: QuerySet[Any]) -> HttpResponse:
    """The page of `rows` that was asked for, in the order of ids. Raises `PageError`."""
    return selected(request, noun, lambda query: _narrowed(rows, noun, query))


def selected(
    request: Request,
    noun: Noun,
    select: Callable[[pages.Query], QuerySet[Any]],
    *,
    newest_first: bool = False,
) -> HttpResponse:
    """The page that was asked for of what `select` finds by the query, in the order of ids. Raises
    `PageError`."""
    binding = principal_of(request).tenant or "*"
    wanted = pages.requested(request._request, binding, PAGE)
    found = _cut(select(wanted.query), wanted, newest_first=newest_first)
    more, found = len(found) > wanted.limit, found[: wanted.limit]
    last = str(found[-1].pk) if more else ""
    headers = {"Link": pages.next_link(request._request, wanted, last, binding)} if more else {}
    wires = [noun.wire(row) for row in found]
    tagged = orjson.dumps([more, *(_tagged(noun, wire).decode() for wire in wires)])
    return conditional.answer(request._request, orjson.dumps({"items": wires}), headers, tagged=tagged)


def _cut(rows: QuerySet[Any], wanted: pages.PageRequest, *, newest_first: bool) -> list[Model]:
    """One more than the page holds; a page past the end is the last one."""
    rows, beyond = rows.order_by("-pk" if newest_first else "pk"), "pk__lt" if newest_first else "pk__gt"
    if wanted.after:
        rows = rows.filter(**{beyond: wanted.after})
    skip = (wanted.number - 1) * wanted.limit
    if skip:
        skip = min(skip, max(0, (rows.count() - 1) // wanted.limit * wanted.limit))
    return list(rows[skip : skip + wanted.limit + 1])


def _narrowed(rows: QuerySet[Any], noun: Noun, query: pages.Query) -> QuerySet[Any]:
    for name, values in query.items():
        if name == pages.LIMIT:
            continue
        if name not in noun.filters:
            known = ", ".join([*noun.filters, pages.LIMIT, pages.MARKER])
            raise pages.PageError(name, f"is not known here; there are {known}")
        if len(values) > 1 or not values[0].isprintable():
            raise pages.PageError(name, "must be given once, in printable characters")
        rows = rows.filter(**{noun.filters[name]: _value(name, values[0])})
    return rows


def _value(name: str, text: str) -> str:
    if name in {"userId", "roleId"}:
        try:
            return str(uuid.UUID(text))
        except ValueError as error:
            raise pages.PageError(name, "must be a UUID") from error
    return text


def _tagged(noun: Noun, wire: Wire) -> bytes:
    """What the ETag is made of."""
    return orjson.dumps({key: value for key, value in wire.items() if key not in noun.volatile})


def _written(status: int, noun: Noun, wire: Wire, once: Wire, headers: dict[str, str]) -> HttpResponse:
    headers = {**headers, "ETag": conditional.etag(_tagged(noun, wire))}
    content = orjson.dumps({**wire, **once})
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)
