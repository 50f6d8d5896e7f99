"""What tests of writes stand on: two backends in memory, served by this process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from adapters.base import Options
from adapters.ims.memory import Adapter
from o2ims.connections import connections
from o2ims.gateway import gateway
from o2ims.mirror import mirror
from o2ims.models import Source
from tests.world import World

Call = Callable[..., Any]


@pytest.fixture
def served(tmp_path: Path, settings: Settings, world: World) -> Iterator[Adapter]:
    """Two backends in memory, the second globex's own, both followed; the first in other hands."""
    settings.GATEWAY_CONFIG = str(tmp_path / "gateway.yaml")
    config = {"path": str(tmp_path / "one.sqlite"), "live": 0}
    text = {
        "oCloud": {"id": "ocloud-test"},
        "adapters": [
            {"name": "one", "type": "mock", "default": True, "shared": True, "config": config},
            {
                "name": "two",
                "type": "mock",
                "tenant": "globex",
                "config": {**config, "path": str(tmp_path / "two.sqlite")},
            },
        ],
        "routing": {
            "rules": [
                {
                    "resourceType": "ResourcePool",
                    "filter": {"extensions.site": "two"},
                    "adapter": "two",
                    "priority": 10,
                }
            ]
        },
    }
    Path(settings.GATEWAY_CONFIG).write_text(json.dumps(text))
    gateway.__init__()  # type: ignore[misc]
    Source.objects.follow(gateway.current())
    hands = Adapter(Options(name="one", key="one", config=config))
    world.add("one", things=list(hands.everything()), shared=True)
    two = Adapter(Options(name="two", key="two", config={**config, "path": str(tmp_path / "two.sqlite")}))
    world.add("two", things=[thing for thing in two.everything() if thing.tenant is None], tenant="globex")
    Source.objects.follow(gateway.current())
    mirror.follow()
    yield hands
    connections.close()
    hands.close()
    two.close()
    gateway.__init__()  # type: ignore[misc]


@pytest.fixture
def send(call: Call) -> Call:
    """`send("alice", "POST", path, {...})`: a request with that body."""

    def sent(who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return call(who, path, method=method, data=data, content_type="application/json", headers=given)

    return sent
