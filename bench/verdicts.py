"""What a run of faults comes to: when all of it is over, and what the checker of P1 to P10 (`tests/ledger`)
says of its ledger."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.apart import Apart
from bench.load import Limit
from bench.table import Figure, Table
from tests.ledger.checker import check
from tests.peers.postgres import Postgres
from tests.peers.process import Den
from tests.peers.redis import Redis
from tests.subscriptions.cut import Cut
from tests.subscriptions.run import Run

Scenario = Callable[[Postgres, Redis, Table, Path], None]


def played(postgres: Postgres, redis: Redis, table: Table, *scenarios: Scenario) -> None:
    """Each in a directory of its own."""
    for scenario in scenarios:
        den = Den("bench")
        try:
            scenario(postgres, redis, table, den.path)
        finally:
            den.close()


def settled(run: Run | Cut, *, seconds: float) -> None:
    """Waits until the backend has been seen as it is, and nothing waits."""
    run.gateway.until(run.is_seen, seconds=60, what="the collector")
    limit = Limit(seconds, "an empty outbox")
    behind = "SELECT sum(s.last_sequence - p.sequence) FROM o2ims_source s JOIN subscriptions_position p"
    while value(run, f"{behind} ON p.source_id = s.id") or value(
        run, "SELECT count(*) FROM subscriptions_lane WHERE waiting > 0"
    ):
        limit.check()
        time.sleep(0.5)


def verdicts(run: Run | Cut, table: Table, name: str, *apart: Apart) -> int:
    """Adds what is broken, of which there must be nothing. How many of the notifications that the sinks
    `apart` got were none that they had already."""
    run.recorder.notes += run.hands.made
    run.hands.made.clear()
    ledger = run.recorder.write(run.path)
    accepted = sum(_append(run, one, ledger) for one in apart)
    for verdict in check(ledger):
        for message in verdict.messages:
            print(f"  {verdict.name}: {message}")
        table.add(Figure(f"{name}: {verdict.name}, broken", verdict.broken, "times", 0))
    return accepted


def _append(run: Run | Cut, apart: Apart, ledger: Path) -> int:
    """What a sink apart got, into the ledger, under the subscriptions' ids. How many ids it was."""
    apart.count()  # and the ledger is whole
    ids = set[str]()
    with ledger.open("ab") as out, apart.ledger.open("rb") as lines:
        for line in lines:
            record = orjson.loads(line)
            record["subscription"] = run.recorder.subscription_at(apart, record["subscription"])
            ids.add(record["webhook_id"])
            out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    return len(ids)


def value(run: Run | Cut, statement: str, *values: Any) -> float:
    """One number out of the database."""
    with run.gateway.database() as rows:
        found = rows.execute(statement, values).fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0
