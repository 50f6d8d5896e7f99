"""A web process dies by SIGKILL at every step of a write: there is one object or none, the operation's state
is true, and a repeat with the same key makes it as the caller wanted it, once.

    row ─► its commit ─► the backend ─► record ─► answer
       ①             ②            ③          ④         ⑤

What holds it up at each step is what it waits for there anyway: a lock in Postgres or in the backend's file,
or a network that carries nothing back.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import written
from tests.gateway import Answer, Gateway
from tests.peers.fault_proxy import FaultProxy, Silence
from tests.peers.postgres import Postgres
from tests.peers.process import Process
from tests.peers.redis import Redis
from tests.written import POOLS, asking, backend, changes, made, operations, shown, told, waits

pytestmark = pytest.mark.xdist_group("killed")


@pytest.fixture(scope="module")
def served(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """Web and worker over a backend in a file; a write has one second."""
    gateway = Gateway(postgres, redis_server, OPERATION_LIMIT="1s")
    written.configure(gateway)
    gateway.start(gateway.web, gateway.worker)
    yield gateway
    gateway.close()


@dataclass
class Victim:
    """A web process that will die, what is between it and Postgres, and what it is asked for: to make a pool
    of that name, or (`id`) to delete it."""

    gateway: Gateway
    postgres: Postgres
    process: Process
    port: int
    network: FaultProxy
    name: str = field(default_factory=lambda: f"workers-{uuid.uuid4().hex[:8]}")
    id: str = ""

    @property
    def request(self) -> tuple[str, str, Any]:
        if self.id:
            return "DELETE", f"{POOLS}/{self.id}", None
        return "POST", POOLS, {"name": self.name}

    def asked(self) -> AbstractContextManager[list[Answer]]:
        """It is asked, inside the block."""
        named = {"Idempotency_Key": self.name, "X_Request_Id": self.name}
        return asking(self.gateway, *self.request, port=self.port, **named)

    def again(self) -> Answer:
        """Another process is asked the same, with the same key."""
        return self.gateway.send("alice", *self.request, Idempotency_Key=self.name)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        self.gateway.until(condition, seconds=10, what=what)

    def until_started(self) -> None:
        self.until(lambda: operations(self.gateway, self.name)[-1:] == ["started"], "the operation")


@pytest.fixture
def victim(served: Gateway, postgres: Postgres) -> Iterator[Victim]:
    with FaultProxy(postgres.port) as network:
        url = served.environment["DATABASE_URL"]
        served.environment["DATABASE_URL"] = url.replace(f":{postgres.port}/", f":{network.port}/")
        process, port = served.another_web()
        served.environment["DATABASE_URL"] = url
        process.start()
        process.wait_ready(lambda: served.get("", "/readyz", port=port).status == 200)
        yield Victim(served, postgres, process, port, network)
        process.kill()


@contextmanager
def before_the_row(victim: Victim) -> Iterator[None]:
    with victim.gateway.database() as rows:
        rows.execute("LOCK TABLE o2ims_operation IN SHARE MODE")
        with victim.asked():
            victim.until(lambda: waits(victim.postgres, 'INSERT INTO "o2ims_operation"'), "the row")
            yield


@contextmanager
def before_the_call(victim: Victim) -> Iterator[None]:
    """The row is there, and its process has not heard so."""
    with victim.gateway.database() as rows:
        rows.execute("SELECT * FROM o2ims_source FOR UPDATE")
        with victim.asked():
            victim.until(lambda: waits(victim.postgres, "COMMIT"), "the commit")
            victim.network.fault = Silence()
            rows.rollback()
            victim.until_started()
            yield


@contextmanager
def during_the_call(victim: Victim) -> Iterator[None]:
    hands = backend(victim.gateway)
    hands.execute("BEGIN IMMEDIATE")
    with victim.asked():
        victim.until_started()
        time.sleep(0.3)  # it is at the backend's door now
        yield
        hands.execute("ROLLBACK")


@contextmanager
def before_the_record(victim: Victim) -> Iterator[None]:
    before = made(victim.gateway, victim.name)
    with victim.gateway.database() as rows:
        rows.execute("SELECT * FROM o2ims_source FOR NO KEY UPDATE")
        with victim.asked():
            victim.until(lambda: made(victim.gateway, victim.name) != before, "the backend's deed")
            yield


@contextmanager
def before_the_answer(victim: Victim) -> Iterator[None]:
    """Who waits for the whole table gets it as soon as what is being recorded is committed; then the mirror's
    look at the sources, which is between that and the answer, waits."""
    hands = backend(victim.gateway)
    hands.execute("BEGIN IMMEDIATE")
    with (
        victim.gateway.database() as row,
        victim.gateway.database() as table,
        ThreadPoolExecutor(1) as thread,
        victim.asked() as answers,
    ):
        victim.until_started()
        row.execute("SELECT * FROM o2ims_operation WHERE state = 'started' FOR UPDATE")
        hands.execute("ROLLBACK")
        victim.until(lambda: waits(victim.postgres, 'UPDATE "o2ims_operation"'), "the record")
        lock = thread.submit(table.execute, "LOCK TABLE o2ims_source IN ACCESS EXCLUSIVE MODE")
        victim.until(lambda: waits(victim.postgres, "LOCK TABLE"), "the lock")
        row.rollback()
        lock.result(10)
        victim.until(lambda: operations(victim.gateway, victim.name)[-1:] == ["done"], "the commit")
        assert answers == []
        yield
        table.rollback()
    assert [answer.status for answer in answers] == [0]


Step = Callable[[Victim], AbstractContextManager[None]]
CREATES: list[tuple[Step, list[str], int]] = [
    (before_the_row, [], 0),
    (before_the_call, ["failed"], 0),
    (during_the_call, ["failed"], 0),
    (before_the_record, ["settled"], 1),
    (before_the_answer, ["done"], 1),
]
DELETES: list[tuple[Step, list[str], int]] = [
    (before_the_call, ["settled"], 1),
    (during_the_call, ["settled"], 1),
    (before_the_record, ["settled"], 0),
    (before_the_answer, ["done"], 0),
]


def names(cases: list[tuple[Step, list[str], int]]) -> list[str]:
    return [step.__name__ for step, _, _ in cases]


def killed_at(victim: Victim, step: Step) -> None:
    with step(victim):
        assert victim.process.alive
        victim.process.kill()


def there_are(victim: Victim, count: int) -> None:
    """The backend has so many, and so many are shown."""
    gateway = victim.gateway
    gateway.until(lambda: shown(gateway).count(victim.name) == count, seconds=10, what=f"{count} shown")
    assert made(gateway, victim.name) == count


@pytest.mark.parametrize(("step", "states", "count"), CREATES, ids=names(CREATES))
def test_of_a_pool_that_was_being_made_there_is_one_or_none(
    victim: Victim, step: Step, states: list[str], count: int
) -> None:
    gateway = victim.gateway
    killed_at(victim, step)
    gateway.until(lambda: operations(gateway, victim.name) == states, seconds=20, what=f"{states}")
    there_are(victim, count)
    again = victim.again()
    assert again.status == 201
    there_are(victim, 1)
    assert gateway.get("alice", f"{POOLS}/{again.body['resourcePoolId']}").body == again.body
    assert changes(gateway, again.body["resourcePoolId"]) == ["CREATE"]
    assert operations(gateway, victim.name) == (states if count else [*states, "done"])
    outcome = {"settled": ("success", None), "done": ("success", 201), "failed": ("error", None)}
    assert told(gateway, victim.name) == [("create", *outcome[state]) for state in states]


@pytest.mark.parametrize(("step", "states", "count"), DELETES, ids=names(DELETES))
def test_of_a_pool_that_was_being_deleted_there_is_one_or_none(
    victim: Victim, step: Step, states: list[str], count: int
) -> None:
    gateway = victim.gateway
    victim.id = gateway.send("alice", "POST", POOLS, {"name": victim.name}).body["resourcePoolId"]
    gateway.until(
        lambda: gateway.get("alice", f"{POOLS}/{victim.id}", port=victim.port).status == 200, what="it there"
    )
    killed_at(victim, step)
    gateway.until(lambda: operations(gateway, victim.name)[1:] == states, seconds=20, what=f"{states}")
    there_are(victim, count)
    assert victim.again().status == 204
    there_are(victim, 0)
    assert changes(gateway, victim.id) == ["CREATE", "DELETE"]
    status = 204 if states == ["done"] else None
    assert told(gateway, victim.name) == [("delete", "success", status)]


def test_with_its_worker_too_the_next_worker_settles(victim: Victim) -> None:
    gateway = victim.gateway
    with before_the_record(victim):
        victim.process.kill()
        gateway.worker.kill()
    assert operations(gateway, victim.name) == ["started"]
    gateway.worker.start()
    gateway.until(lambda: operations(gateway, victim.name) == ["settled"], seconds=30, what="it settled")
    there_are(victim, 1)


def test_one_that_was_about_to_be_refused_does_not_take_anothers_pool_for_its_own(victim: Victim) -> None:
    """The name is another's by the time the backend hears of it; its process dies before it says so."""
    gateway = victim.gateway
    hands = backend(gateway)
    hands.execute("BEGIN IMMEDIATE")
    with victim.asked():
        victim.until_started()
        victim.process.pause()
        hands.execute("ROLLBACK")
        theirs = gateway.send("alice", "POST", POOLS, {"name": victim.name})
        victim.process.kill()
    assert theirs.status == 201
    gateway.until(
        lambda: operations(gateway, victim.name) == ["failed", "done"], seconds=20, what="one of the two"
    )
    there_are(victim, 1)
    assert changes(gateway, theirs.body["resourcePoolId"]) == ["CREATE"]
