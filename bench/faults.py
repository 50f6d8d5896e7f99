"""The scenarios of the subscribers' contract, in full: a million notifications while workers are killed, ten
restarts with 10,000 objects, a subscriber who refuses for 72 hours (scaled), a cluster that is cut off.

What was done and what came is a ledger, and the checker of P1 to P10 (`tests/ledger`) has the last word.
"""

import time
from pathlib import Path

from bench import cut
from bench.apart import Apart
from bench.load import Limit
from bench.table import Figure, Table
from bench.verdicts import played, settled, value, verdicts
from tests.peers.postgres import Postgres
from tests.peers.process import Process
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
    played(postgres, redis, table, _killed, _restarted, _refused, cut.measure)


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
        settled(run, seconds=1800)
        spent, count = time.monotonic() - began, sink.count()
        table.add(Figure("under kills: notifications", count, ""))
        table.add(Figure("under kills: kills", KILLS, ""))
        table.add(Figure("under kills: received a second, at this rate of changes", count / spent, "1/s"))
        table.add(Figure("under kills: until changes are recorded again, worst", max(gaps), "s", GAP_SECONDS))
        accepted = verdicts(run, table, "under kills", sink)
        more = (sink.count() - accepted) / KILLS
        table.add(Figure("under kills: duplicates a kill", more, "", DUPLICATES_PER_KILL))


def _wait_for(run: Run, deliveries: int) -> None:
    limit = Limit(3600, f"{deliveries} deliveries")
    while value(run, "SELECT coalesce(sum(sequence), 0) FROM subscriptions_endpoint") < deliveries:
        limit.check()
        time.sleep(0.5)


def _kill(run: Run, workers: list[Process], *, collecting: bool) -> float:
    """Kills one and starts it again. Seconds until something is recorded."""
    limit = Limit(60, "a collector")
    while (owner := _owner(run)) not in {one.pid for one in workers}:
        limit.check()
        time.sleep(0.2)
    (doomed,) = (one for one in workers if (one.pid == owner) == collecting)
    before = value(run, "SELECT sum(last_sequence) FROM o2ims_source")
    run.recorder.kill(doomed)
    at = time.monotonic()
    while value(run, "SELECT sum(last_sequence) FROM o2ims_source") == before:
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
            while value(run, "SELECT extract(epoch FROM max(listed_at)) FROM o2ims_source") < at:
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
        while value(run, "SELECT coalesce(sum(waiting), 0) FROM subscriptions_lane") < REFUSED:
            run.hands.stir(500)
        time.sleep(max(0.0, HOURS_72 / HASTE * 0.9 - (time.monotonic() - began)))
        refused, back = len(sink.tried), time.time()
        settled(run, seconds=600)
        first = min(one.at for one in sink.got) - back
        table.add(Figure("72 hours away (scaled): tries of the first in that time", refused, ""))
        table.add(Figure("72 hours away (scaled): notifications in the end", len(sink.got), ""))
        table.add(Figure("back again: until the first arrives", first, "s", RETURN_SECONDS))
        table.add(Figure("back again: dead letters", len(run.recorder.dead(id_)), "", 0))
        verdicts(run, table, "72 hours away")


def _owner(run: Run) -> int:
    with run.gateway.database() as rows:
        found = rows.execute("SELECT owner FROM o2ims_source").fetchone()
    return int(found[0].split(":")[1]) if found and found[0] else 0
