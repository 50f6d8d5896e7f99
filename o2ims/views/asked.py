"""What a list was asked for: its page, its filter, its attributes. All of it is checked before anything is
looked up."""

from dataclasses import dataclass

from django.http import HttpRequest

from api import pages
from o2ims.query import Filter, Selector, parse_filter, parse_selector
from o2ims.query.error import QueryError
from o2ims.representations.attribute import Shape
from tenancy.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Asked:
    """`selector` is None where the default answer is wanted; `binding` is what markers are bound to."""

    page: pages.PageRequest
    where: Filter | None
    selector: Selector | None
    binding: str


def asked(request: HttpRequest, scope: TenantScope, shape: Shape, default: int) -> Asked:
    """What the query of `request` asks of a list of `shape`. Raises `QueryError` or `PageError`."""
    binding = "*" if scope.tenant is None else scope.tenant
    page = pages.requested(request, binding, default)
    filters = page.query.get("filter")
    where = parse_filter(filters, shape) if filters is not None else None
    chosen = selector(page.query, shape)
    return Asked(page, where, None if chosen and chosen.plain else chosen, binding)


def selector(query: pages.Query, shape: Shape) -> Selector | None:
    """The attributes a query selects, or None where it does not say. Raises `QueryError`."""
    if not query.keys() & {"all_fields", "fields", "exclude_fields", "exclude_default"}:
        return None
    return parse_selector(
        all_fields=_once(query, "all_fields"),
        fields=query.get("fields", []),
        exclude_fields=query.get("exclude_fields", []),
        exclude_default=_once(query, "exclude_default"),
        shape=shape,
    )


def _once(query: pages.Query, name: str) -> str | None:
    values = query.get(name)
    if values is not None and len(values) > 1:
        raise QueryError(name, "may be given once")
    return None if values is None else values[0]


def flag(request: HttpRequest, name: str) -> bool:
    """A parameter that is `true` or `false`, and false where it is absent. Raises `QueryError`."""
    values = request.GET.getlist(name)
    if values in ([], ["false"]):
        return False
    if values == ["true"]:
        return True
    raise QueryError(name, "must be true or false, once")
