"""A gateway that runs, with hands in its backend and a recorder of all that is told: what the scenarios of
faults stand on, in tests and in the bench."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.subscriptions.hands import Hands
from tests.subscriptions.recorder import Recorder

SETTINGS = {"ALLOW_LOOPBACK_CALLBACKS": "1"}


@dataclass
class Run:
    """A gateway that runs, hands in its backend, and the recorder of what happens."""

    gateway: Gateway
    hands: Hands
    recorder: Recorder
    path: Path

    def quiet(self, *, seconds: float = 60) -> None:
        """Waits until the backend has been seen as it is, everything has arrived, and readers see it too."""
        self.gateway.until(self.is_seen, seconds=seconds, what="the collector")
        self.recorder.quiet(seconds=seconds)
        self.gateway.until(self._is_shown, seconds=seconds, what="the mirror")

    def is_seen(self) -> bool:
        """Whether the inventory holds what is in the backend."""
        there = {one.native_id: one.description for one in self.hands.adapter.resources()}
        with self.gateway.database() as rows:
            found = rows.execute(
                "SELECT native_id, body->>'description' FROM o2ims_item i JOIN o2ims_source s"
                " ON s.id = i.source_id WHERE s.key = %s AND i.kind = 'Resource' AND deleted_at IS NULL",
                [self.hands.source],
            ).fetchall()
        return dict(found) == there

    def _is_shown(self) -> bool:
        with self.gateway.database() as rows:
            found = rows.execute(
                "SELECT object_id::text, CASE WHEN deleted_at IS NULL THEN body->>'description' END"
                " FROM o2ims_item i JOIN o2ims_source s ON s.id = i.source_id"
                " WHERE s.key = %s AND i.kind = 'Resource'",
                [self.hands.source],
            ).fetchall()
        shown = self.gateway.everything("root", "/o2ims/v1/resources")
        texts = {one["resourceId"]: one["description"] for one in shown}
        return all(texts.get(id_) == text for id_, text in found)

    def verify(self, *, seconds: float = 60) -> None:
        """Waits until everything has arrived; then the ledger has to hold."""
        self.quiet(seconds=seconds)
        self.recorder.notes += self.hands.made
        self.hands.made.clear()
        self.recorder.verify(self.path)


@contextmanager
def running(
    postgres: Postgres, redis: Redis, path: Path, *, poll: str = "", objects: int = 20, **settings: str
) -> Iterator[Run]:
    """Web and worker on one still backend, with these settings; nobody is held back for being fast."""
    redis.clean()
    gateway = Gateway(postgres, redis, **{**SETTINGS, "DELIVERY_RATE": "0", **settings})
    try:
        config: dict[str, Any] = {"path": str(gateway.den.path / "one.sqlite"), "live": 0, "objects": objects}
        config |= {"poll": poll} if poll else {}
        gateway.configure({"name": "one", "type": "mock", "shared": True, "config": config})
        hands = Hands("one", {name: value for name, value in config.items() if name != "poll"})
        gateway.start(gateway.web, gateway.worker)
        yield Run(gateway, hands, Recorder(gateway), path / "ledger.jsonl")
        hands.adapter.close()
    finally:
        gateway.close()
