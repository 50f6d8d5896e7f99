"""From a change in a backend to its subscriber, with every part as it runs."""

from adapters.ims.memory import Adapter
from adapters.types import ResourcePool
from tests.gateway import Gateway
from tests.sink import Sink
from tests.subscriptions.conftest import subscribe


def made(backend: Adapter, name: str, tenant: str | None = "acme") -> None:
    backend.create_pool(name, ResourcePool(native_id="", name=name, tenant=tenant))


def test_a_change_arrives_signed(gateway: Gateway, backend: Adapter, sink: Sink) -> None:
    made_ = subscribe(gateway, "alice", sink.url, consumerSubscriptionId="mine")
    made(backend, "new-pool")
    gateway.until(lambda: sink.got, seconds=10, what="the notification")
    (first,) = sink.got
    assert sink.verified(made_["secret"])
    body = first.json
    assert body["consumerSubscriptionId"] == "mine"
    assert body["notificationEventType"] == 0
    assert body["notificationId"] == first.id
    assert first.sequence == 1
    assert body["postObjectState"]["name"] == "new-pool"
    assert "priorObjectState" not in body
    shown = gateway.get("alice", body["objectRef"].removeprefix(gateway.url))
    assert (shown.status, shown.body) == (200, body["postObjectState"])
