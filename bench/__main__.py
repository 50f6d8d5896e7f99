"""`python -m bench [case ...] [--large] [--rounds 3] [--seconds 1]`: the cases that are named, or all."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")

import bench
from bench import cluster, hanging, large, reads, relist, sources, writes
from bench.load import Effort
from bench.table import Table
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

Measure = Callable[[Postgres, Redis, Table, Effort], None]

CASES: dict[str, Measure] = {
    "reads": reads.measure,
    "sources": sources.measure,
    "hanging": hanging.measure,
    "writes": writes.measure,
    "relist": relist.measure,
    "cluster": cluster.measure,
    "large": large.measure,
}
ON_REQUEST = {"large"}


def main() -> int:
    """Runs what was asked for; 1 if a figure is over its bound."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=bench.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", choices=CASES, help="default: all but `large`")
    parser.add_argument("--large", action="store_true", help="an inventory of 100,000 too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each run of wrk")
    options = parser.parse_args()
    names = options.cases or [name for name in CASES if name not in ON_REQUEST]
    if options.large and "large" not in names:
        names.append("large")
    table = Table(names)
    try:
        with Postgres() as postgres, Redis() as redis:
            for name in names:
                with table.timing(name):
                    CASES[name](postgres, redis, table, Effort(options.rounds, options.seconds))
    finally:  # a case that breaks does not take the others' figures with it
        path = table.write(Path(__file__).parent / "results")
        print(f"written to {path}")
    return 0 if all(figure.held for figure in table.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
