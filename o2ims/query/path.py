"""A path to an attribute (`extensions/k8s.instanceType`): its text, and the place in a body that it means
(SOL013 5.2.2).

Names are separated by `/`. `~0 ~1 ~a ~b` in a name are `~ / , @`, decoded in one pass from left to right;
`@key` stands for the key of a map. An attribute of the shape comes first; what follows is free below a `map`,
and one of the `parts` below an `object`.
"""

import re
from dataclasses import dataclass

from o2ims.query.error import QueryError, shown
from o2ims.representations.attribute import Attribute, Shape

MAX_BELOW = 4
"""How many names may follow the attribute."""

_ESCAPES = {"~0": "~", "~1": "/", "~a": ",", "~b": "@"}
_ESCAPE = re.compile(r"~.?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path, and the key of the body that it means; None for `@key`, which means any key."""

    name: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Path:
    """A path that exists in a shape. `attribute` is the one it ends at; None inside a free-form map."""

    text: str
    steps: tuple[Step, ...]
    attribute: Attribute | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the wire, decoded."""
        return tuple(step.name for step in self.steps)


def parse_path(text: str, shape: Shape, *, parameter: str, position: int) -> Path:
    """Find `text` in `shape`. `position` is where it begins in the parameter's value, counted from 1."""
    parts = text.split("/")
    if len(parts) > MAX_BELOW + 1:
        raise QueryError(
            parameter, f"{shown(text)} at {position} has more than {MAX_BELOW} names below its attribute"
        )
    names: list[tuple[str, bool]] = []
    for part in parts:
        names.append(_name(part, text, parameter=parameter, position=position))
        position += len(part) + 1
    return _resolve(names, text, shape, parameter=parameter)


def _name(part: str, text: str, *, parameter: str, position: int) -> tuple[str, bool]:
    """The decoded name, and whether it is `@key` (`~bkey` is a name that begins with an @)."""
    if part == "@key":
        return part, True
    if not part:
        raise QueryError(parameter, f"a name is missing in {shown(text)} at {position}")
    if "@" in part:
        raise QueryError(parameter, f"{shown(part)} at {position} holds @, which is written ~b in a name")
    for found in _ESCAPE.finditer(part):
        if found.group() not in _ESCAPES:
            where = position + found.start()
            raise QueryError(
                parameter, f"{shown(found.group())} at {where} is none of the escapes ~0 ~1 ~a ~b"
            )
    return _ESCAPE.sub(lambda found: _ESCAPES[found.group()], part), False


def _resolve(names: list[tuple[str, bool]], text: str, shape: Shape, *, parameter: str) -> Path:
    steps: list[Step] = []
    attribute: Attribute | None = None
    free = False
    within = shape
    for index, (name, is_key) in enumerate(names):
        if is_key and (not free or index + 1 < len(names)):
            raise QueryError(
                parameter, f"in {shown(text)}, @key may stand only for the key of a map, at the end"
            )
        if free:
            steps.append(Step(name, None if is_key else name))
            attribute = None
            continue
        if attribute is not None and attribute.type != "object":
            raise QueryError(
                parameter, f"in {shown(text)}, nothing is below {shown(attribute.name)}: it is no object"
            )
        attribute = next((each for each in within if each.name == name), None)
        if attribute is None:
            raise QueryError(
                parameter, f"there is no attribute {shown(name)}" + (f" in {shown(text)}" if steps else "")
            )
        steps.append(Step(name, attribute.key))
        free = attribute.type == "map"
        within = attribute.parts
    return Path(text, tuple(steps), attribute)
