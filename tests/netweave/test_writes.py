"""Writes as they run: over HTTP, with several processes, and with processes that die in the middle."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.gateway import Answer, Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

POOLS, RESOURCES = "/o2ims/v1/resourcePools", "/o2ims/v1/resources"
MADE = "SELECT state, native_name FROM o2ims_operation ORDER BY started_at"


@pytest.fixture
def served(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """Web and worker over a backend in a file; an open write is settled after two seconds."""
    gateway = Gateway(postgres, redis_server, OPERATION_LIMIT="2s")
    config = {"path": str(gateway.den.path / "mock.sqlite"), "live": 0}
    gateway.configure({"name": "one", "type": "mock", "default": True, "shared": True, "config": config})
    gateway.start(gateway.web, gateway.worker)
    yield gateway
    gateway.close()


def backend(gateway: Gateway) -> sqlite3.Connection:
    return sqlite3.connect(gateway.den.path / "mock.sqlite", timeout=5, isolation_level=None)


def made(gateway: Gateway) -> int:
    """How many pools named workers the backend has."""
    found = backend(gateway).execute("SELECT body FROM object WHERE kind = 'ResourcePool'").fetchall()
    return sum(b'"name":"workers"' in body for (body,) in found)


def shown(gateway: Gateway, *, port: int | None = None) -> list[str]:
    answer = gateway.get("alice", POOLS, port=port)
    return [item["name"] for item in answer.body["items"]] if answer.status == 200 else []


def operations(gateway: Gateway) -> list[str]:
    with gateway.database() as rows:
        return [state for state, _ in rows.execute(MADE)]


def changes(gateway: Gateway, object_id: str) -> list[str]:
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT type FROM o2ims_change WHERE object_id = %s ORDER BY sequence", [object_id]
        )
        return [type_ for (type_,) in found]


def test_a_write_shows_at_once_here_and_soon_elsewhere_and_is_recorded_once(served: Gateway) -> None:
    other, port = served.another_web()
    other.start()
    try:
        other.wait_ready(lambda: served.get("", "/readyz", port=port).status == 200)
        answer = served.send("alice", "POST", POOLS, {"name": "workers", "description": "d"})
        assert answer.status == 201
        id_ = answer.body["resourcePoolId"]
        assert served.get("alice", f"{POOLS}/{id_}").body == answer.body
        served.until(lambda: "workers" in shown(served, port=port), seconds=3, what="it elsewhere")
        time.sleep(1)  # the watch has told it by now
        assert changes(served, id_) == ["CREATE"]
        assert served.send("alice", "DELETE", f"{POOLS}/{id_}", port=port).status == 204
        served.until(lambda: "workers" not in shown(served), seconds=3, what="its end here")
        time.sleep(1)
        assert changes(served, id_) == ["CREATE", "DELETE"]
        assert answer.headers["x-request-id"]
    finally:
        other.stop()


def test_of_two_who_want_the_same_name_one_gets_it(served: Gateway) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(lambda _: served.send("alice", "POST", POOLS, {"name": "workers"}).status, range(8))
        )
    assert sorted(answers) == [201] + [409] * 7
    assert made(served) == 1
    assert shown(served).count("workers") == 1


def test_a_pool_deleted_while_it_is_being_made_ends_one_way_everywhere(served: Gateway) -> None:
    """The backend's own hands delete it between its making and our recording."""
    with served.database() as rows:
        rows.execute("SELECT * FROM o2ims_source FOR NO KEY UPDATE")
        with asking(served, {"name": "workers"}) as answer:
            served.until(lambda: made(served) == 1, seconds=5, what="the pool in the backend")
            hands = backend(served)
            hands.execute("INSERT INTO change (kind, native_id) VALUES ('ResourcePool', 'workers')")
            hands.execute("DELETE FROM object WHERE native_id = 'workers'")
            rows.rollback()
    assert answer[0].status == 201
    served.until(lambda: "workers" not in shown(served), seconds=10, what="the end of it")
    assert made(served) == 0


@contextmanager
def asking(gateway: Gateway, body: dict[str, Any]) -> Iterator[list[Answer]]:
    """A POST that is under way inside the block, answered (or not) at its end."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(gateway.send("alice", "POST", POOLS, body)))
    thread.start()
    try:
        yield answers
    finally:
        thread.join(30)


def killed(gateway: Gateway) -> None:
    """The web process dies as it is, and comes back."""
    gateway.web.kill()


def settles(gateway: Gateway, state: str) -> None:
    gateway.until(lambda: operations(gateway) == [state], seconds=20, what=f"the operation {state}")
    gateway.start(gateway.web)
    assert made(gateway) == (1 if state == "settled" else 0)
    gateway.until(lambda: shown(gateway).count("workers") == made(gateway), seconds=10, what="the truth")
    again = gateway.send("alice", "POST", POOLS, {"name": "workers"})
    assert again.status == (409 if state == "settled" else 201)
    assert made(gateway) == 1
    assert shown(gateway).count("workers") == 1


class TestAWebProcessKilled:
    def test_before_its_operation_is_written_has_done_nothing(self, served: Gateway) -> None:
        with served.database() as rows:
            rows.execute("LOCK TABLE o2ims_operation IN SHARE MODE")
            with asking(served, {"name": "workers"}):
                served.until(lambda: waits_for(served, "o2ims_operation"), seconds=5, what="the write")
                killed(served)
        assert operations(served) == []
        served.start(served.web)
        assert made(served) == 0
        assert served.send("alice", "POST", POOLS, {"name": "workers"}).status == 201

    def test_before_the_backend_has_done_it_leaves_none(self, served: Gateway) -> None:
        hands = backend(served)
        hands.execute("BEGIN IMMEDIATE")
        with asking(served, {"name": "workers"}):
            served.until(lambda: operations(served) == ["started"], seconds=5, what="the operation")
            time.sleep(0.2)  # it is at the backend's door now
            killed(served)
            hands.execute("ROLLBACK")
        settles(served, "failed")

    def test_after_the_backend_has_done_it_leaves_one_that_is_recorded(self, served: Gateway) -> None:
        with served.database() as rows:
            rows.execute("SELECT * FROM o2ims_source FOR NO KEY UPDATE")
            with asking(served, {"name": "workers"}):
                served.until(lambda: made(served) == 1, seconds=5, what="the pool in the backend")
                killed(served)
        settles(served, "settled")

    def test_and_its_worker_too_leaves_one_that_the_next_worker_records(self, served: Gateway) -> None:
        with served.database() as rows:
            rows.execute("SELECT * FROM o2ims_source FOR NO KEY UPDATE")
            with asking(served, {"name": "workers"}):
                served.until(lambda: made(served) == 1, seconds=5, what="the pool in the backend")
                killed(served)
                served.worker.kill()
        served.worker.start()
        settles(served, "settled")


def waits_for(gateway: Gateway, table: str) -> bool:
    """Whether somebody waits for a lock on a table."""
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table]
        ).fetchone()
    return found is not None and found[0] > 0
