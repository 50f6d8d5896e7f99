"""Subscribers who refuse, hang, drip, have enough, or are paused: each run is written down, and its
ledger has to hold. 72 hours pass in 13 seconds (`DELIVERY_HASTE`)."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.recorder import SUBSCRIPTIONS
from tests.subscriptions.run import Run, running

pytestmark = [pytest.mark.xdist_group("subscription faults"), pytest.mark.timeout(300)]
HASTE = 20_000


@pytest.fixture(scope="module")
def run(postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    path = tmp_path_factory.mktemp("endpoints")
    with running(postgres, redis_server, path, DELIVERY_HASTE=str(HASTE)) as found:
        yield found


@pytest.fixture(autouse=True)
def gone(run: Run) -> Iterator[None]:
    """Whoever a test has subscribed is gone after it."""
    yield
    for id_ in set(run.recorder.subscribed) - run.recorder.ended:
        run.recorder.end("root", id_)


def state(run: Run, id_: str) -> str:
    with run.gateway.database() as rows:
        found = rows.execute(
            "SELECT state FROM subscriptions_endpoint WHERE subscription = %s", [id_]
        ).fetchone()
    return str(found[0]) if found else ""


def resume(run: Run, id_: str) -> None:
    run.recorder.note("resumed", id_)
    answer = run.gateway.send("root", "POST", f"{SUBSCRIPTIONS}/{id_}/resume", If_Match="*")
    assert answer.status == 200, answer


def refuse(_: Received) -> int:
    return 503


def accept(_: Received) -> int:
    return 204


def test_who_was_away_gets_everything_in_order(run: Run) -> None:
    with Sink(answer=refuse) as sink:
        id_ = run.recorder.subscribe("root", sink)
        run.hands.stir(150)
        run.gateway.until(lambda: state(run, id_) == "probing", what="probing")
        time.sleep(6)  # half of the 72 hours
        tried = len({one.id for one in sink.tried})
        assert tried <= 4, "one delivery of each lane is tried, at most"
        while run.recorder.missing() <= 50:  # changes of one object that come together are one
            run.hands.stir(50)
            time.sleep(1)
        sink.answer = accept
        refused = len(sink.tried)
        run.verify()
        assert not run.recorder.dead(id_)
        assert {one.status for one in sink.tried[refused:]} <= {204, 503}
        assert sum(one.status == 503 for one in sink.tried[refused:]) <= 1  # under way just then
        assert state(run, id_) == "healthy"


def test_who_was_away_for_longer_is_suspended_and_gets_everything_when_resumed(run: Run) -> None:
    with Sink(answer=refuse) as sink:
        id_ = run.recorder.subscribe("root", sink)
        run.hands.stir(60)
        run.gateway.until(lambda: state(run, id_) == "suspended", seconds=40, what="suspended")
        run.recorder.note("suspended", id_)
        shown = run.gateway.get("root", f"{SUBSCRIPTIONS}/{id_}").body
        assert shown["state"] == "suspended"
        resume(run, id_)
        run.gateway.until(lambda: state(run, id_) == "probing", what="another try")
        assert not run.recorder.dead(id_)
        run.gateway.until(lambda: state(run, id_) == "suspended", seconds=40, what="suspended again")
        run.recorder.note("suspended", id_)
        sink.answer = accept
        run.hands.stir(30)
        time.sleep(2)
        assert not sink.got
        resume(run, id_)
        run.verify()
        assert not run.recorder.dead(id_)


def test_those_who_hang_and_drip_hold_up_nobody_else(run: Run) -> None:
    """Counted, not timed: the others have everything before those have taken one."""
    go = threading.Event()

    def hang(_: Received) -> int:
        go.wait(14)
        return 204

    with Sink(answer=hang) as hanging, Sink(dripping=go) as dripping, Sink() as good:
        for wanted in ({}, {"eventTypes": ["MODIFY", "CREATE"]}):
            run.recorder.subscribe("root", hanging, filter=wanted)
        run.recorder.subscribe("root", dripping)
        well = [
            run.recorder.subscribe(who, good, filter=wanted)
            for who in ("alice", "charlie", "root")
            for wanted in ({}, {"eventTypes": ["CREATE", "MODIFY", "DELETE"]})
        ]
        with stirring(run.hands, 40):
            run.gateway.until(lambda: len(good.got) > 50, seconds=6, what="some of the others' notifications")
        run.gateway.until(
            lambda: all(
                record["webhook_id"] in {one.id for one in good.got}
                for record in run.recorder.expected().values()
                if record["subscription"] in well
            ),
            seconds=6,
            what="all of the others' notifications",
        )
        assert not hanging.got
        assert len({one.path for one in hanging.tried}) == 2
        assert len(dripping.tried) <= 4
        go.set()
        run.verify()


def test_poison_is_a_dead_letter_after_three_tries_and_its_lane_goes_on(run: Run) -> None:
    poison: set[str] = set()

    def answer(one: Received) -> int:
        return 400 if one.id in poison or int(one.id, 16) % 8 == 0 else 204

    with Sink(answer=answer) as sink:
        id_ = run.recorder.subscribe("root", sink)
        dead: set[str] = set()
        while not dead:  # one of eight is refused, and changes that come together are one
            run.hands.stir(40)
            run.quiet()
            dead = set(run.recorder.dead(id_))
        poison |= dead
        assert len(dead) < len(sink.got)
        tries = Counter(one.id for one in sink.tried if one.status == 400)
        assert tries == dict.fromkeys(dead, 3)
        told = run.gateway.manage("dead_letters", "--json", "--subscription", id_).splitlines()
        assert len(told) == len(dead)
        sink.answer = accept
        assert run.recorder.replay("root", id_, state="dead") == len(dead)
        run.gateway.until(lambda: dead <= {one.id for one in sink.got}, what="the dead letters")
        run.gateway.until(lambda: not run.recorder.dead(id_), what="none")
        run.verify()


def test_who_answers_410_is_suspended_at_once_and_nothing_is_lost(run: Run) -> None:
    with Sink(answer=lambda _: 410) as sink:
        id_ = run.recorder.subscribe("root", sink)
        run.hands.stir(20)
        run.gateway.until(lambda: state(run, id_) == "suspended", what="suspended")
        run.recorder.note("suspended", id_)
        time.sleep(1.5)
        assert len(sink.tried) == 1
        sink.answer = accept
        resume(run, id_)
        run.verify()


def set_status(run: Run, tenant: str, status: str) -> None:
    answer = run.gateway.send(
        "root", "PATCH", f"/admin/v1/tenants/{tenant}", {"status": status}, If_Match="*"
    )
    assert answer.status == 200, answer


def test_unsubscribing_and_suspending_a_tenant_silence_it_under_load(run: Run) -> None:
    """The sinks fail now and then, so that endpoints change state while they end."""
    count: Any = iter(range(10**9))
    with Sink(answer=lambda _: 503 if next(count) % 7 == 0 else 204) as sink:
        made = {
            who: [
                run.recorder.subscribe(who, sink, filter=wanted)
                for wanted in ({}, {"eventTypes": ["CREATE"]}, {"eventTypes": ["MODIFY"]})
            ]
            for who in ("alice", "charlie", "root")
        }
        with stirring(run.hands, 60):
            time.sleep(1.5)
            for who in ("alice", "root"):
                run.recorder.end(who, made[who][0])
            set_status(run, "globex", "suspended")
            for id_ in made["charlie"]:
                run.recorder.note("suspended", id_)
            time.sleep(7)
            quiet = [len(run.recorder.received(id_)) for id_ in made["charlie"]]
            time.sleep(1)
            assert quiet == [len(run.recorder.received(id_)) for id_ in made["charlie"]]
            assert run.recorder.missing() > 20
            for id_ in made["charlie"]:
                run.recorder.note("resumed", id_)
            set_status(run, "globex", "active")
        run.verify()
