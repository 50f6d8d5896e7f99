"""What becomes of a write whose outcome nobody told: one object or none, recorded, and nothing sent twice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.utils import timezone

from adapters.errors import Broken, Forbidden, TimedOut, Unreachable
from adapters.ims.memory import Adapter
from adapters.registry import IMS, Plugin
from adapters.types import Batch, Kind, ResourcePool
from o2ims import operations
from o2ims.gateway import gateway
from o2ims.models import Change, Item, Operation, Source
from tests.toy import Adapter as Toy
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

POOLS = "/o2ims/v1/resourcePools"
Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(IMS, "mock", Plugin("tests.toy"))
    yield
    Toy.reset()


def left(action: str, *, ago: timedelta | None = None, **facts: Any) -> Operation:
    """The row of a process that died after it had written it; it is due: a write has had its time."""
    began = timezone.now() - (settings.OPERATION_LIMIT + timedelta(seconds=1) if ago is None else ago)
    made = Operation(
        source=Source.objects.get(name="one"),
        action=action,
        kind=Kind.RESOURCE_POOL,
        tenant="acme",
        actor="alice@acme",
        request_id="a-request",
        fingerprint="f",
        started_at=began,
        deadline=timezone.now(),
        **facts,
    )
    made.save()
    return made


def settle() -> None:
    """What a worker does once a second."""
    for operation in operations.due():
        operations.settle(operation)


def now(operation: Operation) -> tuple[str, str]:
    operation.refresh_from_db()
    return operation.state, operation.error_class


def changes(object_id: UUID | str | None) -> list[str]:
    found = Change.objects.filter(object_id=str(object_id)).order_by("sequence")
    return list(found.values_list("type", flat=True))


def pool(adapter: Adapter, name: str) -> ResourcePool:
    (found,) = (found for found in adapter.pools() if found.name == name)
    return found


class TestALeftOperation:
    def test_whose_pool_was_made_is_settled_and_recorded(self, served: Adapter) -> None:
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        operation = left("create", native_name="workers")
        settle()
        assert now(operation) == ("settled", "")
        item = Item.objects.get(object_id=str(operation.object_id))
        assert (item.body["name"], item.tenant) == ("workers", "acme")
        assert (operation.answer or {})["id"] == str(item.object_id)
        assert changes(item.object_id) == ["CREATE"]
        assert Change.objects.get(object_id=item.object_id).request_id == "a-request"

    def test_whose_pool_was_not_made_has_failed(self, served: Adapter) -> None:
        operation = left("create", native_name="workers", idempotency_key="k")
        settle()
        assert now(operation) == ("failed", "NotFound")
        assert operation.idempotency_key == ""
        assert not Item.objects.filter(body__name="workers").exists()

    def test_is_not_settled_by_somebody_elses_pool(self, served: Adapter) -> None:
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="globex"))
        operation = left("create", native_name="workers")
        settle()
        assert now(operation) == ("failed", "NotFound")

    def test_that_changed_a_pool_records_what_it_is_now(self, served: Adapter) -> None:
        edge = pool(served, "Mock Edge Pool 1")
        served.update_pool(edge.native_id, replace(edge, description="changed"))
        item = Item.objects.get(native_id=edge.native_id, source__name="one")
        operation = left("update", native_id=edge.native_id, object_id=item.object_id)
        settle()
        assert now(operation) == ("settled", "")
        item.refresh_from_db()
        assert item.body["description"] == "changed"

    def test_that_deleted_a_pool_records_its_end(self, served: Adapter) -> None:
        edge = pool(served, "Mock Edge Pool 1")
        item = Item.objects.get(native_id=edge.native_id, source__name="one")
        operation = left("delete", native_id=edge.native_id, object_id=item.object_id)
        served.delete_pool(edge.native_id, tenant="acme", cascade=True)
        settle()
        assert now(operation) == ("settled", "")
        assert changes(item.object_id) == ["CREATE", "DELETE"]

    def test_that_did_not_delete_leaves_the_pool_as_it_is(self, served: Adapter) -> None:
        edge = pool(served, "Mock Edge Pool 1")
        item = Item.objects.get(native_id=edge.native_id, source__name="one")
        operation = left("delete", native_id=edge.native_id, object_id=item.object_id)
        settle()
        assert now(operation) == ("settled", "")
        assert (operation.answer or {})["id"] == str(item.object_id), (
            "it is still there, and that is recorded"
        )
        assert changes(item.object_id) == ["CREATE"]

    def test_waits_while_the_backend_is_away(self, served: Adapter) -> None:
        operation = left("create", native_name="workers")
        Toy.fault = Unreachable("one", "connection refused")
        settle()
        assert now(operation) == ("started", "Unreachable")
        assert operation.deadline > timezone.now()
        Toy.reset()
        Operation.objects.update(deadline=timezone.now())
        settle()
        assert now(operation)[0] == "failed"

    def test_ends_with_its_source(self, served: Adapter) -> None:
        operation = left("create", native_name="workers")
        Source.objects.update(retired_at=timezone.now())
        settle()
        assert now(operation) == ("failed", "NotFound")

    def test_is_settled_once_by_whoever_comes_first(self, served: Adapter) -> None:
        operation = left("create", native_name="workers")
        (first,), (second,) = operations.due(), operations.due()
        operations.settle(first)
        served.create_pool("workers", ResourcePool(native_id="", name="workers", tenant="acme"))
        operations.settle(second)
        assert now(operation) == ("failed", "NotFound")

    def test_is_not_due_before_its_deadline(self, served: Adapter) -> None:
        left("create", native_name="workers")
        Operation.objects.update(deadline=timezone.now() + timedelta(seconds=30))
        assert operations.due() == []


class TestAnUnheardAnswer:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (TimedOut("one", "no answer"), 504),
            (Unreachable("one", "reset"), 503),
            (Broken("one", "nonsense"), 502),
        ],
    )
    def test_is_told_and_settled_by_a_worker(
        self, served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
    ) -> None:
        original = Toy.create_pool

        def made_but_unheard(self: Toy, *words: Any, **more: Any) -> Batch:
            original(self, *words, **more)
            raise error

        monkeypatch.setattr(Toy, "create_pool", made_but_unheard)
        answer = send("alice", "POST", POOLS, {"name": "workers"})
        assert answer.status_code == status
        assert "look before you ask again" in answer.json()["detail"]
        operation = Operation.objects.get()
        assert now(operation) == ("started", type(error).__name__)
        assert operations.due() == [], "the backend may still be at it"
        Operation.objects.update(deadline=timezone.now())
        settle()
        assert now(operation) == ("settled", "")
        assert changes(operation.object_id) == ["CREATE"]
        assert send("alice", "POST", POOLS, {"name": "workers"}).status_code in {status, 409}
        assert [found.name for found in served.pools()].count("workers") == 1

    def test_what_a_backend_refuses_has_failed(
        self, served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuses(self: Toy, *words: Any, **more: Any) -> Batch:
            raise Forbidden("one", "SECRET quota of the cloud")

        monkeypatch.setattr(Toy, "create_pool", refuses)
        answer = send("alice", "POST", POOLS, {"name": "workers"})
        assert (answer.status_code, "SECRET" in answer.content.decode()) == (502, False)
        assert now(Operation.objects.get()) == ("failed", "Forbidden")

    def test_what_cannot_be_stored_is_no_answer(
        self, served: Adapter, send: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        odd = ResourcePool(native_id="odd", name="odd", extensions={"mock.odd": object()})
        monkeypatch.setattr(Toy, "create_pool", lambda *_, **__: Batch(objects=(odd,)))
        assert send("alice", "POST", POOLS, {"name": "workers"}).status_code == 502
        assert now(Operation.objects.get()) == ("started", "Broken")


def test_a_late_watch_event_older_than_our_write_changes_nothing(
    served: Adapter, send: Call, world: World
) -> None:
    before = pool(served, "Mock Edge Pool 1")
    item = Item.objects.get(native_id=before.native_id, source__name="one")
    path = f"{POOLS}/{item.object_id}"
    assert send("alice", "PUT", path, {"description": "ours"}).status_code == 200
    assert world.sources["one"].see(before) == []
    item.refresh_from_db()
    assert item.body["description"] == "ours"
    assert send("alice", "DELETE", f"{path}?cascade=true").status_code == 204
    assert world.sources["one"].see(before) == [], "and what is deleted is not revived"
    assert changes(item.object_id) == ["CREATE", "MODIFY", "DELETE"]


def test_of_a_source_without_versions_an_own_write_survives_a_list_that_began_before(
    served: Adapter, send: Call, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toy, "ordered", False)
    polled = world.source("one", ordered=False, shared=True)
    since = polled.record.sequence()
    listed = list(served.everything())
    made = send("alice", "POST", POOLS, {"name": "workers"}).json()["resourcePoolId"]
    polled.see(*listed, since=since)
    missing, _ = polled.record.missing({(kind, UUID(int=0)) for kind in Kind}, since)
    assert missing
    assert (Kind.RESOURCE_POOL, UUID(made)) not in dict(missing)
    assert changes(made) == ["CREATE"]


def test_an_operation_is_forgotten_with_the_changes_of_its_time(
    served: Adapter, send: Call, settings: Any, tmp_path: Path
) -> None:
    from o2ims.retention import tidy

    send("alice", "POST", POOLS, {"name": "workers"})
    left("create", native_name="still-open")
    settings.CHANGE_RETENTION = timedelta(0)
    tidy()
    assert [operation.native_name for operation in Operation.objects.all()] == ["still-open"]
    assert gateway.current().backends[0].name == "one"
