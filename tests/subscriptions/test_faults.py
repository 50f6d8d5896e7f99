"""Workers die, everything is restarted: each run is written down, and its ledger has to hold."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.postgres import Postgres
from tests.peers.process import Process
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.run import Run, running

pytestmark = [pytest.mark.xdist_group("subscription faults"), pytest.mark.timeout(300)]
KILLS = 3


@pytest.fixture(scope="module")
def run(postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One gateway for all of them, with a second worker."""
    with running(postgres, redis_server, tmp_path_factory.mktemp("faults")) as found:
        found.gateway.another_worker().start()
        yield found


@pytest.fixture
def workers(run: Run) -> list[Process]:
    return [run.gateway.worker, *run.gateway._others]


@pytest.fixture
def slow(run: Run) -> Iterator[Sink]:
    """A subscriber who takes a moment, so that something is always under way; six subscriptions."""

    def answer(_: Received) -> int:
        time.sleep(0.02)
        return 204

    with Sink(answer=answer) as sink:
        ids = [
            (who, run.recorder.subscribe(who, sink, filter=wanted))
            for who in ("alice", "charlie", "root")
            for wanted in ({}, {"eventTypes": ["CREATE", "DELETE"]})
        ]
        yield sink
        for who, id_ in ids:
            run.recorder.end(who, id_)


def owner(run: Run) -> int:
    """The process that collects."""
    with run.gateway.database() as rows:
        found = rows.execute("SELECT owner FROM o2ims_source").fetchone()
    return int(found[0].split(":")[1]) if found and found[0] else 0


def test_the_worker_that_collects_is_killed_again_and_again(
    run: Run, workers: list[Process], slow: Sink
) -> None:
    gateway = run.gateway
    with stirring(run.hands, 30):
        for _ in range(KILLS):
            gateway.until(lambda: owner(run) in {one.pid for one in workers}, what="a collector")
            time.sleep(1)
            (collects,) = (one for one in workers if one.pid == owner(run))
            run.recorder.kill(collects)
            collects.start()
    run.verify()
    assert len(slow.got) > 100


def test_a_worker_that_only_sends_is_killed_again_and_again(
    run: Run, workers: list[Process], slow: Sink
) -> None:
    run.gateway.until(lambda: owner(run) in {one.pid for one in workers}, what="a collector")
    (sends,) = (one for one in workers if one.pid != owner(run))
    with stirring(run.hands, 30):
        for _ in range(KILLS):
            time.sleep(2)
            run.recorder.kill(sends)
            sends.start()
    run.verify()


def test_what_changed_while_nobody_looked_is_told_as_its_net_difference(
    run: Run, workers: list[Process], slow: Sink
) -> None:
    """Of objects that came and went meanwhile nothing is told, of those that changed often one change."""
    run.hands.stir(60)
    run.quiet()
    before = {change["object"]: change["sequence"] for change in run.recorder._changes()}
    for one in workers:
        run.recorder.kill(one)
    doomed = [run.hands.create().native_id for _ in range(5)]
    was = dict(run.hands.living)
    for _ in range(3):
        run.hands.stir(40)
    for native_id in doomed:
        if native_id in run.hands.living:
            run.hands.delete(native_id)
    for one in workers:
        one.start()
    run.verify()
    news = [change for change in run.recorder._changes() if change["sequence"] > max(before.values())]
    assert len(news) == len({change["object"] for change in news})
    assert not {change["after"]["name"] for change in news if change["after"]} & set(doomed)
    assert was != run.hands.living


def test_restarts_with_nothing_changed_tell_nothing(run: Run, workers: list[Process], slow: Sink) -> None:
    run.quiet()
    gateway, before = run.gateway, len(slow.tried)
    for number in range(KILLS):
        for one in (gateway.web, *workers):
            if number % 2:
                run.recorder.kill(one)
            else:
                one.stop()
        at = time.time()
        gateway.start(gateway.web, *workers, ready=False)
        gateway.web.wait_ready(lambda: gateway.get("", "/readyz").status == 200)
        gateway.until(lambda at=at: listed_at(run) > at, what="the list")
    time.sleep(1.5)  # one round of everything that looks every second
    assert len(slow.tried) == before
    run.verify()


def listed_at(run: Run) -> float:
    with run.gateway.database() as rows:
        found = rows.execute("SELECT extract(epoch FROM listed_at)::float8 FROM o2ims_source").fetchone()
    return float(found[0]) if found and found[0] else 0.0


def test_the_ledger_of_a_run_that_lost_something_is_not_accepted(
    run: Run, slow: Sink, tmp_path: Path
) -> None:
    """The recorder's own test: what did not arrive is missed, what nobody asked for is foreign."""
    run.hands.stir(10)
    run.quiet()
    run.recorder.sinks.remove(slow)
    with pytest.raises(AssertionError, match="P1 nothing lost"):
        run.recorder.verify(tmp_path / "lost.jsonl")
    run.recorder.sinks.append(slow)
    id_, taken = run.recorder.subscribed.popitem()
    with pytest.raises(AssertionError, match="P5 nothing foreign"):
        run.recorder.verify(tmp_path / "foreign.jsonl")
    run.recorder.subscribed[id_] = taken
    run.verify()
