"""What tests of subscriptions stand on: a gateway that runs, with one lively backend that tests hold in their
hands, and a subscriber."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.base import Options
from adapters.ims.memory import Adapter
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.subscriptions.recorder import SUBSCRIPTIONS
from tests.subscriptions.run import SETTINGS
from tests.world import World

Call = Callable[..., Any]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as found:
        yield found


@pytest.fixture
def gateway(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """A web process and a worker apart, on a shared memory backend that is still until a test changes it."""
    redis_server.clean()
    found = Gateway(postgres, redis_server, **SETTINGS)
    path = str(found.den.path / "one.sqlite")
    found.configure(
        {"name": "one", "type": "mock", "shared": True, "config": {"path": path, "live": 0, "objects": 20}}
    )
    found.start(found.web, found.worker)
    yield found
    found.close()


@pytest.fixture
def backend(gateway: Gateway) -> Iterator[Adapter]:
    """The backend of `gateway` in other hands."""
    config: dict[str, Any] = {"path": str(gateway.den.path / "one.sqlite"), "live": 0, "objects": 20}
    adapter = Adapter(Options(name="one", key="one", config=config))
    yield adapter
    adapter.close()


def subscribe(gateway: Gateway, who: str, callback: str, **more: Any) -> dict[str, Any]:
    """A new subscription, with its secret."""
    answer = gateway.send(who, "POST", SUBSCRIPTIONS, {"callback": callback, **more})
    assert answer.status == 201, answer
    found: dict[str, Any] = answer.body
    return found


@pytest.fixture
def stored(counted: None, settings: Any) -> None:
    """Redis is there, and callbacks may go to this machine."""
    settings.ALLOW_LOOPBACK_CALLBACKS = True


@pytest.fixture
def post(call: Call, stored: None, sample: World) -> Call:
    """A body, as JSON, to the subscriptions of a root or to what is below one; the sample is there."""

    def send(who: str, body: Any, path: str = SUBSCRIPTIONS, method: str = "POST", **headers: str) -> Any:
        content = body if isinstance(body, str) else json.dumps(body)
        return call(who, path, method=method, data=content, content_type="application/json", headers=headers)

    return send
