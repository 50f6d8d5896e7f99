"""Is this process alive, and can it serve? Liveness touches nothing; readiness says what is missing, and
why."""

import time
from collections.abc import MutableMapping
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from netweave.runtime import runtime
from o2ims import metrics
from o2ims.gateway import gateway
from o2ims.mirror import mirror
from o2ims.models import Source

PATIENCE_SECONDS = 30.0
_STARTED = time.monotonic()

PATHS = frozenset({"/livez", "/readyz"})


def readiness() -> tuple[int, dict[str, Any]]:
    """The status and body of `/readyz`: 200 once the inventory is loaded (a worker has none) and until we
    are to stop.

    A dependency that is away degrades what is answered, and says so; it does not take the process out of
    service: reads go on.
    """
    loaded = not runtime.web or (
        mirror.ready and (_all_listed() or time.monotonic() - _STARTED > PATIENCE_SECONDS)
    )
    checks = {"inventory": "loaded" if loaded else "loading", "database": runtime.database}
    if runtime.stopping:
        return 503, {"status": "stopping", "checks": checks}
    if not loaded:
        return 503, {"status": "starting", "checks": checks}
    return 200, {"status": "ready" if runtime.database == "up" else "degraded", "checks": checks}


def _all_listed() -> bool:
    """Whether every configured source has been listed or has failed: before that, a short list would read
    as a deletion."""
    states = {shelf.facts.name: shelf.facts.state for shelf in mirror.followed}
    enabled = [backend.name for backend in gateway.current().backends if backend.enabled]
    return all(states.get(name, Source.State.STARTING) != Source.State.STARTING for name in enabled)


async def answer(scope: MutableMapping[str, Any], send: Any) -> None:
    """Answers `/livez` and `/readyz`."""
    status, body = (200, {"status": "alive"}) if scope["path"] == "/livez" else readiness()
    await _send(send, status, b"application/json", orjson.dumps(body))


async def operations(scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
    """The application on the operations port: health and `/metrics`, and nothing else."""
    if scope["type"] != "http":
        return
    if scope["path"] in PATHS:
        await answer(scope, send)
    elif scope["path"] == "/metrics":
        metrics.MIRROR_AGE.set(mirror.age)
        await _send(send, 200, CONTENT_TYPE_LATEST.encode(), generate_latest())
    else:
        await _send(
            send,
            404,
            b"application/problem+json",
            b'{"status":404,"title":"Not Found","detail":"/metrics, /livez, /readyz"}',
        )


async def _send(send: Any, status: int, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
