"""Two tenants, one subscriber on a private network, and a worker: who may go there changes while it sends."""

import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from adapters.ims.memory import Adapter
from adapters.types import ResourcePool
from subscriptions.callback import Forbidden, Policy, check_address
from tests.gateway import Gateway
from tests.sink import Sink, outward
from tests.subscriptions.conftest import subscribe


def private() -> str:
    """An address of this machine that callbacks may go to once it is on an allow-list."""
    for address in outward():
        try:
            check_address(ip_address(address), Policy())
        except Forbidden as error:
            if ":" not in address and "private" in error.reason:
                return address
    pytest.skip("this machine has no private address beside loopback")


@pytest.fixture
def smo() -> Iterator[Sink]:
    with Sink(host=private()) as found:
        yield found


def say(gateway: Gateway, tenant: str, *networks: str) -> None:
    body = {"callbackNetworks": list(networks)}
    changed = gateway.send("root", "PATCH", f"/admin/v1/tenants/{tenant}", body, If_Match="*")
    assert changed.status == 200, changed


def refused(gateway: Gateway, who: str, callback: str) -> bool:
    answer = gateway.send(who, "POST", "/o2ims/v1/subscriptions", {"callback": callback})
    return answer.status == 400 and answer.body["errors"][0]["pointer"] == "/callback"


def outcomes(gateway: Gateway, subscription: str) -> list[str]:
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT a.outcome FROM subscriptions_attempt a"
            " JOIN subscriptions_delivery d ON d.id = a.delivery_id"
            " WHERE d.subscription = %s AND a.ended_at IS NOT NULL ORDER BY a.id",
            [subscription],
        ).fetchall()
    return [outcome for (outcome,) in found]


def test_each_tenants_networks_are_its_own_and_can_be_taken_back(
    gateway: Gateway, backend: Adapter, smo: Sink
) -> None:
    def heard(tenant: str) -> list[str]:
        return [name for one in smo.got if (name := one.told[1]).startswith(tenant)]

    def happen(name: str, tenant: str) -> None:
        backend.create_pool(name, ResourcePool(native_id="", name=name, tenant=tenant))

    here = f"{smo.host}/32"
    assert refused(gateway, "alice", smo.url)
    say(gateway, "acme", here)
    subscribe(gateway, "alice", smo.url)
    assert refused(gateway, "charlie", smo.url)
    assert refused(gateway, "root", smo.url)
    say(gateway, "globex", here)
    theirs = subscribe(gateway, "charlie", smo.url)["subscriptionId"]
    assert smo.asked == 2
    for tenant in ("acme", "globex"):
        happen(f"{tenant}-1", tenant)
        gateway.until(lambda tenant=tenant: heard(tenant) == [f"{tenant}-1"], seconds=10, what="the first")

    say(gateway, "globex")
    number = 1
    while "forbidden" not in outcomes(gateway, theirs):
        number += 1
        happen(f"acme-{number}", "acme")  # so that there is always an open connection to that host
        happen(f"globex-{number}", "globex")
        time.sleep(0.2)  # a worker looks once a second
        assert number < 50
    tried = len(smo.tried) - len(heard("acme"))
    happen("globex-late", "globex")
    happen("acme-late", "acme")
    gateway.until(lambda: "acme-late" in heard("acme"), seconds=10, what="acme's")
    assert len(smo.tried) - len(heard("acme")) == tried == len(heard("globex"))
    assert "globex-late" not in heard("globex")

    say(gateway, "globex", here)
    gateway.send("charlie", "POST", f"/o2ims/v1/subscriptions/{theirs}/resume")
    wanted = {f"globex-{n}" for n in range(1, number + 1)} | {"globex-late"}
    gateway.until(lambda: set(heard("globex")) == wanted, seconds=30, what="what was held back")
    assert len(heard("globex")) == len(wanted), "nothing is lost, and nothing comes twice"
