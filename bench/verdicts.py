"""What a run of faults comes to: when all of it is over, and what the checker of P1 to P10 (`tests/ledger`)
says of its ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.apart import Apart
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
    """Waits until the backend has been seen as it is, and nothing waits; where it does not come to that, says
    what stands in the way."""
    run.gateway.until(run.is_seen, seconds=60, what="the collector")
    try:
        run.gateway.until(lambda: not _left(run), seconds=seconds, what="an empty outbox")
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *_left(run)])) from error


def _left(run: Run | Cut) -> list[str]:
    """The sources that are not fanned out, and the lanes in which something waits."""
    behind = """
        SELECT s.name, s.last_sequence, p.sequence FROM o2ims_source s
        LEFT JOIN subscriptions_position p ON p.source_id = s.id
        WHERE s.last_sequence > coalesce(p.sequence, 0)
    """
    waiting = """
        SELECT e.state, e.failures, e.reason, l.number, l.waiting, l.head, l.due_at, l.owner, l.claimed_until,
          l.last_at, l.last_outcome, now()
        FROM subscriptions_lane l JOIN subscriptions_endpoint e ON e.subscription = l.endpoint_id
        WHERE l.waiting > 0 LIMIT 20
    """
    with run.gateway.database() as rows:
        return [str(row) for asked in (behind, waiting) for row in rows.execute(asked).fetchall()]


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
