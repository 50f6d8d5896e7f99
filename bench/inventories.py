"""Gateways with synthetic inventories: sources of the memory backend, each of so many resources."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import SERVER_CORE
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis


@contextmanager
def stocked(
    postgres: Postgres, redis: Redis, sizes: Mapping[str, int], *more: dict[str, Any], **settings: str
) -> Iterator[Gateway]:
    """A gateway whose web process, on the server's core, has the resources of all sources in `sizes` (name →
    resources) in its mirror. `more` are sources that nobody waits for."""
    # Counted as in production, and never refused: wrk asks as fast as it can.
    rates = dict.fromkeys(("RATE_LIMIT_USER", "RATE_LIMIT_TENANT"), "900000/9000000")
    gateway = Gateway(postgres, redis, LOG_LEVEL="WARNING", **rates, **settings)
    try:
        gateway.configure(*(_source(gateway, name, size) for name, size in sizes.items()), *more)
        gateway.web.command[:0] = ["taskset", "-c", SERVER_CORE]
        gateway.start(gateway.worker, gateway.web)
        for name, size in sizes.items():
            sample = f'netweave_items{{kind="Resource",source="{name}"}}'
            gateway.until(
                lambda sample=sample, size=size: gateway.metric(sample) == size,
                seconds=120 + size / 250,
                what=f"the {size:,} of {name}",
            )
        yield gateway
    finally:
        gateway.close()


def state(gateway: Gateway, name: str) -> Path:
    """The file that a source's backend is."""
    return gateway.den.path / f"{name}.sqlite"


def _source(gateway: Gateway, name: str, size: int) -> dict[str, Any]:
    config = {"live": 0, "objects": size, "path": str(state(gateway, name))}
    return {"name": name, "type": "mock", "shared": True, "config": config}
