"""T38: strangers cannot make the metrics grow."""

import secrets
from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

POOLS = "/o2ims/v1/resourcePools"


@pytest.fixture(scope="module")
def watched(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """One process that logs all it can."""
    gateway = Gateway(postgres, redis_server, LOG_LEVEL="DEBUG")
    config = {"live": 0}
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "default": True, "config": config})
    gateway.start(gateway.both)
    yield gateway
    gateway.close()


def series(gateway: Gateway) -> int:
    """How many lines the metrics have."""
    return len([line for line in said(gateway, "/metrics").splitlines() if not line.startswith("#")])


def said(gateway: Gateway, path: str) -> str:
    """What the operations port answers."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port + 2}{path}", timeout=20) as found:
        return str(found.read().decode())


def test_strangers_cannot_make_the_metrics_grow(watched: Gateway) -> None:
    watched.get("", POOLS)
    watched.get("alice", "/o2ims/v1/nowhere")
    before = series(watched)
    for _ in range(300):  # a hundred thousand: test_labels.py
        name = secrets.token_hex(8)
        watched.get("", f"/o2ims/v1/{name}", Authorization=f"Bearer {name}", X_Request_Id=name)
        watched.get("", f"/{name}", Host=f"{name}.example")
        watched.get("alice", f"{POOLS}/{name}?filter=(eq,{name},{name})", X_SSL_Client_Cert=name)
    assert series(watched) - before <= 50
