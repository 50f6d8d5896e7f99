"""What several conditions on one body come to: a tree of places, compiled to closures.

Where a list is met on the way, any element will do, and the conditions below it must hold for the same
element (`(eq,elements/a,1);(eq,elements/b,2)`). Conditions on the elements themselves
(`(eq,tags,a);(eq,tags,b)`) may each find their own.

A negative condition (`neq`, `nin`, `ncont`) says that there is none such: it holds for what is absent or
null, and for a list if it holds for *every* element. Only beside a positive one below the same list does it
speak of that one's element.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from o2ims.query.comparison import Test

Holds: TypeAlias = Callable[[Any], bool]


class Condition(NamedTuple):
    """`test` (or with `negative` its contrary) of the value where `keys` lead; None, at the end, is any key
    of a map.
    """

    keys: tuple[str | None, ...]
    test: Test
    negative: bool


@dataclass(slots=True)
class _Node:
    """A place in the body, and what must hold there: of its value, of any of its keys, of what is below."""

    tests: list[tuple[Test, bool]] = field(default_factory=list)
    key_tests: list[tuple[Test, bool]] = field(default_factory=list)
    below: dict[str, "_Node"] = field(default_factory=dict)
    positive: bool = False


def predicate(conditions: Iterable[Condition]) -> Callable[[Mapping[str, Any]], bool]:
    """A function that says whether all `conditions` hold for a body (a dict of JSON values)."""
    root = _Node()
    for condition in conditions:
        _place(root, condition)
    steps = [(key, _holds(node)) for key, node in root.below.items()]
    if len(steps) == 1:
        [(only_key, only_holds)] = steps
        return lambda body: only_holds(body.get(only_key))

    def matches(body: Mapping[str, Any]) -> bool:
        for key, holds in steps:  # noqa: SIM110 - three times as fast as all() over a generator
            if not holds(body.get(key)):
                return False
        return True

    return matches


def _place(root: _Node, condition: Condition) -> None:
    node, tests = root, root.tests
    for key in condition.keys:
        if key is None:
            tests = node.key_tests
            break
        node = node.below.setdefault(key, _Node())
        node.positive |= not condition.negative
        tests = node.tests
    tests.append((condition.test, condition.negative))


def _holds(node: _Node) -> Holds:
    parts = [_negated(test) if negative else test for test, negative in node.tests]
    for test, negative in node.key_tests:
        parts.append(_negated(_any_key(test)) if negative else _any_key(test))
    if node.below:
        steps = [(key, _holds(child)) for key, child in node.below.items()]
        parts.append(_branch(steps, positive=any(child.positive for child in node.below.values())))
    if len(parts) == 1:
        return parts[0]
    return lambda value: all(part(value) for part in parts)


def _negated(test: Test) -> Holds:
    return lambda value: not test(value)


def _any_key(test: Test) -> Test:
    def some(value: Any) -> bool:
        if isinstance(value, list):
            return any(map(some, value))
        return isinstance(value, dict) and any(map(test, value))

    return some


def _branch(steps: Sequence[tuple[str, Holds]], *, positive: bool) -> Holds:
    over_elements: Callable[[Any], bool] = any if positive else all

    def several(value: Any) -> bool:
        if isinstance(value, dict):
            for key, holds in steps:  # noqa: SIM110 - as above
                if not holds(value.get(key)):
                    return False
            return True
        return over_elements(map(several, value)) if isinstance(value, list) else not positive

    if len(steps) > 1:
        return several
    [(only_key, only_holds)] = steps

    def one(value: Any) -> bool:
        if isinstance(value, dict):
            return only_holds(value.get(only_key))
        return over_elements(map(one, value)) if isinstance(value, list) else not positive

    return one
