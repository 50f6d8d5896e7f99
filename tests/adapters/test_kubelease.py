"""A Lease of Kubernetes has one holder, is never taken from one who renews it, and says who it is: on a real
API server, with the rights that deploy/kubernetes gives."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters import kubelease
from adapters.errors import Forbidden, Misconfigured, NotFound
from adapters.kubelease import KubeLease, Namespace, Taken, lease_name
from tests import pod
from tests.contract.kubernetes_backend import DEPLOY, LEASE_RULES
from tests.peers.kubernetes import ControlPlane
from tests.peers.process import wait_until

NAME = "netweave-source-one"
PATH = f"{pod.LEASES}/{NAME}"
DOCS = Path(__file__).parents[2] / "docs"
MERGE = "application/merge-patch+json"

Open = Callable[[Path], Namespace]


@pytest.fixture(scope="module")
def kube() -> Iterator[ControlPlane]:
    """One of its own: what others stand on is left alone."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def in_pod(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Makes namespaces from service accounts' folders, and lets go of them."""
    for name, value in pod.environment(cluster).items():
        monkeypatch.setenv(name, value)
    made: list[Namespace] = []

    def open_(folder: Path) -> Namespace:
        made.append(Namespace.of_pod("test", str(folder)))
        return made[-1]

    yield open_
    for namespace in made:
        namespace.connection.close()


@pytest.fixture
def ours(cluster: ControlPlane, in_pod: Open, tmp_path: Path) -> Namespace:
    return in_pod(pod.of_worker(cluster, tmp_path / "account"))


def spec(cluster: ControlPlane) -> dict[str, Any]:
    return dict(cluster.request("GET", PATH)["spec"])


def change(cluster: ControlPlane, **spec: Any) -> None:
    cluster.request("PATCH", PATH, {"spec": spec}, content_type=MERGE)


def taken(namespace: Namespace, holder: str) -> KubeLease:
    lease = namespace.lease(NAME, holder)
    assert lease.look()
    assert lease.take()
    return lease


def test_it_goes_from_hand_to_hand_and_says_so(cluster: ControlPlane, ours: Namespace) -> None:
    first, second = taken(ours, "first"), ours.lease(NAME, "second")
    said = spec(cluster)
    assert (said["holderIdentity"], said["leaseDurationSeconds"], said["leaseTransitions"]) == ("first", 8, 0)
    assert said["acquireTime"] == said["renewTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", said["renewTime"])
    assert not second.look()
    assert second.holder == "first"
    first.renew()
    assert spec(cluster)["renewTime"] > said["renewTime"]
    assert {**spec(cluster), "renewTime": said["renewTime"]} == said
    first.release()
    assert spec(cluster)["holderIdentity"] == ""
    assert second.look()
    assert second.take()
    assert (spec(cluster)["holderIdentity"], spec(cluster)["leaseTransitions"]) == ("second", 1)


def test_of_two_that_see_it_free_one_has_it(cluster: ControlPlane, ours: Namespace) -> None:
    first, second = ours.lease(NAME, "first"), ours.lease(NAME, "second")
    assert first.look()
    assert second.look()
    assert (first.take(), second.take()) == (True, False)
    second.release()  # of what it never had: nothing
    assert spec(cluster)["holderIdentity"] == "first"
    first.release()
    assert first.look()
    assert second.look()
    assert (second.take(), first.take()) == (True, False)
    assert spec(cluster)["holderIdentity"] == "second"


def test_who_lost_it_learns_so_and_leaves_it_alone(cluster: ControlPlane, ours: Namespace) -> None:
    lease = taken(ours, "first")
    change(cluster, holderIdentity="somebody")
    with pytest.raises(Taken):
        lease.renew()
    lease.release()
    assert spec(cluster)["holderIdentity"] == "somebody"


def test_a_deleted_one_is_nobodys(cluster: ControlPlane, ours: Namespace) -> None:
    lease = taken(ours, "first")
    cluster.request("DELETE", PATH)
    with pytest.raises(Taken):
        lease.renew()
    assert lease.look()
    assert lease.take()
    cluster.request("DELETE", PATH)
    lease.release()


def test_a_label_or_a_lost_answer_takes_it_from_nobody(cluster: ControlPlane, ours: Namespace) -> None:
    lease = taken(ours, "first")
    cluster.request("PATCH", PATH, {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE)
    lease.renew()
    change(cluster, renewTime="2026-01-01T00:00:00.000000Z")  # as a write of ours whose answer never came
    lease.renew()
    change(cluster, renewTime="2026-01-01T00:00:00.000000Z")
    lease.release()
    assert spec(cluster)["holderIdentity"] == ""
    assert cluster.request("GET", PATH)["metadata"]["labels"] == {"a": "b"}


def test_who_took_it_and_never_heard_so_has_it_without_a_transition(
    cluster: ControlPlane, ours: Namespace
) -> None:
    taken(ours, "first")
    acquired = spec(cluster)["acquireTime"]
    taken(ours, "first")
    assert (spec(cluster)["acquireTime"], spec(cluster)["leaseTransitions"]) == (acquired, 0)


def test_only_what_is_seen_unchanged_runs_out_whatever_the_times_in_it_say(
    cluster: ControlPlane, ours: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubelease, "DURATION_SECONDS", 1)
    taken(ours, "somebody").release()
    change(
        cluster, holderIdentity="somebody", leaseDurationSeconds=1, renewTime="2001-01-01T00:00:00.000000Z"
    )
    lease = ours.lease(NAME, "first")
    assert not lease.look()
    for second in range(4):  # older than any clock, and renewed all the same
        change(cluster, renewTime=f"2001-01-01T00:00:0{second + 1}.000000Z")
        assert not lease.look()
        time.sleep(0.6)
        assert not lease.look()
    change(cluster, renewTime="2099-01-01T00:00:00.000000Z")
    assert not lease.look()
    wait_until(lease.look, seconds=10, what="the end of a Lease of the future")
    assert lease.take()


def test_it_lasts_as_long_as_its_holder_said(
    cluster: ControlPlane, ours: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubelease, "DURATION_SECONDS", 1)
    taken(ours, "somebody")
    change(cluster, leaseDurationSeconds=3)
    lease = ours.lease(NAME, "first")
    assert not lease.look()
    seen = time.monotonic()
    wait_until(lease.look, seconds=10, what="the end of the Lease")
    assert time.monotonic() - seen >= 2.9


@pytest.mark.parametrize("verb", LEASE_RULES[0]["verbs"])
def test_with_one_right_less_something_is_refused(
    cluster: ControlPlane, in_pod: Open, tmp_path: Path, verb: str
) -> None:
    (rule,) = LEASE_RULES
    cluster.grant("reader", [{**rule, "verbs": [other for other in rule["verbs"] if other != verb]}])
    account = pod.service_account(cluster, tmp_path / "account", cluster.token("reader"), namespace="default")
    lease = in_pod(account).lease(NAME, "first")

    def use() -> None:
        assert lease.look()
        assert lease.take()
        lease.renew()

    with pytest.raises(Forbidden, match=rf"^test: .*Lease {NAME}.*cannot {verb} resource"):
        use()


def test_a_namespace_that_is_not_there_is_no_free_lease(
    cluster: ControlPlane, in_pod: Open, tmp_path: Path
) -> None:
    account = pod.service_account(cluster, tmp_path / "account", cluster.token("admin"), namespace="nowhere")
    lease = in_pod(account).lease(NAME, "first")
    assert lease.look()
    with pytest.raises(NotFound, match="nowhere"):
        lease.take()


@pytest.mark.parametrize("file", ["token", "ca.crt", "namespace"])
@pytest.mark.parametrize("empty", [True, False])
def test_what_a_service_account_lacks_is_named(
    cluster: ControlPlane, in_pod: Open, tmp_path: Path, file: str, empty: bool
) -> None:
    account = pod.service_account(cluster, tmp_path / "account", "any")
    (account / file).write_text("\n") if empty else (account / file).unlink()
    with pytest.raises(Misconfigured, match=f"^test: needs a service account, .*{account / file}"):
        in_pod(account)


ODD = [
    "Edge_7.example",
    "o-cloud/one",
    "-",
    "äöü",
    "a" * 200,
    "a" * 199 + "b",
    "one two",
    "ONE",
    "one-",
    "x" * 47,
    "x" * 48,
    "../../secrets",
    "a?b#c%2f",
]


def test_names_are_safe_readable_and_no_two_sources_share_one(cluster: ControlPlane, ours: Namespace) -> None:
    assert lease_name("one") == NAME
    assert lease_name("x" * 47) == "netweave-source-" + "x" * 47
    assert lease_name("Edge_7.example").startswith("netweave-source-edge-7-example-")
    names = {lease_name(key) for key in [*ODD, "one"]}
    assert len(names) == len(ODD) + 1
    for name in names:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
        lease = ours.lease(name, "first")
        assert lease.look()
        assert lease.take()
    items = cluster.request("GET", pod.LEASES)["items"]
    assert {item["metadata"]["name"] for item in items} == names


def test_the_docs_show_the_role_that_is_deployed() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (DOCS / "operations/workers.md").read_text(), re.DOTALL)
    assert [yaml.safe_load(text) for text in shown] == [
        next(yaml.safe_load_all((DEPLOY / "leases.yaml").read_text()))
    ]
