"""What tests of subscriptions stand on: a gateway that runs, with one lively backend that tests hold in their
hands, and a subscriber."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Options
from adapters.ims.memory import Adapter
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.subscriptions.hands import Hands
from tests.subscriptions.recorder import Recorder

SETTINGS = {"ALLOW_LOOPBACK_CALLBACKS": "1"}


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
    answer = gateway.send(who, "POST", "/o2ims/v1/subscriptions", {"callback": callback, **more})
    assert answer.status == 201, answer
    found: dict[str, Any] = answer.body
    return found


@pytest.fixture
def stored(counted: None, settings: Any) -> None:
    """Redis is there, and callbacks may go to this machine."""
    settings.ALLOW_LOOPBACK_CALLBACKS = True


@dataclass
class Run:
    """A gateway that runs, hands in its backend, and the recorder of what happens."""

    gateway: Gateway
    hands: Hands
    recorder: Recorder
    path: Path

    def quiet(self, *, seconds: float = 60) -> None:
        """Waits until the backend has been seen as it is, everything has arrived, and readers see it too."""
        self.gateway.until(self._is_seen, seconds=seconds, what="the collector")
        self.recorder.quiet(seconds=seconds)
        self.gateway.until(self._is_shown, seconds=seconds, what="the mirror")

    def _is_seen(self) -> bool:
        there = {one.native_id: one.description for one in self.hands.adapter.resources()}
        with self.gateway.database() as rows:
            found = rows.execute(
                "SELECT native_id, body->>'description' FROM o2ims_item i JOIN o2ims_source s"
                " ON s.id = i.source_id WHERE s.key = %s AND i.kind = 'Resource' AND deleted_at IS NULL",
                [self.hands.source],
            ).fetchall()
        return dict(found) == there

    def _is_shown(self) -> bool:
        there = sorted(one.description for one in self.hands.adapter.resources())
        shown = self.gateway.get("root", "/o2ims/v1/resources?limit=1000").body["items"]
        return sorted(one["description"] for one in shown) == there

    def verify(self, *, seconds: float = 60) -> None:
        """Waits until everything has arrived; then the ledger has to hold."""
        self.quiet(seconds=seconds)
        self.recorder.notes += self.hands.made
        self.hands.made.clear()
        self.recorder.verify(self.path)


@contextmanager
def running(
    postgres: Postgres, redis: Redis, path: Path, *, poll: str = "", **settings: str
) -> Iterator[Run]:
    """Web and worker on one still backend, with these settings; nobody is held back for being fast."""
    redis.clean()
    gateway = Gateway(postgres, redis, **{**SETTINGS, "DELIVERY_RATE": "0", **settings})
    try:
        config: dict[str, Any] = {"path": str(gateway.den.path / "one.sqlite"), "live": 0, "objects": 20}
        config |= {"poll": poll} if poll else {}
        gateway.configure({"name": "one", "type": "mock", "shared": True, "config": config})
        hands = Hands("one", {name: value for name, value in config.items() if name != "poll"})
        gateway.start(gateway.web, gateway.worker)
        yield Run(gateway, hands, Recorder(gateway), path / "ledger.jsonl")
        hands.adapter.close()
    finally:
        gateway.close()
