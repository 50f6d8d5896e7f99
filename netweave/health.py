"""Is this process alive, and can it serve? Liveness touches nothing; readiness says what is missing, and why."""

from collections.abc import MutableMapping
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from netweave.runtime import runtime
from o2ims import metrics
from o2ims.mirror import mirror

PATHS = frozenset({"/livez", "/readyz"})


def readiness() -> tuple[int, dict[str, Any]]:
    """The status and body of `/readyz`: 200 once the inventory is loaded and until the process is asked to stop.

    A dependency that is away degrades what is answered, and says so; it does not take the process out of service: reads go on.
    """
    checks = {"inventory": "loaded" if mirror.ready else "loading", "database": runtime.database}
    if runtime.stopping:
        return 503, {"status": "stopping", "checks": checks}
    if not mirror.ready:
        return 503, {"status": "starting", "checks": checks}
    return 200, {"status": "ready" if runtime.database == "up" else "degraded", "checks": checks}


async def answer(scope: MutableMapping[str, Any], send: Any) -> None:
    """Answers `/livez` and `/readyz`."""
    status, body = (200, {"status": "alive"}) if scope["path"] == "/livez" else readiness()
    await _send(send, status, b"application/json", orjson.dumps(body))


async def operations(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """The application on the operations port: health and `/metrics`, and nothing else."""
    if scope["type"] != "http":
        return
    if scope["path"] in PATHS:
        await answer(scope, send)
    elif scope["path"] == "/metrics":
        metrics.MIRROR_AGE.set(mirror.age)
        await _send(send, 200, CONTENT_TYPE_LATEST.encode(), generate_latest())
    else:
        await _send(send, 404, b"application/problem+json", b'{"status":404,"title":"Not Found","detail":"/metrics, /livez, /readyz"}')


async def _send(send: Any, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
