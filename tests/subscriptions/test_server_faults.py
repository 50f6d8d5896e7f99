"""Redis and Postgres are away: each run is written down, and its ledger has to hold."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.gateway import Answer
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.recorder import ORAN, SUBSCRIPTIONS
from tests.subscriptions.run import Run, running

pytestmark = [pytest.mark.xdist_group("subscription faults"), pytest.mark.timeout(300)]
COUNTS = (
    "SELECT (SELECT count(*) FROM subscriptions_endpoint), (SELECT count(*) FROM subscriptions_lane),"
    " (SELECT count(*) FROM (SELECT DISTINCT ON (subscription) data FROM subscriptions_journal"
    "  ORDER BY subscription, version DESC) newest WHERE data IS NOT NULL),"
    " (SELECT coalesce(sum(used), 0) FROM tenancy_quota WHERE name = 'maxSubscriptions')"
)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """One that may die."""
    with Redis() as found:
        yield found


@pytest.fixture(scope="module")
def run(postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(postgres, redis, tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def sink(run: Run) -> Iterator[Sink]:
    """A subscriber with four subscriptions, which are gone after the test."""
    with Sink() as found:
        for who in ("alice", "charlie"):
            for wanted in ({}, {"eventTypes": ["CREATE", "DELETE"]}):
                run.recorder.subscribe(who, found, filter=wanted)
        yield found
        for id_ in set(run.recorder.subscribed) - run.recorder.ended:
            run.recorder.end("root", id_)


def counted(run: Run) -> Any:
    with run.gateway.database() as rows:
        return rows.execute(COUNTS).fetchone()


def listed(run: Run) -> list[Any]:
    found: list[Any] = run.gateway.get("root", SUBSCRIPTIONS).body["items"]
    return found


def subscribe(run: Run, sink: Sink, path: str, root: str = SUBSCRIPTIONS) -> Answer:
    callback = sink.url.replace("/notifications", path)
    return run.gateway.send("alice", "POST", root, {"callback": callback})


def told_of(run: Run, answer: Answer) -> list[Any]:
    """What the audit trail says of a request, the newest first."""
    entries = run.gateway.get("root", f"/admin/v1/audit?requestId={answer.headers['x-request-id']}").body[
        "items"
    ]
    return [(entry["action"], entry["result"], entry["status"]) for entry in entries]


def is_refused(answer: Answer) -> bool:
    return answer.status == 503 and int(answer.headers["retry-after"]) > 0


@contextmanager
def away(redis: Redis) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()


def test_without_redis_subscriptions_are_read_and_told_but_not_changed(
    run: Run, redis: Redis, sink: Sink
) -> None:
    before, there = listed(run), counted(run)
    with away(redis), stirring(run.hands, 20):
        assert listed(run) == before
        one = before[0]["subscriptionId"]
        assert run.gateway.get("root", f"{SUBSCRIPTIONS}/{one}").body == before[0]
        for root in (SUBSCRIPTIONS, ORAN):
            assert is_refused(subscribe(run, sink, "/new", root))
        for method, path, body in (
            ("DELETE", "", None),
            ("PUT", "", {"callback": sink.url + "/other"}),
            ("POST", "/rotate-secret", None),
        ):
            answer = run.gateway.send("root", method, f"{SUBSCRIPTIONS}/{one}{path}", body, If_Match="*")
            assert is_refused(answer), (method, path, answer)
        assert counted(run) == there
        assert listed(run) == before
        told = len(sink.got)
        run.gateway.until(lambda: len(sink.got) > told + 20, what="notifications without Redis")
    assert listed(run) == before
    made = subscribe(run, sink, "/new")
    assert made.status == 201
    path = f"{SUBSCRIPTIONS}/{made.body['subscriptionId']}"
    assert run.gateway.send("alice", "DELETE", path, If_Match="*").status == 204
    assert "holds what the journal says" in run.gateway.manage("subscriptions", "verify")
    run.recorder.sinks.remove(sink)
    sink.tried = [one for one in sink.tried if one.path != "/new"]
    run.recorder.sinks.append(sink)
    run.verify()


def test_a_redis_that_has_forgotten_everything_is_whole_again_at_once(
    run: Run, redis: Redis, sink: Sink
) -> None:
    before = listed(run)
    for forget in (redis.clean, redis.restart):
        with stirring(run.hands, 20):
            forget()
            assert listed(run) == before
            assert "holds what the journal says" in run.gateway.manage("subscriptions", "verify")
    run.verify()


def test_with_too_few_replicas_nothing_is_subscribed_and_nothing_left_behind(
    postgres: Postgres, redis: Redis, run: Run, sink: Sink, tmp_path: Any
) -> None:
    with (
        Redis() as master,
        Redis(of=master) as replica,
        running(postgres, master, tmp_path, REDIS_REPLICAS="1") as other,
    ):
        other.gateway.until(lambda: replica.info("master_link_status") == "up", what="the replica")
        other.recorder.subscribe("alice", sink)
        before, there = listed(other), counted(other)
        replica.kill()
        refused = subscribe(other, sink, "/new")
        assert is_refused(refused)
        assert told_of(other, refused) == [("create", "error", 503), ("create", "success", 201)]
        assert counted(other) == there
        assert listed(other) == before
        other.hands.stir(10)
        other.recorder.quiet()
        replica.start()
        other.gateway.until(lambda: replica.info("master_link_status") == "up", what="the replica")
        assert subscribe(other, sink, "/new").status == 201
        assert counted(other) != there
        run.recorder.sinks.remove(sink)


def test_deliveries_pause_without_postgres_and_go_on(run: Run, postgres: Postgres, redis: Redis) -> None:
    def answer(_: Received) -> int:
        time.sleep(0.05)
        return 204

    with Sink(answer=answer) as sink:
        for who in ("alice", "root"):
            run.recorder.subscribe(who, sink)
        for _ in range(2):
            with stirring(run.hands, 30):
                time.sleep(1)
                postgres.kill()
                run.recorder.notes.append({"what": "killed", "process": "postgres", "at": time.time()})
                time.sleep(2)
                assert is_refused(subscribe(run, sink, "/new"))
                assert is_refused(run.gateway.get("", "/admin/", Cookie=f"session={'a' * 32}"))
                postgres.start()
        run.verify(seconds=90)
        assert run.gateway.get("", "/readyz").status == 200
        for id_ in set(run.recorder.subscribed) - run.recorder.ended:
            run.recorder.end("root", id_)
