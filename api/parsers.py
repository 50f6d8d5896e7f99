"""JSON in: strict. No duplicate keys, no NaN, bounded depth."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 32


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ParseError(f"The JSON body has the key {twice!r} twice.")
    return found


def _refuse(constant: str) -> Any:
    raise ParseError(f"The JSON body holds {constant}, which JSON does not have.")


def _depth(value: Any) -> int:
    deepest, stack = 0, [(value, 1)]
    while stack:
        item, depth = stack.pop()
        deepest = max(deepest, depth)
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        stack.extend((child, depth + 1) for child in children)
    return deepest


class JSONParser(BaseParser):
    """application/json, as RFC 8259 means it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """The body's value. Raises `ParseError` that says what is wrong and where."""
        try:
            value = json.loads(stream.read(), object_pairs_hook=_unique, parse_constant=_refuse)
        except RecursionError as error:
            raise ParseError(f"The JSON body is nested deeper than {MAX_DEPTH}.") from error
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start}.") from error
        except ValueError as error:  # of an integer that would take Python long to read
            raise ParseError("The JSON body holds a number of too many digits.") from error
        if _depth(value) > MAX_DEPTH:
            raise ParseError(f"The JSON body is nested deeper than {MAX_DEPTH}.")
        return value
