"""Which attributes an answer holds (SOL013 5.3): `all_fields`, `fields`, `exclude_fields`, `exclude_default`.

| Asked | Left out |
|---|---|
| nothing, or `exclude_default` | what the representation leaves out by default |
| `all_fields` | nothing |
| `fields` | complex attributes that are optional, and what is left out by default, unless they are named |
| `exclude_fields` | the named |

Required simple attributes are never left out. A path below an attribute
(`fields=extensions/k8s.instanceType`) is a projection: of that attribute, only this (and the required simple
parts beside it).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from o2ims.query.error import QueryError, shown
from o2ims.query.path import parse_path
from o2ims.representations.attribute import Attribute, Shape

MAX_BYTES = 4096
MAX_NAMES = 100

Wanted: TypeAlias = dict[str, "Wanted"]
"""Paths as a tree of names; an empty tree means all of it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What is kept of an object: of each name, all (True), nothing (False) or a part; `rest` is for names not
    in `named`.
    """

    rest: bool
    named: dict[str, "_Pick"]

    def of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.of(element) for element in value]
        if not isinstance(value, dict):
            return value
        picked = {}
        for name, inner in value.items():
            pick = self.named.get(name, self.rest)
            if pick is not False:
                picked[name] = inner if pick is True else pick.of(inner)
        return picked

    def plan(self) -> list[Any]:
        return [
            self.rest,
            {name: pick if isinstance(pick, bool) else pick.plan() for name, pick in self.named.items()},
        ]


_Pick: TypeAlias = bool | _Part


@dataclass(frozen=True, slots=True)
class Selector:
    """`apply(wire)` gives what is asked of an object whose names are as on the wire; the object itself stays
    as it is.

    `plain`: the answer is the default one, so that bytes already made for it can be sent; `key` is '' then.
    Otherwise two selectors have the same `key` if and only if they leave out the same.
    """

    plain: bool
    key: str
    _part: _Part = field(repr=False)

    def apply(self, wire: dict[str, Any]) -> dict[str, Any]:
        """A new object with what is asked for."""
        picked: dict[str, Any] = self._part.of(wire)
        return picked


def parse_selector(
    *,
    all_fields: str | None,
    fields: Sequence[str],
    exclude_fields: Sequence[str],
    exclude_default: str | None,
    shape: Shape,
) -> Selector:
    """The selector that these query parameters ask for; None, or an empty list, is a parameter that was not
    sent. Raises `QueryError`.
    """
    everything = _flag("all_fields", all_fields)
    _flag("exclude_default", exclude_default)
    if everything and (fields or exclude_fields or exclude_default is not None):
        raise QueryError("all_fields", "it goes with no other selector")
    if exclude_fields and fields:
        raise QueryError("exclude_fields", "it does not go with fields")
    if exclude_fields and exclude_default is not None:
        raise QueryError("exclude_fields", "it does not go with exclude_default")
    default = _part(shape, _by_default)
    part = default
    if everything:
        part = _Part(rest=True, named={})
    elif fields:
        part = _with(shape, _wanted("fields", fields, shape), nested=False)
    elif exclude_fields:
        part = _without(shape, _wanted("exclude_fields", exclude_fields, shape))
    if part == default:
        return Selector(plain=True, key="", _part=part)
    return Selector(plain=False, key=json.dumps(part.plan(), sort_keys=True), _part=part)


def _flag(parameter: str, value: str | None) -> bool:
    if value is not None and value.lower() not in {"", "true"}:
        raise QueryError(parameter, f"it takes no value; there is {shown(value)}")
    return value is not None


def _wanted(parameter: str, texts: Sequence[str], shape: Shape) -> Wanted:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > MAX_BYTES:
        raise QueryError(parameter, f"{size} bytes are more than the {MAX_BYTES} allowed")
    wanted: Wanted = {}
    whole: set[tuple[str, ...]] = set()
    paths = [(name, position) for text in texts for name, position in _names(parameter, text)]
    if len(paths) > MAX_NAMES:
        raise QueryError(parameter, f"there are more than {MAX_NAMES} names")
    for text, position in paths:
        names = parse_path(text, shape, parameter=parameter, position=position).names
        if text == "@key" or text.endswith("/@key"):
            raise QueryError(parameter, f"{shown(text)} at {position}: @key belongs into filters")
        _add(wanted, names, whole)
    return wanted


def _add(wanted: Wanted, names: tuple[str, ...], whole: set[tuple[str, ...]]) -> None:
    """Put a path into the tree, unless all of something above it is there already."""
    tree = wanted
    for length, name in enumerate(names, start=1):
        if names[:length] in whole:
            return
        tree = tree.setdefault(name, {})
    whole.add(names)
    tree.clear()


def _names(parameter: str, text: str) -> list[tuple[str, int]]:
    """The names of a comma list, with or without parentheses around it, and where each begins, from 1."""
    inner = text.strip()
    begin = text.find(inner) + 1
    if inner.startswith("(") != inner.endswith(")") or inner == "(":
        raise QueryError(parameter, f"there is a parenthesis without its other half in {shown(inner)}")
    if inner.startswith("("):
        inner = inner[1:-1]
        begin += 1
    found = []
    for part in inner.split(","):
        name = part.strip()
        if not name:
            raise QueryError(parameter, f"a name is missing at {begin}")
        found.append((name, begin + part.find(name)))
        begin += len(part) + 1
    return found


def _stays(attribute: Attribute) -> bool:
    return attribute.required and not attribute.complex


def _by_default(attribute: Attribute) -> _Pick:
    if attribute.default_excluded and not _stays(attribute):
        return False
    if attribute.type != "object":
        return True
    return _or_all(_part(attribute.parts, _by_default))


def _part(shape: Shape, pick: Callable[[Attribute], _Pick]) -> _Part:
    named: dict[str, _Pick] = {each.name: picked for each in shape if (picked := pick(each)) is not True}
    return _Part(rest=True, named=named)


def _or_all(part: _Part) -> _Pick:
    return part if part.named or not part.rest else True


def _with(shape: Shape, wanted: Wanted, *, nested: bool) -> _Part:
    def pick(attribute: Attribute) -> _Pick:
        below = wanted.get(attribute.name)
        if below is None:
            optional = attribute.complex and not attribute.required
            return _stays(attribute) if nested or optional else _by_default(attribute)
        if not below:
            return True
        if attribute.type == "map":
            return _free(below, rest=False)
        return _or_all(_with(attribute.parts, below, nested=True))

    return _part(shape, pick)


def _without(shape: Shape, wanted: Wanted) -> _Part:
    def pick(attribute: Attribute) -> _Pick:
        below = wanted.get(attribute.name)
        if below is None:
            return True
        if not below:
            return _stays(attribute)
        if attribute.type == "map":
            return _free(below, rest=True)
        return _or_all(_without(attribute.parts, below))

    return _part(shape, pick)


def _free(wanted: Wanted, *, rest: bool) -> _Part:
    """Below a free-form map: with `rest`, all but the wanted; without, only the wanted."""
    named: dict[str, _Pick] = {
        name: _free(below, rest=rest) if below else not rest for name, below in wanted.items()
    }
    return _Part(rest=rest, named=named)
