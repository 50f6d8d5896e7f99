"""Kubernetes quantities are read exactly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ims.kubernetes.quantity import number, quantity

BINARY = {f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)}
DECIMAL = {unit: 1000**power for power, unit in enumerate("kMGTPE", start=1)}
SMALL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("500m", Fraction(1, 2)),
        ("263829484Ki", 263829484 * 1024),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12E", 12 * 10**18 if 12 * 10**18 < 2**63 else None),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1Ti", 2**40),
        ("0.1", Fraction(1, 10)),
        (".5Gi", 2**29),
        ("5.", 5),
        ("-1", -1),
        ("+1k", 1000),
        ("1e-3", Fraction(1, 1000)),
        ("0", 0),
    ],
)
def test_examples(text: str, value: Fraction | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="too large"):
            quantity(text)
    else:
        assert quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "Ki", "1KI", "1ki", "1e", "1e1.5", "1e3k", "0x1", "1,5", "∞", "١", "1\n"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


@pytest.mark.parametrize("text", ["1e30", "9223372036854775808", "-8Ei", "9" * 400, "1e999"])
def test_what_cannot_be_meant(text: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        quantity(text)


@given(st.integers(0, 10**6), st.sampled_from(sorted({**BINARY, **DECIMAL, **SMALL}.items())[:10]))
def test_a_number_and_its_unit(amount: int, unit: tuple[str, Fraction]) -> None:
    if amount * unit[1] < 2**63:
        assert quantity(f"{amount}{unit[0]}") == amount * unit[1]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**15, places=6))
def test_a_decimal_number_is_exact(value: object) -> None:
    assert quantity(f"{value:f}") == Fraction(f"{value:f}")


@given(st.text(alphabet="0123456789.eEKMGTPimnu+-", max_size=12))
def test_whatever_it_is_it_is_a_number_or_refused(text: str) -> None:
    try:
        assert isinstance(number(quantity(text)), int | float)
    except ValueError:
        return


def test_a_whole_number_is_an_integer() -> None:
    assert (number(Fraction(4)), type(number(Fraction(4)))) == (4, int)
    assert number(Fraction(1, 2)) == 0.5
