"""How long the worst filters keep a process busy (CPU time) while they are parsed. Run by `bench/slow.py`
with a gateway's settings."""

import random
import sys
import time
from contextlib import suppress

from adapters.types import Kind
from bench.table import quantile
from o2ims.query import QueryError, parse_filter
from o2ims.query.filter import MAX_BYTES
from o2ims.representations.gateway_v1 import GATEWAY_V1

COUNT = 5_000
OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte", "in", "nin", "cont", "ncont")
PATHS = (
    "name",
    "resourceTypeId",
    "extensions/a",
    "extensions/" + "b/" * 200 + "c",
    "tags",
    "@key",
    "~1~a~b" * 40,
)


def bombs() -> list[str]:
    """Filters of 4 KiB: as many terms, values, quotes, steps and escapes as there is room for, and noise."""
    dice = random.Random(26)
    found = [
        "(" * MAX_BYTES,
        "(eq,name," + "''" * 2000 + ")",
        "(eq,name,'" + "a" * 4000,
        "(in,name," + ",".join("a" * 39 for _ in range(100)) + ")",
        "(eq," + "extensions/" + "a/" * 2000 + "b,1)",
        "(eq,extensions/" + "~1" * 2000 + ",1)",
        "(gt,extensions/a," + "9" * 4000 + ")",
        "(gt,extensions/a,1e" + "9" * 4000 + ")",
        ";" * MAX_BYTES,
        ";".join("(eq,name,x)" for _ in range(340)),
        "(cont,name," + "\u00e4" * 2000 + ")",
    ]
    while len(found) < COUNT:
        terms: list[str] = []
        while sum(map(len, terms)) < MAX_BYTES - 400 and len(terms) < 40:
            values = ",".join(
                dice.choice(["a" * dice.randrange(60), "''", "'b''c'", "1e308", "~", "\\", "9" * 50])
                for _ in range(dice.randrange(1, 20))
            )
            terms.append(f"({dice.choice(OPERATORS)},{dice.choice(PATHS)},{values})")
        text = ";".join(terms)
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(text))
            text = text[:at] + dice.choice("(),;'/~@ ") + text[at + 1 :]
        found.append(text.encode()[:MAX_BYTES].decode(errors="ignore"))
    return found


def run() -> None:
    """Prints the 99th percentile and the longest, in ms."""
    shape = GATEWAY_V1.shapes[Kind.RESOURCE]
    seconds: list[float] = []
    for text in bombs():
        started = time.thread_time()
        with suppress(QueryError):
            parse_filter(text, shape)
        seconds.append(time.thread_time() - started)
    sys.stdout.write(f"{quantile(seconds, 0.99) * 1000} {max(seconds) * 1000}\n")
