"""Writes as they run: over HTTP, with several processes, at the same time as others."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import written
from tests.gateway import Gateway
from tests.peers.fault_proxy import FaultProxy, Pass, Silence
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.written import POOLS, asking, backend, changes, made, operations, shown

pytestmark = pytest.mark.xdist_group("writes")


@pytest.fixture(scope="module")
def served(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """Web, another web (`port`), and worker over a backend in a file; a write has one second."""
    gateway = Gateway(postgres, redis_server, OPERATION_LIMIT="1s")
    written.configure(gateway)
    gateway.start(gateway.web, gateway.worker)
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def elsewhere(served: Gateway, postgres: Postgres) -> Iterator[tuple[int, FaultProxy]]:
    """The port of a second web process, and what is between it and Postgres."""
    with FaultProxy(postgres.port) as network:
        url = served.environment["DATABASE_URL"]
        served.environment["DATABASE_URL"] = url.replace(f":{postgres.port}/", f":{network.port}/")
        process, port = served.another_web()
        served.environment["DATABASE_URL"] = url
        process.start()
        process.wait_ready(lambda: served.get("", "/readyz", port=port).status == 200)
        yield port, network
        process.stop()


@pytest.fixture
def name() -> str:
    """A name that no other test gives a pool."""
    return f"workers-{uuid.uuid4().hex[:8]}"


def test_a_write_shows_at_once_here_and_soon_elsewhere_and_is_recorded_once(
    served: Gateway, elsewhere: tuple[int, FaultProxy], name: str
) -> None:
    port, _ = elsewhere
    answer = served.send("alice", "POST", POOLS, {"name": name, "description": "d"})
    assert answer.status == 201
    id_ = answer.body["resourcePoolId"]
    assert served.get("alice", f"{POOLS}/{id_}").body == answer.body
    served.until(lambda: name in shown(served, port=port), seconds=3, what="it elsewhere")
    time.sleep(1)  # the watch has told it by now
    assert changes(served, id_) == ["CREATE"]
    assert served.send("alice", "DELETE", f"{POOLS}/{id_}", port=port).status == 204
    served.until(lambda: name not in shown(served), seconds=3, what="its end here")
    time.sleep(1)
    assert changes(served, id_) == ["CREATE", "DELETE"]
    assert answer.headers["x-request-id"]


def test_of_those_who_want_the_same_name_at_two_processes_one_gets_it(
    served: Gateway, elsewhere: tuple[int, FaultProxy], name: str
) -> None:
    hands = backend(served)
    hands.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(8) as threads:
        ports = [served.port, elsewhere[0]] * 4
        asked = [threads.submit(served.send, "alice", "POST", POOLS, {"name": name}, port=p) for p in ports]
        served.until(lambda: operations(served, name) == ["started"] * 8, seconds=4, what="all at the door")
        hands.execute("ROLLBACK")
        answers = [each.result(20) for each in asked]
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert made(served, name) == 1
    assert sorted(operations(served, name)) == ["done", *["failed"] * 7]
    (first,) = (answer for answer in answers if answer.status == 201)
    for port in ports[:2]:
        served.until(lambda: shown(served, port=port).count(name) == 1, seconds=3, what="one")  # noqa: B023
    assert changes(served, first.body["resourcePoolId"]) == ["CREATE"]


def test_of_one_key_at_two_processes_at_the_same_time_there_is_one_write(
    served: Gateway, elsewhere: tuple[int, FaultProxy], name: str
) -> None:
    hands = backend(served)
    hands.execute("BEGIN IMMEDIATE")
    body = {"name": name}
    with asking(served, "POST", POOLS, body, port=elsewhere[0], Idempotency_Key=name) as answers:
        served.until(lambda: operations(served, name) == ["started"], seconds=4, what="the first at the door")
        second = served.send("alice", "POST", POOLS, body, Idempotency_Key=name)
        hands.execute("ROLLBACK")
    assert (second.status, second.headers["retry-after"]) == (409, "2")
    third = served.send("alice", "POST", POOLS, body, Idempotency_Key=name)
    assert (answers[0].status, third.status) == (201, 201)
    assert third.body == answers[0].body
    assert (operations(served, name), made(served, name)) == (["done"], 1)


def test_a_backend_that_is_slower_than_a_write_may_be_makes_one_pool_and_the_operation_says_so(
    served: Gateway, name: str
) -> None:
    """A worker finds nothing and calls it failed; then the backend does it, and who waits for it hears so."""
    hands = backend(served)
    hands.execute("BEGIN IMMEDIATE")
    with asking(served, "POST", POOLS, {"name": name}, Idempotency_Key=name) as answers:
        served.until(lambda: operations(served, name) == ["failed"], seconds=4.5, what="the worker's word")
        hands.execute("ROLLBACK")
    assert answers[0].status == 201
    assert (operations(served, name), made(served, name)) == (["done"], 1)
    assert shown(served).count(name) == 1
    assert changes(served, answers[0].body["resourcePoolId"]) == ["CREATE"]


def test_a_pool_deleted_elsewhere_while_who_makes_it_stalls_stays_deleted(
    served: Gateway, elsewhere: tuple[int, FaultProxy], name: str
) -> None:
    """The backend has made it and the watch has told it; the process that asked hears nothing of Postgres."""
    port, network = elsewhere
    hands = backend(served)
    hands.execute("BEGIN IMMEDIATE")
    with asking(served, "POST", POOLS, {"name": name}, port=port) as answers:
        served.until(lambda: operations(served, name) == ["started"], seconds=4, what="it at the door")
        network.fault = Silence()
        hands.execute("ROLLBACK")
        served.until(lambda: name in shown(served), seconds=4, what="it, by the watch")
        id_ = pool_id(served, name)
        assert served.send("alice", "DELETE", f"{POOLS}/{id_}").status == 204
        assert answers == []
        network.fault = Pass()
    assert answers[0].status == 201
    assert answers[0].body["resourcePoolId"] == id_
    assert operations(served, name) == ["done", "done"]
    for place in (served.port, port):
        served.until(lambda: name not in shown(served, port=place), seconds=3, what="its end")  # noqa: B023
    assert (made(served, name), changes(served, id_)) == (0, ["CREATE", "DELETE"])


def test_a_name_that_is_freed_and_taken_at_the_same_time_ends_as_the_backend_has_it(
    served: Gateway, elsewhere: tuple[int, FaultProxy], name: str
) -> None:
    """Deleted at one process, made again at the other: whoever is recorded first."""
    for _ in range(5):
        id_ = served.send("alice", "POST", POOLS, {"name": name}).body["resourcePoolId"]
        with asking(served, "DELETE", f"{POOLS}/{id_}") as gone:
            again = served.send("alice", "POST", POOLS, {"name": name}, port=elsewhere[0])
        assert gone[0].status == 204
        assert again.status in {201, 409}
        left = made(served, name)
        assert left == (1 if again.status == 201 else 0)
        served.until(lambda: shown(served).count(name) == left, seconds=3, what="the truth")  # noqa: B023
        time.sleep(0.2)  # the watch has told it by now
        assert shown(served).count(name) == left
        told = changes(served, id_)
        assert told == ["CREATE", "DELETE"] * (len(told) // 2) + ["CREATE"] * left
        if left:
            assert served.send("alice", "DELETE", f"{POOLS}/{id_}").status == 204


def test_a_pool_deleted_by_other_hands_while_it_is_being_recorded_stays_deleted(
    served: Gateway, name: str
) -> None:
    with served.database() as rows:
        rows.execute("SELECT * FROM o2ims_source FOR NO KEY UPDATE")
        with asking(served, "POST", POOLS, {"name": name}) as answers:
            served.until(lambda: made(served, name) == 1, seconds=5, what="the pool in the backend")
            hands = backend(served)
            hands.execute("INSERT INTO change (kind, native_id) VALUES ('ResourcePool', ?)", [name])
            hands.execute("DELETE FROM object WHERE native_id = ?", [name])
            rows.rollback()
    assert answers[0].status == 201
    served.until(lambda: name not in shown(served), seconds=10, what="the end of it")
    assert made(served, name) == 0


def pool_id(gateway: Gateway, name: str) -> str:
    (found,) = (p for p in gateway.get("alice", POOLS).body["items"] if p["name"] == name)
    return str(found["resourcePoolId"])
