"""What a subscription on the O-RAN root does not want to hear of: its `filter` (O-RAN.WG6.O2IMS-INTERFACE
3.3.4), whose direction is the opposite of a list's.

    exclusion   = alternative *( "|" alternative )          ; OR
    alternative = filter / "[" filter "]"                   ; AND, as in o2ims/query/filter.py

A filter's terms are over the attributes of the objects, and over two of the notification: `objectType`
(`ResourceInfo` and its kin) and `notificationEventType` (0, 1, 2 or CREATE, MODIFY, DELETE).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.types import Kind
from o2ims.query import QueryError, parse_filter
from o2ims.query.error import shown
from o2ims.query.filter import MAX_BYTES, MAX_TERMS
from o2ims.representations.attribute import Attribute, Shape

OBJECT_TYPES: Mapping[str, Kind | None] = {
    "ResourceTypeInfo": Kind.RESOURCE_TYPE,
    "ResourcePoolInfo": Kind.RESOURCE_POOL,
    "ResourceInfo": Kind.RESOURCE,
    "DeploymentManagerInfo": Kind.DEPLOYMENT_MANAGER,
    "CloudInfo": None,  # may be named; the O-Cloud itself never changes
}
EVENT_TYPES: Mapping[str, int] = {"CREATE": 0, "MODIFY": 1, "DELETE": 2}

Body: TypeAlias = Mapping[str, Any]
Holds: TypeAlias = Callable[[Body], bool]

_PARAMETER = "filter"
_OF_NOTIFICATION: Shape = (
    Attribute(name="objectType", key="object"),
    Attribute(name="notificationEventType", key="event"),
)
_ABOUT_NOTIFICATION = re.compile(r"\(\s*\w+\s*,\s*(?:objectType|notificationEventType)\s*[,/]")
_OPERATORS = frozenset({"eq", "neq", "in", "nin"})
_ALLOWED = {
    "object": frozenset(OBJECT_TYPES),
    "event": frozenset({*EVENT_TYPES, *map(str, EVENT_TYPES.values())}),
}
_WIRE = {kind: name for name, kind in OBJECT_TYPES.items() if kind is not None}


@dataclass(frozen=True, slots=True)
class _Alternative:
    """`of` says whether it is about a notification at all; `by_kind`, whether about a body. A kind that is
    not there lacks one of the attributes."""

    of: Holds
    by_kind: Mapping[str, Holds]

    def hits(self, about: Body, kind: str, body: Body) -> bool:
        holds = self.by_kind.get(kind)
        return holds is not None and self.of(about) and holds(body)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One parsed filter. Two are equal if they are the same text over the same attributes."""

    text: str
    attributes: frozenset[tuple[str, str, str]]
    alternatives: tuple[_Alternative, ...] = field(compare=False, repr=False)

    def excludes(self, kind: str, event: str, before: Body | None, after: Body | None) -> bool:
        """Whether a change is not to be told of. `kind` is a `Kind`, `event` CREATE, MODIFY or DELETE; of
        `before` and `after`, stored bodies, each that there is must be hit (by any alternative)."""
        about = {"object": _WIRE.get(Kind(kind)), "event": [event, str(EVENT_TYPES[event])]}
        return all(
            any(each.hits(about, kind, state) for each in self.alternatives)
            for state in (before, after)
            if state is not None
        )


def parse_exclusion(text: str, shapes: Mapping[Kind, Shape]) -> Exclusion:
    """The exclusion that `text` is, over objects of these shapes; raises `QueryError`.

    Bounds are those of a filter, over all alternatives: 4 KiB, 32 terms. An attribute that some kinds lack
    makes its alternative one about the others; one that all lack is an error.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise QueryError(_PARAMETER, f"{size} bytes are more than the {MAX_BYTES} allowed")
    terms = 0
    alternatives = []
    for begin, end in _split(text, "|", 0, len(text)):
        places = list(_terms(text, *_unwrapped(text, begin, end)))
        terms += len(places)
        if terms > MAX_TERMS:
            raise QueryError(_PARAMETER, f"there are more than {MAX_TERMS} terms")
        alternatives.append(_alternative(text, places, shapes))
    attributes = frozenset(
        (str(kind), attribute.name, attribute.key) for kind, shape in shapes.items() for attribute in shape
    )
    return Exclusion(text, attributes, tuple(alternatives))


Place: TypeAlias = tuple[int, int]


def _split(text: str, separator: str, begin: int, end: int) -> Iterator[Place]:
    """The places between separators that stand outside of terms."""
    inside = quoted = False
    start = begin
    for at in range(begin, end):
        character = text[at]
        if inside and character == "'":
            quoted = not quoted  # '' inside a quote closes and opens it again
        elif not quoted and character in "()":
            inside = character == "("
        elif not inside and character == separator:
            yield start, at
            start = at + 1
    yield start, end


def _unwrapped(text: str, begin: int, end: int) -> Place:
    """The place of what is inside an alternative's brackets, if it has any."""
    begin, end = _trimmed(text, begin, end)
    if begin == end:
        raise QueryError(_PARAMETER, f"an alternative is missing at {begin + 1}")
    opened, closed = text[begin] == "[", text[end - 1] == "]"
    if opened != closed or (opened and end - begin < 2):
        raise QueryError(_PARAMETER, f"a bracket has no partner in the alternative at {begin + 1}")
    return (begin + 1, end - 1) if opened else (begin, end)


def _terms(text: str, begin: int, end: int) -> Iterator[Place]:
    """The places of an alternative's terms; one ';' may follow the last."""
    places = [_trimmed(text, *place) for place in _split(text, ";", begin, end)]
    if len(places) > 1 and places[-1][0] == places[-1][1]:
        places.pop()
    for place in places:
        if place[0] == place[1]:
            raise QueryError(_PARAMETER, f"a term is missing at {place[0] + 1}")
        yield place


def _trimmed(text: str, begin: int, end: int) -> Place:
    while begin < end and text[begin].isspace():
        begin += 1
    while begin < end and text[end - 1].isspace():
        end -= 1
    return begin, end


def _alternative(text: str, places: list[Place], shapes: Mapping[Kind, Shape]) -> _Alternative:
    about = [place for place in places if _ABOUT_NOTIFICATION.match(text, place[0])]
    others = [place for place in places if place not in about]
    possible = dict(shapes)
    for place in others:
        possible = _having(text, place, shapes, possible)
    return _Alternative(
        _of_notification(text, about),
        {str(kind): _holds(text, others, shape) for kind, shape in possible.items()},
    )


def _having(
    text: str, place: Place, shapes: Mapping[Kind, Shape], possible: Mapping[Kind, Shape]
) -> dict[Kind, Shape]:
    """Those of the possible kinds that the term at `place` can be about; `QueryError` if no kind at all."""
    errors: dict[Kind, QueryError] = {}
    for kind, shape in shapes.items():
        try:
            _holds(text, [place], shape)
        except QueryError as error:
            errors[kind] = error
    if len(errors) == len(shapes):
        raise max(errors.values(), key=lambda error: not error.detail.startswith("there is no attribute"))
    return {kind: shape for kind, shape in possible.items() if kind not in errors}


def _of_notification(text: str, places: list[Place]) -> Holds:
    if not places:
        return _anything
    found = parse_filter(_only(text, places), _OF_NOTIFICATION)
    for term in found.terms:
        if term.operator not in _OPERATORS:
            raise QueryError(
                _PARAMETER,
                f"{term.operator} at {term.position} does not go with {term.path.text}",
            )
        allowed = _ALLOWED[str(term.path.steps[0].key)]
        for value in term.values:
            if value not in allowed:
                raise QueryError(
                    _PARAMETER,
                    f"{shown(value)} at {term.position} is none of {', '.join(sorted(allowed))}",
                )
    return found.matches


def _holds(text: str, places: list[Place], shape: Shape) -> Holds:
    return parse_filter(_only(text, places), shape).matches if places else _anything


def _only(text: str, places: list[Place]) -> str:
    """The terms at these places and blanks around them: what is said of positions stays true."""
    pieces: list[str] = []
    at = 0
    for begin, end in places:
        pieces += [" " * (begin - at), text[begin:end]]
        at = end
        if end != places[-1][1]:
            pieces.append(";")
            at += 1
    return "".join(pieces)


def _anything(_: Body) -> bool:
    return True
