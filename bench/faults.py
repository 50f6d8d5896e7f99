"""The scenarios of the subscribers' contract, in full: a million notifications while workers are killed, ten
restarts with 10,000 objects, a subscriber who refuses for 72 hours (scaled), some who hang.

What was done and what came is a ledger, and the checker of P1 to P10 (`tests/ledger`) has the last word.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import orjson

from bench.load import Limit
from bench.table import Figure, Table
from tests.ledger.checker import check
from tests.peers.postgres import Postgres
from tests.peers.process import Den, Process, wait_until
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.run import Run, running

DELIVERIES, KILLS = 1_000_000, 20
SUBSCRIPTIONS = {"root": 60, "alice": 20, "charlie": 20}
CHANGES_A_SECOND = 20
GAP_SECONDS, DUPLICATES_PER_KILL = 12.0, 50
OBJECTS, RESTARTS = 10_000, 10
HASTE, REFUSED, RETURN_SECONDS = 2000, 20_000, 60.0
HOURS_72 = 72 * 3600.0


def measure(postgres: Postgres, redis: Redis, table: Table) -> None:
    """All of them."""
    for scenario in (_killed, _restarted, _refused):
        with _den(scenario.__name__) as path:
            scenario(postgres, redis, table, path)


@contextmanager
def _den(name: str) -> Iterator[Path]:
    den = Den(f"bench{name}")
    try:
        yield den.path
    finally:
        den.close()


@dataclass(eq=False)
class Apart(Sink):
    """A subscriber in a process of its own, which writes down what it gets: nothing is kept here."""

    path: Path = field(kw_only=True)

    def __enter__(self) -> Self:
        self.ledger, ports = self.path / "received.jsonl", self.path / "sink.port"
        program = str(Path(__file__).with_name("sink.py"))
        self._den = Den("sink")
        self._process = Process(
            "sink", [sys.executable, program, str(ports), "--ledger", str(self.ledger)], den=self._den
        )
        self._process.start()
        wait_until(lambda: ports.exists() and bool(ports.read_text()), seconds=20, what="the sink")
        self._port = int(ports.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._den.close()

    @property
    def port(self) -> int:
        return self._port

    def count(self) -> int:
        """How many it has."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/count", timeout=20) as found:
            return int(json.loads(found.read()))


def _killed(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """Two workers, of which now the one that collects and now the other is killed."""
    with Apart(path=path) as sink, running(postgres, redis, path, DELIVERY_BACKLOG="10000000") as run:
        workers = [run.gateway.worker, run.gateway.another_worker()]
        workers[1].start()
        for who, count in SUBSCRIPTIONS.items():
            for _ in range(count):
                run.recorder.subscribe(who, sink)
        began, gaps = time.monotonic(), list[float]()
        with stirring(run.hands, CHANGES_A_SECOND):
            for number in range(KILLS):
                _wait_for(run, DELIVERIES * (number + 1) // (KILLS + 1))
                gaps.append(_kill(run, workers, collecting=number % 2 == 0))
            _wait_for(run, DELIVERIES)
        _settled(run, seconds=1800)
        spent, count = time.monotonic() - began, sink.count()
        table.add(Figure("under kills: notifications", count, ""))
        table.add(Figure("under kills: kills", KILLS, ""))
        table.add(Figure("under kills: received a second, at this rate of changes", count / spent, "1/s"))
        table.add(Figure("under kills: until changes are recorded again, worst", max(gaps), "s", GAP_SECONDS))
        _verdicts(run, sink, table, "under kills")


def _wait_for(run: Run, deliveries: int) -> None:
    limit = Limit(3600, f"{deliveries} deliveries")
    while _value(run, "SELECT coalesce(sum(sequence), 0) FROM subscriptions_endpoint") < deliveries:
        limit.check()
        time.sleep(0.5)


def _kill(run: Run, workers: list[Process], *, collecting: bool) -> float:
    """Kills one and starts it again. Seconds until something is recorded."""
    limit = Limit(60, "a collector")
    while (owner := _owner(run)) not in {one.pid for one in workers}:
        limit.check()
        time.sleep(0.2)
    (doomed,) = (one for one in workers if (one.pid == owner) == collecting)
    before = _value(run, "SELECT sum(last_sequence) FROM o2ims_source")
    run.recorder.kill(doomed)
    at = time.monotonic()
    while _value(run, "SELECT sum(last_sequence) FROM o2ims_source") == before:
        limit.check()
        time.sleep(0.05)
    gap = time.monotonic() - at
    doomed.start()
    return gap


def _restarted(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """Everything is stopped or killed and started again, with 10,000 objects and nothing changed."""
    with Apart(path=path) as sink, running(postgres, redis, path, objects=OBJECTS) as run:
        run.recorder.subscribe("root", sink)
        listed = list[float]()
        for number in range(RESTARTS):
            for one in (run.gateway.web, run.gateway.worker):
                if number % 2:
                    run.recorder.kill(one)
                else:
                    one.stop()
            at, began = time.time(), time.monotonic()
            run.gateway.start(run.gateway.web, run.gateway.worker, ready=False)
            limit = Limit(120, "the list")
            while _value(run, "SELECT extract(epoch FROM max(listed_at)) FROM o2ims_source") < at:
                limit.check()
                time.sleep(0.05)
            listed.append(time.monotonic() - began)
        time.sleep(3)
        table.add(Figure(f"{RESTARTS} restarts with {OBJECTS:,} objects: notifications", sink.count(), "", 0))
        table.add(Figure("a restart (or kill) until all is listed, worst", max(listed), "s"))


def _refused(postgres: Postgres, redis: Redis, table: Table, path: Path) -> None:
    """Somebody refuses for (scaled) 72 hours but a moment, while 20,000 wait, and comes back."""
    back = 0.0

    def answer(_: Received) -> int:
        return 204 if back else 503

    with (
        Sink(answer=answer) as sink,
        running(postgres, redis, path, objects=2000, DELIVERY_HASTE=str(HASTE)) as run,
    ):
        id_ = run.recorder.subscribe("root", sink)
        began = time.monotonic()
        while _value(run, "SELECT coalesce(sum(waiting), 0) FROM subscriptions_lane") < REFUSED:
            run.hands.stir(500)
        time.sleep(max(0.0, HOURS_72 / HASTE * 0.9 - (time.monotonic() - began)))
        refused, back = len(sink.tried), time.time()
        _settled(run, seconds=600)
        first = min(one.at for one in sink.got) - back
        table.add(Figure("72 hours away (scaled): tries of the first in that time", refused, ""))
        table.add(Figure("72 hours away (scaled): notifications in the end", len(sink.got), ""))
        table.add(Figure("back again: until the first arrives", first, "s", RETURN_SECONDS))
        table.add(Figure("back again: dead letters", len(run.recorder.dead(id_)), "", 0))
        _verdicts(run, None, table, "72 hours away")


def _settled(run: Run, *, seconds: float) -> None:
    """Waits until the backend has been seen as it is, and nothing waits."""
    run.gateway.until(run.is_seen, seconds=60, what="the collector")
    limit = Limit(seconds, "an empty outbox")
    behind = "SELECT sum(s.last_sequence - p.sequence) FROM o2ims_source s JOIN subscriptions_position p"
    while _value(run, f"{behind} ON p.source_id = s.id") or _value(
        run, "SELECT count(*) FROM subscriptions_lane WHERE waiting > 0"
    ):
        limit.check()
        time.sleep(0.5)


def _verdicts(run: Run, apart: Apart | None, table: Table, name: str) -> None:
    run.recorder.notes += run.hands.made
    run.hands.made.clear()
    ledger = run.recorder.write(run.path)
    if apart is not None:
        accepted = _append(run, apart, ledger)
        table.add(
            Figure(
                f"{name}: duplicates a kill",
                (apart.count() - accepted) / KILLS,
                "",
                DUPLICATES_PER_KILL,
            )
        )
    for verdict in check(ledger):
        for message in verdict.messages:
            print(f"  {verdict.name}: {message}")
        table.add(Figure(f"{name}: {verdict.name}, broken", verdict.broken, "times", 0))


def _append(run: Run, apart: Apart, ledger: Path) -> int:
    """What a sink apart got, into the ledger, under the subscriptions' ids. How many ids it was."""
    ids = set[str]()
    with ledger.open("ab") as out, apart.ledger.open("rb") as lines:
        for line in lines:
            record = orjson.loads(line)
            record["subscription"] = run.recorder.subscription_at(apart, record["subscription"])
            ids.add(record["webhook_id"])
            out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    return len(ids)


def _owner(run: Run) -> int:
    with run.gateway.database() as rows:
        found = rows.execute("SELECT owner FROM o2ims_source").fetchone()
    return int(found[0].split(":")[1]) if found and found[0] else 0


def _value(run: Run, statement: str) -> float:
    with run.gateway.database() as rows:
        found = rows.execute(statement).fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0
