"""T38: whatever strangers write where it could become a label, the metrics do not grow."""

import base64
import ipaddress
import logging
import random
from collections.abc import Coroutine
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.handlers.asgi import ASGIRequest
from prometheus_client import generate_latest
from pytest_django.fixtures import Settings

from netweave import problems
from netweave.front import front
from tenancy.metrics import AUTH
from tenancy.middleware import IdentityMiddleware
from tests.certificates import Authority
from tests.world import Cast

REQUESTS, MORE = 100_000, 50
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
NAME = "AAAAAAAAAAAA"


def series() -> int:
    """How many lines the metrics have."""
    return len([line for line in generate_latest().splitlines() if not line.startswith(b"#")])


def done(call: Coroutine[Any, Any, None]) -> None:
    """Runs what never waits, without a loop."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


def test_a_hundred_thousand_names_and_paths_make_no_series(
    cast: Cast, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # its lines would cost more than all the rest
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1/32")]
    shown = Authority(tmp_path).issue(names=[NAME]).x509.public_bytes(Encoding.DER)
    assert NAME.encode() in shown
    identify, dice = IdentityMiddleware(problems.not_found), random.Random(38)
    statuses: set[int] = set()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        response = identify(ASGIRequest(scope, BytesIO()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": []})

    async def send(message: Any) -> None:
        statuses.add(message["status"])

    def ask(name: str) -> None:
        known = dice.random() < 0.5
        method = name if dice.random() < 0.1 else dice.choice(METHODS)
        headers = {"host": f"{name}.example", "x-request-id": name, "user-agent": name}
        if known:
            headers["authorization"] = f"Bearer {cast.tokens['alice']}"
        else:
            named = shown.replace(NAME.encode(), name.encode())
            headers["x-ssl-client-cert"] = base64.b64encode(named).decode()
            headers["x-ssl-client-verify"] = "SUCCESS"
        path = f"/o2ims/v1/{name}"
        given = [(key.encode(), value.encode()) for key, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": given, "client": ("127.0.0.1", 1),
                 "server": ("127.0.0.1", 2), "query_string": name.encode(), "scheme": "http"}  # fmt: skip
        done(front(app)(scope, None, send))  # type: ignore[arg-type]

    ask("B" * len(NAME))
    before, invalid = series(), AUTH.labels("invalid")._value.get()
    for _ in range(REQUESTS):
        ask("".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=len(NAME))))
    assert statuses == {401, 404}
    assert AUTH.labels("invalid")._value.get() - invalid > REQUESTS / 3
    assert series() - before <= MORE
