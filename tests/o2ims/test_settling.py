"""Somebody looks for what became of a write while its backend, its process or another write is still at it:
the operation's state says what is true, whoever is first."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.models import F

from adapters.errors import NotFound, TimedOut, Unauthorized
from adapters.ims.memory import Adapter
from adapters.types import Batch, ResourcePool
from o2ims import operations
from o2ims.mirror import mirror
from o2ims.models import Change, Item, Operation
from tests.o2ims.test_operations import changes, left, now, settle, toy
from tests.toy import Adapter as Toy
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

POOLS = "/o2ims/v1/resourcePools"
WORKERS = {"name": "workers"}
Call = Callable[..., Any]
__all__ = ["toy"]  # the fixture


def due_now() -> None:
    Operation.objects.update(deadline=F("started_at") - timedelta(seconds=1))


def begun_long_ago() -> None:
    """Everything that is open was begun longer ago than a write may take."""
    Operation.objects.update(started_at=F("started_at") - settings.OPERATION_LIMIT)
    due_now()


def named(adapter: Adapter, name: str = "workers") -> int:
    return [pool.name for pool in adapter.pools()].count(name)


@contextmanager
def asking(send: Call, *words: Any, **headers: str) -> Iterator["Future[Any]"]:
    """A request in a thread of its own."""

    def ask() -> Any:
        try:
            return send(*words, **headers)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(ask)


class TestABackendThatIsStillAtIt:
    @pytest.fixture(autouse=True)
    def unheard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def late(self: Toy, *words: Any, **more: Any) -> Batch:
            raise TimedOut("one", "did not answer in time")

        monkeypatch.setattr(Toy, "create_pool", late)

    def test_is_looked_at_again_and_what_it_does_late_is_recorded(self, served: Adapter, send: Call) -> None:
        assert send("alice", "POST", POOLS, WORKERS, Idempotency_Key="k").status_code == 504
        due_now()
        settle()
        assert now(Operation.objects.get()) == ("started", "TimedOut"), "not there yet: no answer yet"
        assert send("alice", "POST", POOLS, WORKERS, Idempotency_Key="k").status_code == 409, "under way"
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        due_now()
        settle()
        assert now(Operation.objects.get()) == ("settled", "")
        again = send("alice", "POST", POOLS, WORKERS, Idempotency_Key="k")
        assert (again.status_code, again.json()["name"], named(served)) == (201, "workers", 1)

    def test_is_waited_for_no_longer_than_a_write_may_take(self, served: Adapter, send: Call) -> None:
        send("alice", "POST", POOLS, WORKERS, Idempotency_Key="k")
        due_now()
        settle()
        operation = Operation.objects.get()
        assert operation.deadline <= operation.started_at + settings.OPERATION_LIMIT
        begun_long_ago()
        settle()
        assert now(operation) == ("failed", "NotFound")
        assert operation.idempotency_key == ""


@pytest.mark.parametrize("done", [True, False])
def test_a_change_that_was_only_looked_at_may_be_asked_for_again(
    served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    path = f"{POOLS}/{send('alice', 'POST', POOLS, WORKERS).json()['resourcePoolId']}"
    original = Toy.delete_pool

    def unheard(self: Toy, *words: Any, **more: Any) -> Batch:
        if done:
            original(self, *words, **more)
        raise TimedOut("one", "did not answer in time")

    monkeypatch.setattr(Toy, "delete_pool", unheard)
    assert send("alice", "DELETE", path, Idempotency_Key="k").status_code == 504
    due_now()
    settle()
    assert now(Operation.objects.latest("started_at")) == (
        ("settled", "") if done else ("started", "TimedOut")
    )
    begun_long_ago()
    settle()
    assert now(Operation.objects.latest("started_at")) == ("settled", "")
    mirror.follow()
    assert send("alice", "GET", path).status_code == (404 if done else 200)
    monkeypatch.setattr(Toy, "delete_pool", original)
    assert send("alice", "DELETE", path, Idempotency_Key="k").status_code == 204
    assert named(served) == 0
    assert changes(path.rpartition("/")[2]) == ["CREATE", "DELETE"]


class TestAnAnswerThatComesWhileSomebodyLooks:
    """The worker asks the backend; before it hears that nothing is there, it is made and recorded."""

    @pytest.fixture
    def crossing(self, served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        reached, looked = threading.Event(), threading.Event()
        original = Toy.create_pool

        def slow(self: Toy, *words: Any, **more: Any) -> Batch:
            reached.set()
            assert looked.wait(20)
            return original(self, *words, **more)

        monkeypatch.setattr(Toy, "create_pool", slow)
        with asking(send, "alice", "POST", POOLS, WORKERS, Idempotency_Key="k") as answer:
            assert reached.wait(20)

            def crosses(self: Toy, *words: Any, **more: Any) -> Batch:
                looked.set()
                assert answer.result(20).status_code == 201
                raise NotFound("one", "has no ResourcePool workers")

            monkeypatch.setattr(Toy, "find", crosses)
            begun_long_ago()
            yield answer

    def test_is_what_counts(self, served: Adapter, send: Call, crossing: Any) -> None:
        settle()
        operation = Operation.objects.get()
        assert now(operation) == ("done", "")
        assert (named(served), changes(operation.object_id)) == (1, ["CREATE"])
        again = send("alice", "POST", POOLS, WORKERS, Idempotency_Key="k")
        assert (again.status_code, again.json()) == (201, crossing.result().json())


@pytest.mark.parametrize(
    ("ordered", "again", "told"),
    [(True, {}, ["CREATE"]), (False, {"description": "again"}, ["CREATE", "MODIFY"])],
    ids=["just as it was", "without versions"],
)
def test_what_is_made_again_while_somebody_looks_does_not_end_with_what_was_deleted(
    served: Adapter,
    send: Call,
    monkeypatch: pytest.MonkeyPatch,
    ordered: bool,
    again: dict[str, str],
    told: list[str],
) -> None:
    monkeypatch.setattr(Toy, "ordered", ordered)
    made = send("alice", "POST", POOLS, WORKERS).json()["resourcePoolId"]
    original = Toy.delete_pool

    def unheard(self: Toy, *words: Any, **more: Any) -> Batch:
        original(self, *words, **more)
        raise TimedOut("one", "did not answer in time")

    def crosses(self: Toy, *words: Any, **more: Any) -> Batch:
        assert send("alice", "POST", POOLS, {**WORKERS, **again}).status_code == 201
        raise NotFound("one", "has no ResourcePool workers")

    monkeypatch.setattr(Toy, "delete_pool", unheard)
    monkeypatch.setattr(Toy, "find", crosses)
    assert send("alice", "DELETE", f"{POOLS}/{made}").status_code == 504
    operation = Operation.objects.get(action="delete")
    due_now()
    operations.settle(Operation.objects.get(pk=operation.pk))
    assert now(operation) == ("settled", "")
    assert (named(served), changes(made)) == (1, told)
    assert Item.objects.filter(object_id=made, deleted_at__isnull=True).exists()


class TestACreateThatSomebodyElsesObjectAnswers:
    def test_of_a_name_that_was_there_before_has_failed(self, served: Adapter, send: Call) -> None:
        first = send("alice", "POST", POOLS, WORKERS).json()["resourcePoolId"]
        operation = left("create", native_name="workers")
        Operation.objects.filter(pk=operation.pk).update(since=Change.objects.latest("sequence").sequence)
        settle()
        assert now(operation) == ("failed", "Conflict")
        assert (named(served), changes(first)) == (1, ["CREATE"])

    def test_of_a_name_that_another_write_got_meanwhile_has_failed(self, served: Adapter, send: Call) -> None:
        operation = left("create", native_name="workers")
        assert send("alice", "POST", POOLS, WORKERS).status_code == 201
        settle()
        assert now(operation) == ("failed", "Conflict")
        assert sorted(Operation.objects.values_list("state", flat=True)) == ["done", "failed"]

    def test_that_was_refused_for_it_and_died_before_it_said_so_has_failed(
        self, served: Adapter, send: Call, world: World
    ) -> None:
        """Made by other hands, and told by the watch, before."""
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        world.sources["one"].see(*served.pools())
        operation = left("create", native_name="workers", since=world.sources["one"].record.sequence())
        settle()
        assert now(operation) == ("failed", "Conflict")

    def test_that_the_watch_has_told_of_meanwhile_is_its_own(self, served: Adapter, world: World) -> None:
        operation = left("create", native_name="workers", since=world.sources["one"].record.sequence())
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        world.sources["one"].see(*served.pools())
        settle()
        assert now(operation) == ("settled", "")
        assert changes(operation.object_id) == ["CREATE"]

    def test_of_a_name_that_was_free_again_is_its_own(self, served: Adapter, send: Call) -> None:
        made = send("alice", "POST", POOLS, WORKERS).json()["resourcePoolId"]
        assert send("alice", "DELETE", f"{POOLS}/{made}").status_code == 204
        since = Change.objects.latest("sequence").sequence
        operation = left("create", native_name="workers", since=since, ago=timedelta(0))
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        settle()
        assert now(operation) == ("settled", "")
        assert changes(made) == ["CREATE", "DELETE", "CREATE"]


def test_the_key_of_a_change_that_was_done_answers_again_whatever_the_object_is_by_now(
    served: Adapter, send: Call
) -> None:
    made = send("alice", "POST", POOLS, WORKERS)
    path, tag = f"{POOLS}/{made.json()['resourcePoolId']}", made["ETag"]
    change = {"description": "changed"}
    first, again = (send("alice", "PUT", path, change, If_Match=tag, Idempotency_Key="k-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.json(), again["ETag"]) == (first.json(), first["ETag"])
    assert send("alice", "PUT", path, change, If_Match=tag).status_code == 412, "without the key"
    gone, still = (
        send("alice", "DELETE", path, If_Match=first["ETag"], Idempotency_Key="k-2") for _ in range(2)
    )
    assert (gone.status_code, still.status_code) == (204, 204)
    assert send("alice", "PUT", path, change, If_Match=tag, Idempotency_Key="k-1").json() == first.json()
    assert send("alice", "DELETE", path).status_code == 404
    assert send("root", "DELETE", path, Idempotency_Key="k-2").status_code == 404
    assert send("alice", "PUT", path, {"description": "x"}, Idempotency_Key="k-1").status_code == 422
    assert changes(made.json()["resourcePoolId"]) == ["CREATE", "MODIFY", "DELETE"]


def test_a_change_that_nobody_knows_the_outcome_of_is_under_way_also_where_the_object_is_gone(
    served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unheard(self: Toy, *words: Any, **more: Any) -> Batch:
        raise TimedOut("one", "did not answer in time")

    monkeypatch.setattr(Toy, "update_pool", unheard)
    path = f"{POOLS}/{send('alice', 'POST', POOLS, WORKERS).json()['resourcePoolId']}"
    wanted = {**WORKERS, "description": "changed"}
    assert send("alice", "PUT", path, wanted, Idempotency_Key="k").status_code == 504
    assert send("alice", "DELETE", path).status_code == 204
    again = send("alice", "PUT", path, wanted, Idempotency_Key="k")
    assert (again.status_code, "under way" in again.json()["detail"]) == (409, True)


def test_a_plugins_own_error_is_told_as_the_class_of_the_tree_it_is_of(
    served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TokenRanOutADayAgo(Unauthorized):
        """A plugin's."""

    def refuses(self: Toy, *words: Any, **more: Any) -> Batch:
        raise TokenRanOutADayAgo("one", "get a new one")

    monkeypatch.setattr(Toy, "create_pool", refuses)
    assert send("alice", "POST", POOLS, WORKERS).status_code == 502
    assert now(Operation.objects.get()) == ("failed", "Unauthorized")
    assert not Item.objects.filter(body__name="workers").exists()
    assert operations.due() == []
