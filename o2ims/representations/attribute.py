"""One attribute of an O2 object on the wire: the single description that encoding, filters, selectors and
OpenAPI read.

A representation is a tuple of these (`o2ims/representations/<flavour>.py`). The stored body of an object is
a plain dict in snake_case; `key` says where in it the attribute's value is.
"""

from dataclasses import dataclass
from typing import Any, Literal

Type = Literal["string", "uuid", "uri", "integer", "number", "boolean", "date-time", "object", "map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`name` on the wire, `key` in the body. `type` is of one value; with `array`, the value is a list of
    those.

    `map` is free-form (KeyValuePairs): any sub-path may be asked for. `object` has `parts`. `required`
    attributes have cardinality 1: selectors cannot drop them unless they are complex (`map`, `object` or
    `array`).
    `default_excluded`: left out of lists unless asked for (SOL013 5.3.2, exclude_default). `nullable`: the
    key is always there and may be null; an attribute neither required nor nullable is left out where it has
    no value.
    """

    name: str
    key: str
    type: Type = "string"
    array: bool = False
    required: bool = True
    nullable: bool = False
    default_excluded: bool = False
    parts: tuple["Attribute", ...] = ()
    description: str = ""
    example: Any = None
    enum: tuple[str, ...] = ()

    @property
    def complex(self) -> bool:
        """Whether it has structure: an object, a free-form map, or a list (SOL013 5.3.1)."""
        return self.array or self.type in {"object", "map"}


Shape = tuple[Attribute, ...]
