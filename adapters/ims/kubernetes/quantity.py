"""Kubernetes quantities (`64`, `500m`, `263829484Ki`, `1e3`, `1Ti`), exactly: no float on the way."""

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i)?)"
)
_UNITS: dict[str | None, Fraction] = {
    None: Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}
#: No number beyond this is JSON that everybody reads the same way, and none is meant in a quantity.
_LIMIT = 2**63


@lru_cache(maxsize=4096)  # thousands of nodes say the same few
def quantity(text: str) -> Fraction:
    """The value of `text`. Raises `ValueError` if it is no quantity, or one too large to be meant."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:40]!r} is no quantity")
    number, exponent, unit = found.groups()
    value = Fraction(number) * (Fraction(10) ** int(exponent[1:]) if exponent else _UNITS[unit])
    if abs(value) >= _LIMIT:
        raise ValueError(f"{text[:40]!r} is too large")
    return value


def number(value: Fraction) -> int | float:
    """The same as a JSON number: an integer if it is one."""
    return value.numerator if value.denominator == 1 else float(value)
