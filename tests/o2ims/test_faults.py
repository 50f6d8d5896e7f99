"""A source that is down, slow, unauthorised or lying, as everybody sees it: its data gets old and never less,
callers are told whose and why, and so are operators, in all the places where they look.

A real API server stands behind something that lies about it, and that behind a network that fails.
"""

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from prometheus_client import generate_latest
from pytest_django.fixtures import Settings

from adapters.configuration import Backend
from o2ims.gateway import gateway
from o2ims.mirror import mirror
from o2ims.models import Change, Item, Source
from o2ims.threads import in_thread
from tests.adapters.kubernetes_objects import node
from tests.contract.hostile import Handler
from tests.o2ims.test_collector import collecting, until
from tests.peers import lying_api
from tests.peers.fault_proxy import Fault, FaultProxy, Pass, Refuse, Reset, Silence, Slow, Truncate
from tests.peers.kubernetes import ControlPlane
from tests.peers.lying_api import Lie, LyingApi
from tests.world import Cast

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

Call = Callable[..., Any]
RESOURCES, POOLS = "/o2ims/v1/resources", "/o2ims-infrastructureInventory/v1/resourcePools"


@dataclass
class Edge:
    """The source `edge`: what answers for its API server, the network before that, and its configuration."""

    lying: LyingApi
    network: FaultProxy
    cluster: ControlPlane
    backend: Backend

    def well(self) -> None:
        self.lying.lie, self.network.fault = None, Pass()


@pytest.fixture
def edge(
    cluster: ControlPlane, settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Edge]:
    """A cluster of three nodes, acme's, behind both. It is given a second for an answer; for 64 MiB, ten."""
    for number in range(3):
        cluster.apply(node(f"n-{number}"))
    with LyingApi(cluster) as lying, FaultProxy(lying.port) as network:
        settings.GATEWAY_CONFIG = str(tmp_path / "gateway.yaml")
        config = {
            "kubeconfig": str(lying.kubeconfig(url=f"https://127.0.0.1:{network.port}")),
            "timeout": "10s" if "64 MiB" in request.node.name else "1s",
        }
        text = {"adapters": [{"name": "edge", "type": "k8s", "tenant": "acme", "config": config}]}
        Path(settings.GATEWAY_CONFIG).write_text(json.dumps(text))
        gateway.__init__()  # type: ignore[misc]
        yield Edge(lying, network, cluster, gateway.current().backends[0])
        gateway.__init__()  # type: ignore[misc]


AWAY, LATE = ("destination_unavailable", 502), ("connection_timeout", 504)
DENIED, WRONG = ("http_request_denied", 502), ("http_protocol_error", 502)
LATER = ("connection_limit_reached", 502)
FAULTS: dict[str, tuple[Fault | Lie, str, tuple[str, int]]] = {
    "down": (Refuse(), "Unreachable", AWAY),
    "reset": (Reset(), "Unreachable", AWAY),
    "cut off": (Truncate(), "Unreachable", AWAY),
    "cut off in a list": (lying_api.a_broken_answer, "Unreachable", AWAY),
    "silent": (Silence(), "TimedOut", LATE),
    "slow": (Slow(0.7), "TimedOut", LATE),
    "credentials out of date": (lying_api.to_a_stranger, "Unauthorized", DENIED),
    "rights withdrawn": (lying_api.to_somebody_without_rights, "Forbidden", DENIED),
    "busy, come back": (lying_api.a_status(429, Retry_After="1"), "Busy", LATER),
    "not available": (lying_api.a_status(503), "Busy", LATER),
    "an internal error": (lying_api.a_status(500), "Broken", WRONG),
    "a login page": (lying_api.a_login_page, "Broken", WRONG),
    "half a document": (lying_api.half_a_document, "Broken", WRONG),
    "half a list": (lying_api.half_a_list, "Broken", WRONG),
    "no list": (lying_api.no_list, "Broken", WRONG),
    "an empty cluster": (lying_api.nothing_at_all, "Broken", WRONG),
    "64 MiB of nonsense": (lying_api.too_much, "Broken", WRONG),
}


async def known(edge: Edge) -> None:
    """The source is listed once, and its collector ended."""
    await in_thread(Source.objects.follow, gateway.current())
    async with collecting(edge.backend):
        await until(lambda: state() == "up")
    await in_thread(mirror.follow)


def state() -> str:
    return Source.objects.get(name="edge").state


def recorded() -> tuple[int, int]:
    """How many changes there are, and how many living objects."""
    return Change.objects.count(), Item.objects.filter(deleted_at__isnull=True).count()


def metrics_of_edge() -> list[str]:
    """What /metrics says of the state of the source."""
    lines = generate_latest().decode().splitlines()
    wanted = ("netweave_source_up{", "netweave_source_error{", "netweave_source_holding{")
    return sorted(line for line in lines if line.startswith(wanted) and 'source="edge"' in line)


def said_by_check_backends() -> str:
    out = io.StringIO()
    with pytest.raises(CommandError, match="not usable: edge"):
        call_command("check_backends", stdout=out)
    return out.getvalue()


def admin_page(cast: Cast) -> str:
    client = Client()
    client.force_login(cast.users["root"])
    source = Source.objects.get(name="edge")
    return client.get(f"/admin/o2ims/source/{source.pk}/change/").content.decode()


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_known_gets_old_and_everybody_is_told_why(
    edge: Edge, cast: Cast, call: Call, name: str
) -> None:
    fault, error_class, (token, strict_status) = FAULTS[name]
    await known(edge)
    before, whole_answer = await in_thread(recorded), (await in_thread(call, "alice", RESOURCES)).json()
    assert len(whole_answer["items"]) == 3
    if callable(fault):
        edge.lying.lie = fault
    else:
        edge.network.fault = fault
    async with collecting(edge.backend):
        await until(lambda: state() == "down")
        await in_thread(mirror.follow)
        await in_thread(callers_are_told, call, whole_answer, token, strict_status)
        assert f"{error_class}: edge: " in await in_thread(admin_page, cast)
        assert await in_thread(metrics_of_edge) == [
            f'netweave_source_error{{error_class="{error_class}",source="edge"}} 1.0',
            'netweave_source_holding{source="edge"} 0.0',
            'netweave_source_up{source="edge"} 0.0',
        ]
        assert f"{error_class}: " in (said := await in_thread(said_by_check_backends))
        assert "SECRET" not in said
    edge.well()  # between two lists: one that is half a lie would be believed
    async with collecting(edge.backend):
        await until(lambda: state() == "up")
        await in_thread(mirror.follow)
        assert (await in_thread(metrics_of_edge))[-1] == 'netweave_source_up{source="edge"} 1.0'
    assert await in_thread(recorded) == before


def callers_are_told(call: Call, whole_answer: Any, token: str, strict_status: int) -> None:
    answer = call("alice", RESOURCES)
    assert (answer.status_code, answer.json()) == (200, whole_answer)
    assert answer["Proxy-Status"] == f'netweave; error={token}; details="source=edge"'
    assert int(answer["Age"]) >= 0
    for path in (RESOURCES, POOLS, f"{RESOURCES}/{whole_answer['items'][0]['resourceId']}"):
        strict = call("alice", path, headers={"Prefer": "handling=strict"})
        assert (strict.status_code, strict.json()["sources"]) == (strict_status, ["edge"])
    assert "Proxy-Status" not in call("charlie", RESOURCES)


async def test_a_list_that_lacks_almost_everything_is_held_back_and_told(
    edge: Edge, cast: Cast, call: Call, settings: Settings
) -> None:
    for number in range(60):
        await in_thread(
            edge.cluster.apply, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"m-{number}"}}
        )
    await known(edge)
    before = await in_thread(recorded)

    edge.lying.lie = lying_api.no_nodes
    settings.HOLD_DELAY *= 0.05
    async with collecting(edge.backend):
        await until(lambda: state() == "holding")
        await in_thread(mirror.follow)
        answer = await in_thread(call, "alice", f"{RESOURCES}?limit=100")
        assert len(answer.json()["items"]) == 63
        assert "error=http_response_incomplete" in answer["Proxy-Status"]
        page = await in_thread(admin_page, cast)
        assert re.search(r"Vanished: edge: 6\d of 6\d objects are missing from a complete list", page)
        assert await in_thread(metrics_of_edge) == [
            'netweave_source_error{error_class="Vanished",source="edge"} 1.0',
            'netweave_source_holding{source="edge"} 1.0',
            'netweave_source_up{source="edge"} 0.0',
        ]
        edge.well()
        await until(lambda: state() == "up")
    assert await in_thread(recorded) == before


async def test_one_that_asks_us_to_come_back_later_is_left_alone_until_then(edge: Edge) -> None:
    await known(edge)
    asked: list[float] = []

    def busy(lying: LyingApi, handler: Handler) -> bool:
        asked.append(time.monotonic())
        handler.json({"kind": "Status"}, 429, {"Retry-After": "2"})
        return True

    edge.lying.lie = busy
    async with collecting(edge.backend):
        await until(lambda: len(asked) >= 2)
    assert asked[1] - asked[0] >= 2
