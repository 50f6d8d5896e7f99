"""`python -m bench [CASE ...] [--full] [--large] [--rounds 3] [--seconds 1]`: the named cases, or all."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import bench
from bench import (
    audit,
    cluster,
    cut,
    endpoints,
    events,
    hanging,
    identity,
    large,
    reads,
    relist,
    slow,
    sources,
    writes,
)
from bench.load import Effort
from bench.table import Table
from bench.verdicts import played
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

Measure = Callable[[Postgres, Redis, Table, Effort], None]

CASES: dict[str, Measure] = {
    "reads": reads.measure,
    "sources": sources.measure,
    "hanging": hanging.measure,
    "writes": writes.measure,
    "relist": relist.measure,
    "identity": identity.measure,
    "audit": audit.measure,
    "events": events.measure,
    "endpoints": endpoints.measure,
    "cut": lambda postgres, redis, table, _effort: played(postgres, redis, table, cut.measure),
    "slow": slow.measure,
    "cluster": cluster.measure,
    "large": large.measure,
}
ON_REQUEST = {"large", "cut"}


def _known(name: str) -> str:
    if name not in CASES:
        raise argparse.ArgumentTypeError(f"there is no {name}; there are {', '.join(CASES)}")
    return name


def main() -> int:
    """Runs what was asked for; 1 if a figure is over its bound, or a case broke."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=bench.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", type=_known, help="these alone")
    parser.add_argument("--full", action="store_true", help="of events: the scenarios of faults instead")
    parser.add_argument("--large", action="store_true", help="an inventory of 100,000 too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each run of wrk")
    options = parser.parse_args()
    named = options.cases or [name for name in CASES if name not in ON_REQUEST]
    names = [name for name in CASES if name in named or (name == "large" and options.large)]
    table, effort = Table(), Effort(options.rounds, options.seconds, full=options.full)
    try:
        with Postgres() as postgres, Redis() as redis:
            for name in names:
                with table.case(name):
                    CASES[name](postgres, redis, table, effort)
    finally:  # what was measured is kept, also when somebody loses patience
        path = table.write(Path(__file__).parent / "results")
        print(f"written to {path}")
    return 0 if table.held else 1


if __name__ == "__main__":
    sys.exit(main())
