"""Whether one value of a body is what a term asks for: equality, order, containment.

Only the positive question is asked here; `neq`, `nin` and `ncont` are its negation (`predicate.py`). A test
takes any JSON value. Of a list any element will do; an object or null is never equal, greater or containing.
"""

import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from o2ims.representations.attribute import Type

Test: TypeAlias = Callable[[Any], bool]
Instant: TypeAlias = tuple[int, str]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NUMERIC = (int, float)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class IncomparableError(ValueError):
    """The attribute's type has no such order, or the text is not of that type. The message says which."""


def equality(values: Sequence[str], value_type: Type | None) -> Test:
    """Whether a value equals one of `values`. `value_type` is what the schema says; None inside a free-form
    map.
    """
    if value_type == "uuid":
        return _same_uuid(values)
    if value_type == "date-time":
        return _same_instant(values)
    texts, first = frozenset(values), values[0]
    single = len(texts) == 1
    numbers = frozenset(found for text in values if (found := number(text)) is not None)

    def same(value: Any) -> bool:
        if isinstance(value, str):
            return value == first if single else value in texts
        if isinstance(value, bool):
            return ("true" if value else "false") in texts
        if isinstance(value, _NUMERIC):
            return value in numbers
        return isinstance(value, list) and any(map(same, value))

    return same


def _same_uuid(values: Sequence[str]) -> Test:
    folded = frozenset(text.lower() for text in values)

    def same(value: Any) -> bool:
        if isinstance(value, str):
            return value.lower() in folded
        return isinstance(value, list) and any(map(same, value))

    return same


def _same_instant(values: Sequence[str]) -> Test:
    texts = frozenset(values)
    instants = frozenset(found for text in values if (found := instant(text)) is not None)

    def same(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts or (bool(instants) and instant(value) in instants)
        return isinstance(value, list) and any(map(same, value))

    return same


def order(name: str, text: str, value_type: Type | None) -> Test:
    """Whether a value is greater (or less) than `text`: as numbers or instants when both are, else as texts.

    A JSON number is never greater or less than a text that is no number. Raises `IncomparableError`.
    """
    compare = _ORDERS[name]
    limit, moment = number(text), instant(text)
    if value_type == "boolean":
        raise IncomparableError("true and false have no order")
    if value_type in {"integer", "number"} and limit is None:
        raise IncomparableError("a number is needed")

    def ordered(value: Any) -> bool:
        if isinstance(value, _NUMERIC):
            return limit is not None and not isinstance(value, bool) and compare(value, limit)
        if isinstance(value, list):
            return any(map(ordered, value))
        if not isinstance(value, str):
            return False
        if moment is not None and (other := instant(value)) is not None:
            return compare(other, moment)
        if limit is not None and (quantity := number(value)) is not None:
            return compare(quantity, limit)
        return compare(value, text)

    return ordered


def containment(values: Sequence[str]) -> Test:
    """Whether a text contains one of `values`."""
    texts, first = tuple(values), values[0]
    single = len(texts) == 1

    def contains(value: Any) -> bool:
        if isinstance(value, str):
            return first in value if single else any(text in value for text in texts)
        return isinstance(value, list) and any(map(contains, value))

    return contains


def number(text: str) -> int | float | None:
    """The number that `text` is as in JSON (leading zeros allowed), or None."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    if found.group(1) or found.group(2):
        return float(text)
    # Python refuses to read more than 4,300 digits; a filter has no room for that many, a body may.
    return int(text) if len(text) <= 4096 else float(text)


def instant(text: str) -> Instant | None:
    """The moment that `text` is (RFC 3339 5.6, any number of digits after the second), as something with an
    order, or None.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{'+00:00' if offset in {'Z', 'z'} else offset}")
        since = moment - _EPOCH
    except (ValueError, OverflowError):  # 30 February, second 60, an offset of 25 hours
        return None
    return since.days * 86400 + since.seconds, (fraction or "").rstrip("0")
