"""With LEADER_LEASE=kubernetes the worker that collects a source holds a Lease in the cluster too, and who
cannot hold it does not collect: real workers, a real API server, the rights that deploy/kubernetes gives."""

import json
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Options
from adapters.ims.memory import Adapter
from tests import pod
from tests.contract.kubernetes_backend import LEASE_RULES
from tests.gateway import Gateway
from tests.peers.fault_proxy import FaultProxy, Refuse
from tests.peers.kubernetes import ControlPlane
from tests.peers.kubernetes_api import ApiError
from tests.peers.postgres import Postgres
from tests.peers.process import Process
from tests.peers.redis import Redis

SOURCE = "Edge_7"
SETTING = "LEADER_LEASE_SERVICE_ACCOUNT"


class Site:
    """A gateway in a pod's environment, the source that its workers share, and what is known of them."""

    def __init__(self, gateway: Gateway, cluster: ControlPlane) -> None:
        self.gateway, self.cluster = gateway, cluster
        config: dict[str, Any] = {"path": str(gateway.den.path / "one.sqlite"), "live": 0, "objects": 20}
        gateway.configure({"name": SOURCE, "type": "mock", "shared": True, "config": config})
        self.backend = Adapter(Options(name=SOURCE, key=SOURCE, config=config))
        self.until, self.worker = gateway.until, gateway.worker

    def owner(self) -> str:
        """Who collects, as Postgres says."""
        with self.gateway.database() as rows:
            found = rows.execute("SELECT owner FROM o2ims_source WHERE lease_expires_at > now()").fetchone()
        return found[0] if found else ""

    def is_owner(self, process: Process) -> bool:
        return f":{process.pid}:" in self.owner()

    def lease(self) -> dict[str, Any]:
        """The one Lease there is: its spec, or {}."""
        items = self.cluster.request("GET", pod.LEASES)["items"]
        assert len(items) <= 1
        return items[0]["spec"] if items else {}

    def change_lease(self, **spec: Any) -> None:
        (item,) = self.cluster.request("GET", pod.LEASES)["items"]
        path = f"{pod.LEASES}/{item['metadata']['name']}"
        self.cluster.request("PATCH", path, {"spec": spec}, content_type="application/merge-patch+json")

    def changes(self) -> int:
        with self.gateway.database() as rows:
            return int(rows.execute("SELECT count(*) FROM o2ims_change").fetchone()[0])  # type: ignore[index]

    def until_seen(self) -> None:
        """Something changes in the backend, and is recorded: once."""
        before = self.changes()
        self.backend.tick()
        self.until(lambda: self.changes() == before + 1, seconds=60, what="the change")

    def until_collected(self) -> None:
        self.until(lambda: self.owner() != "" and self.changes() >= 20, seconds=60, what="a collector")

    def told(self, process: Process, event: str) -> list[dict[str, str]]:
        """What its log says of an event."""
        lines = [line for line in process.log.read_text().splitlines() if line.endswith("}")]
        return [found for found in map(json.loads, lines) if found["event"] == event]


@pytest.fixture(scope="module")
def kube() -> Iterator[ControlPlane]:
    """One of its own: it is killed here."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def site(postgres: Postgres, redis_server: Redis, cluster: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    redis_server.clean()
    account = pod.of_worker(cluster, tmp_path / "account")
    environment = pod.environment(cluster)
    gateway = Gateway(
        postgres, redis_server, LEADER_LEASE="kubernetes", **{SETTING: str(account)}, **environment
    )
    found = Site(gateway, cluster)
    yield found
    found.backend.close()
    gateway.close()


def test_of_two_workers_one_holds_both_locks_and_the_other_takes_over_when_it_is_killed(site: Site) -> None:
    other = site.gateway.another_worker()
    site.gateway.start(site.worker, other, ready=False)
    site.until_collected()
    site.until_seen()
    first, second = (site.worker, other) if site.is_owner(site.worker) else (other, site.worker)
    said = site.lease()
    assert (said["holderIdentity"], said["leaseDurationSeconds"]) == (site.owner(), 8)
    assert said["leaseTransitions"] == 0
    site.until(lambda: site.lease()["renewTime"] > said["renewTime"], what="a renewal")
    assert site.lease()["acquireTime"] == said["acquireTime"]
    assert not site.told(second, "source_taken")
    first.kill()
    site.until(lambda: site.is_owner(second), seconds=60, what="the other")
    assert site.lease()["holderIdentity"] == site.owner()
    assert site.lease()["leaseTransitions"] == 1
    site.until_seen()
    assert len(site.told(second, "source_taken")) == 1


def test_a_clean_stop_releases_it_at_once(site: Site) -> None:
    site.gateway.start(site.worker, ready=False)
    site.until_collected()
    other = site.gateway.another_worker()
    other.start()
    site.until(lambda: site.told(other, "cluster_lease_held"), what="the second worker")
    site.worker.stop()
    site.until(lambda: site.is_owner(other), seconds=60, what="the other")
    assert (site.lease()["holderIdentity"], site.lease()["leaseTransitions"]) == (site.owner(), 1)
    site.until_seen()
    other.stop()
    assert site.lease()["holderIdentity"] == ""
    assert site.owner() == ""


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_while_the_api_server_is_away_nobody_collects_and_reads_go_on(site: Site, how: str) -> None:
    cluster, other = site.cluster, site.gateway.another_worker()
    site.gateway.start(site.worker, other, site.gateway.web, ready=False)
    site.until_collected()
    site.until(lambda: site.gateway.get("", "/readyz").status == 200, what="the API")
    before = site.changes()
    cluster.kill_api() if how == "killed" else cluster.pause_api()
    site.until(lambda: site.owner() == "", what="the end of collecting")
    assert len([one for one in (site.worker, other) if site.told(one, "cluster_lease_expired")]) == 1
    site.backend.tick()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert (site.owner(), site.changes()) == ("", before)
        assert len(site.gateway.get("alice", "/o2ims/v1/resources").body["items"]) > 0
        time.sleep(0.2)
    cluster.start_api() if how == "killed" else cluster.resume_api()
    site.until(lambda: site.changes() == before + 1, what="the change of meanwhile")
    assert site.lease()["holderIdentity"] == site.owner()
    for worker in (site.worker, other):
        assert worker.alive
        troubles = [line["error_class"] for line in site.told(worker, "cluster_lease_unavailable")]
        assert all(one != next_ for one, next_ in pairwise(troubles)), "the same trouble is told once"
        site.until(lambda one=worker: site.told(one, "cluster_lease_available"), what="its end")


def test_who_loses_postgres_lets_go_of_the_lease_and_does_not_take_it_again(
    site: Site, postgres: Postgres
) -> None:
    gateway, url = site.gateway, site.gateway.environment["DATABASE_URL"]
    with FaultProxy(postgres.port) as network:
        gateway.environment["DATABASE_URL"] = url.replace(f":{postgres.port}/", f":{network.port}/")
        cut_off = gateway.another_worker()
        gateway.environment["DATABASE_URL"] = url
        cut_off.start()
        site.until_collected()
        network.fault = Refuse()
        network.drop()
        site.until(lambda: site.lease()["holderIdentity"] == "", what="the release")
        assert site.told(cut_off, "source_lost")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert (site.lease()["holderIdentity"], site.lease()["leaseTransitions"]) == ("", 0)
            time.sleep(0.1)
        gateway.start(site.worker, ready=False)
        site.until(lambda: site.is_owner(site.worker), seconds=60, what="the other")
        assert (site.lease()["holderIdentity"], site.lease()["leaseTransitions"]) == (site.owner(), 1)
        site.until_seen()
        cut_off.kill()


def test_many_sources_have_a_lease_each(site: Site) -> None:
    names = [f"site-{number}" for number in range(20)]
    memory = {"type": "mock", "shared": True, "config": {"live": 0, "objects": 5}}
    site.gateway.configure(*({"name": name, **memory} for name in names))
    site.gateway.start(site.worker, ready=False)

    def holders() -> dict[str, str]:
        items = site.cluster.request("GET", pod.LEASES)["items"]
        return {item["metadata"]["name"]: item["spec"]["holderIdentity"] for item in items}

    site.until(lambda: len(holders()) == 20, what="the Leases")
    assert set(holders()) == {f"netweave-source-{name}" for name in names}
    assert set(holders().values()) == {site.owner()}
    time.sleep(3)
    assert not site.told(site.worker, "source_lost")
    assert "pool is full" not in site.worker.log.read_text()
    site.worker.stop()
    assert set(holders().values()) == {""}


def test_what_somebody_else_takes_is_theirs_until_they_stop_renewing_it(site: Site) -> None:
    site.gateway.start(site.worker, ready=False)
    site.until_collected()
    site.change_lease(holderIdentity="somebody")
    site.until(lambda: site.told(site.worker, "cluster_lease_taken"), what="the loss")
    site.until(lambda: site.owner() == "", what="the end of collecting")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        site.change_lease(renewTime=time.strftime("2001-01-01T%H:%M:%S.000000Z"))
        assert site.owner() == ""
        assert site.lease()["holderIdentity"] == "somebody"
        time.sleep(0.5)
    site.until_collected()
    assert (site.lease()["holderIdentity"], site.lease()["leaseTransitions"]) == (site.owner(), 1)
    site.until_seen()


def test_a_worker_that_slept_finds_another_at_work_and_leaves_it_alone(site: Site) -> None:
    site.gateway.start(site.worker, ready=False)
    site.until_collected()
    other = site.gateway.another_worker()
    other.start()
    site.worker.pause()
    site.until(lambda: site.is_owner(other), seconds=60, what="the other")
    site.worker.resume()
    site.until(lambda: site.told(site.worker, "source_lost"), what="the loss")
    site.until(lambda: site.told(site.worker, "cluster_lease_held"), what="a look at the Lease")
    assert site.is_owner(other)
    assert site.lease()["holderIdentity"] == site.owner()
    site.until_seen()
    assert len(site.told(other, "source_taken")) == 1


def test_without_rights_it_says_so_once_collects_nothing_and_goes_on_when_it_has_them(
    site: Site, tmp_path: Path
) -> None:
    token = site.cluster.token("reader")
    stranger = pod.service_account(site.cluster, tmp_path / "stranger", token)
    site.gateway.environment[SETTING] = str(stranger)
    worker = site.gateway.another_worker()
    worker.start()
    site.until(lambda: site.told(worker, "cluster_lease_unavailable"), what="the refusal")
    time.sleep(4)
    (line,) = site.told(worker, "cluster_lease_unavailable")
    assert (line["level"], line["source"], line["error_class"]) == ("warning", SOURCE, "Forbidden")
    assert re.match(r'LEADER_LEASE=kubernetes: .*User "reader" cannot get resource "leases"', line["error"])
    assert worker.alive
    assert (site.owner(), site.changes(), site.lease()) == ("", 0, {})
    site.cluster.grant("reader", LEASE_RULES)
    site.until_collected()
    assert site.lease()["holderIdentity"] == site.owner()
    assert site.told(worker, "cluster_lease_available")
    site.cluster.revoke("reader")
    site.until(lambda: site.owner() == "", what="the end of collecting")
    assert site.told(worker, "cluster_lease_expired")


@pytest.mark.parametrize("command", [["worker"], ["serve", "--with-worker"]])
def test_a_worker_without_a_service_account_does_not_start(site: Site, command: list[str]) -> None:
    said = site.gateway.environment
    (Path(said[SETTING]) / "token").unlink()
    error = site.gateway.manage(*command, status=2)
    assert "LEADER_LEASE=kubernetes: needs a service account, and cannot read" in error
    assert f"{said[SETTING]}/token" in error
    (Path(said[SETTING]) / "token").write_text("any")
    said.pop("KUBERNETES_SERVICE_HOST")
    assert "LEADER_LEASE=kubernetes: " in (error := site.gateway.manage(*command, status=2))
    assert "Service host/port is not set" in error


def test_who_does_not_collect_needs_no_service_account(site: Site) -> None:
    (Path(site.gateway.environment[SETTING]) / "token").unlink()
    site.gateway.start(site.gateway.web, ready=False)
    site.until(lambda: site.gateway.get("", "/livez").status == 200, what="the API")
    with pytest.raises(ApiError, match="404"):
        site.cluster.request("GET", f"{pod.LEASES}/netweave-source-{SOURCE.lower()}")
