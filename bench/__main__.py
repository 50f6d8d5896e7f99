"""`python -m bench [--large] [--rounds 3] [--seconds 3] [--only reads|cluster]`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")

from bench import cluster, reads
from bench.table import Table
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis


def main() -> int:
    """Runs what was asked for; 1 if a figure is over its bound."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--large", action="store_true", help="an inventory of 100,000 too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of wrk")
    parser.add_argument("--only", choices=["reads", "cluster"])
    options = parser.parse_args()
    sizes = (50, 1_000, 10_000, *((100_000,) if options.large else ()))
    table = Table()
    with Postgres() as postgres, Redis() as redis:
        if options.only != "cluster":
            reads.measure(postgres, redis, table, sizes=sizes, rounds=options.rounds, seconds=options.seconds)
        if options.only != "reads":
            cluster.measure(postgres, redis, table)
    path = table.write(Path(__file__).parent / "results")
    print(f"written to {path}")
    return 0 if all(figure.held for figure in table.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
