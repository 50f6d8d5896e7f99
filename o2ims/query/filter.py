"""A filter (SOL013 5.2.2), such as `(eq,name,pool-1);(gt,extensions/mock.cpuCores,16)`.

    filter = simple *( ";" simple ) [ ";" ]                             ; AND
    simple = "(" ( eq | neq | gt | gte | lt | lte ) "," path "," value ")"
           / "(" ( in | nin | cont | ncont ) "," path "," value *( "," value ) ")"

A value is bare text or `'…'`, where `''` is one quote; blanks around terms, names and bare values are not
part of them. What a path is: `o2ims/query/path.py`; what a comparison means: `comparison.py`; lists and what
is absent: `predicate.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from o2ims.query.comparison import IncomparableError, Test, containment, equality, number, order
from o2ims.query.error import QueryError, shown
from o2ims.query.path import Path, parse_path
from o2ims.query.predicate import Condition, predicate
from o2ims.representations.attribute import Shape

MAX_BYTES = 4096
MAX_TERMS = 32
MAX_VALUES = 100
_PARAMETER = "filter"
_NEGATIVE = frozenset({"neq", "nin", "ncont"})
_SEVERAL = frozenset({"in", "nin", "cont", "ncont"})
_OPERATORS = frozenset({"eq", "neq", "gt", "gte", "lt", "lte"}) | _SEVERAL
_INDEXABLE = frozenset({"string", "uuid", "uri"})
_NOT_PINNED = frozenset({"id", "pool_id", "o_cloud_id"})  # the last is the same for all objects of a source

_BLANK = re.compile(r"\s*")
_WORD = re.compile(r"[^,)(;]*")
_UP_TO_END = re.compile(r"[^,)]*")
_BARE = re.compile(r"[^,)']*")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. `path` may end at a free-form place; `position` is where the term begins, from 1."""

    operator: str
    path: Path
    values: tuple[str, ...]
    position: int

    @property
    def negative(self) -> bool:
        """Whether it matches what is absent."""
        return self.operator in _NEGATIVE


class Pinned(NamedTuple):
    """`body[first][second]` (or `body[first]`, where `second` is ''), if it is neither a list nor an object,
    must be in `wanted`; absent counts as None."""

    first: str
    second: str
    wanted: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """`matches(body)` says whether a stored body (snake_case, plain JSON) is asked for.

    `equals` is for callers with an index: top-level keys of the body whose value must be one of these texts
    (ids of type uuid in lower case). It is implied by `matches`, never more than it; an empty set means that
    nothing matches. `pinned` is for callers that search many bodies: where it says no, `matches` would too.
    """

    terms: tuple[Term, ...]
    matches: Callable[[Mapping[str, Any]], bool]
    equals: Mapping[str, frozenset[str]]
    pinned: "Pinned | None"


def parse_filter(text: str | Sequence[str], shape: Shape) -> Filter:
    """The filter that `text` is, for objects of `shape`; several texts (a repeated parameter) are joined by
    AND. Raises `QueryError`.
    """
    texts = (text,) if isinstance(text, str) else tuple(text)
    size = sum(len(each.encode("utf-8", "surrogatepass")) for each in texts)
    if size > MAX_BYTES:
        raise QueryError(_PARAMETER, f"{size} bytes are more than the {MAX_BYTES} allowed")
    terms: list[Term] = []
    values = 0
    for each in texts:
        scanner = _Scanner(each, shape)
        while (term := scanner.term()) is not None:
            terms.append(term)
            values += len(term.values)
            if len(terms) > MAX_TERMS:
                raise QueryError(_PARAMETER, f"there are more than {MAX_TERMS} terms")
            if values > MAX_VALUES:
                raise QueryError(_PARAMETER, f"there are more than {MAX_VALUES} values")
    equals = _equals(terms)
    matches = predicate(_condition(term) for term in terms)
    return Filter(tuple(terms), matches, equals, _pinned(terms) or _of_attribute(equals))


class _Scanner:
    """Reads the terms of one text from left to right; each character is looked at a bounded number of
    times.
    """

    def __init__(self, text: str, shape: Shape) -> None:
        self._text = text
        self._shape = shape
        self._at = 0
        self._begun = False

    def term(self) -> Term | None:
        """The next term, or None at the end."""
        self._blank()
        if self._begun and self._at < len(self._text):
            self._expect(";", "a term must be followed by ';'")
            self._blank()
        if self._begun and self._at == len(self._text):
            return None
        self._begun = True
        position = self._at + 1
        self._expect("(", "a term must begin with '('")
        operator = self._operator()
        path = self._path(operator)
        values = self._values(operator)
        return Term(operator, path, values, position)

    def _operator(self) -> str:
        position = self._at + 1
        operator = self._take(_WORD).strip()
        if operator not in _OPERATORS:
            raise QueryError(_PARAMETER, f"{shown(operator)} at {position} is no operator")
        self._expect(",", f"the operator {operator} must be followed by ',' and an attribute")
        return operator

    def _path(self, operator: str) -> Path:
        self._blank()
        position = self._at + 1
        path = parse_path(
            self._take(_UP_TO_END).rstrip(), self._shape, parameter=_PARAMETER, position=position
        )
        attribute = path.attribute
        if attribute is not None and attribute.type in {"object", "map"}:
            raise QueryError(
                _PARAMETER, f"{shown(path.text)} at {position} is an object: name an attribute inside it"
            )
        self._expect(",", f"the attribute must be followed by ',' and a value to compare with ({operator})")
        return path

    def _values(self, operator: str) -> tuple[str, ...]:
        values = [self._value()]
        while self._text.startswith(",", self._at):
            if operator not in _SEVERAL:
                raise QueryError(
                    _PARAMETER, f"{operator} takes one value; there is another at {self._at + 1}"
                )
            if len(values) >= MAX_VALUES:
                raise QueryError(_PARAMETER, f"there are more than {MAX_VALUES} values")
            self._at += 1
            values.append(self._value())
        self._expect(")", "a term must end with ')'")
        return tuple(values)

    def _value(self) -> str:
        self._blank()
        if self._text.startswith("'", self._at):
            return self._quoted()
        position = self._at + 1
        value = self._take(_BARE).rstrip()
        if self._text.startswith("'", self._at):
            raise QueryError(_PARAMETER, f"a quote inside a bare value at {self._at + 1}: write 'it''s'")
        if not value:
            raise QueryError(_PARAMETER, f"a value is missing at {position}: write '' for the empty text")
        return value

    def _quoted(self) -> str:
        position = self._at + 1
        pieces: list[str] = []
        begin = self._at + 1
        while True:
            end = self._text.find("'", begin)
            if end < 0:
                raise QueryError(_PARAMETER, f"the quote at {position} is not closed")
            if not self._text.startswith("'", end + 1):
                pieces.append(self._text[begin:end])
                self._at = end + 1
                self._blank()
                return "".join(pieces)
            pieces.append(self._text[begin : end + 1])
            begin = end + 2

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None  # every pattern of ours matches the empty text
        self._at = found.end()
        return found.group()

    def _blank(self) -> None:
        self._take(_BLANK)

    def _expect(self, character: str, otherwise: str) -> None:
        if not self._text.startswith(character, self._at):
            rest = self._text[self._at : self._at + 10]
            raise QueryError(
                _PARAMETER, f"{otherwise}; at {self._at + 1} there is {shown(rest) if rest else 'the end'}"
            )
        self._at += 1


def _equals(terms: Sequence[Term]) -> dict[str, frozenset[str]]:
    equals: dict[str, frozenset[str]] = {}
    for term in terms:
        attribute = term.path.attribute
        if term.operator not in {"eq", "in"} or len(term.path.steps) > 1:
            continue
        if attribute is None or attribute.array or attribute.type not in _INDEXABLE:
            continue
        folded = attribute.type == "uuid"
        values = frozenset(value.lower() if folded else value for value in term.values)
        equals[attribute.key] = equals.get(attribute.key, values) & values
    return equals


def _pinned(terms: Sequence[Term]) -> Pinned | None:
    """Of the first `eq` or `in` two steps deep: below a free-form map, where there is no index."""
    for term in terms:
        keys = [step.key for step in term.path.steps]
        if (
            term.operator not in {"eq", "in"}
            or len(keys) != 2
            or None in keys
            or term.path.attribute is not None
        ):
            continue
        numbers = {found for text in term.values if (found := number(text)) is not None}
        truths = {text == "true" for text in term.values if text in {"true", "false"}}
        return Pinned(str(keys[0]), str(keys[1]), frozenset({*term.values, *numbers, *truths}))
    return None


def _of_attribute(equals: Mapping[str, frozenset[str]]) -> Pinned | None:
    """Of the first attribute that is asked for by value and has no index of its own."""
    found = next(((key, wanted) for key, wanted in equals.items() if key not in _NOT_PINNED), None)
    return None if found is None else Pinned(found[0], "", found[1])


def _condition(term: Term) -> Condition:
    test, attribute = _test(term), term.path.attribute
    if attribute is not None and not attribute.required:
        test = _unless_empty(test)
    return Condition(tuple(step.key for step in term.path.steps), test, term.negative)


def _unless_empty(test: Test) -> Test:
    """An optional attribute that is the empty text is left out of answers: for a filter too, it is absent."""
    return lambda value: value != "" and test(value)


def _test(term: Term) -> Test:
    attribute = term.path.attribute
    value_type = None if attribute is None else attribute.type
    if term.operator in {"eq", "neq", "in", "nin"}:
        return equality(term.values, value_type)
    if term.operator in {"cont", "ncont"}:
        return containment(term.values)
    try:
        return order(term.operator, term.values[0], value_type)
    except IncomparableError as error:
        raise QueryError(
            _PARAMETER,
            f"{shown(term.path.text)} at {term.position}, {term.operator} {shown(term.values[0])}: {error}",
        ) from error
