"""Many backends in one gateway: read as one, taken up and out while it runs, and none in another's way."""

import time
from typing import Any

from adapters.base import Options
from adapters.ims import memory
from adapters.types import ResourcePool
from tests.adapters.kubernetes_objects import node
from tests.gateway import Gateway
from tests.peers.kubernetes import ControlPlane

POOLS, RESOURCES = "/o2ims/v1/resourcePools", "/o2ims/v1/resources?limit=1000"


def mock(gateway: Gateway, name: str, objects: int, **more: Any) -> dict[str, Any]:
    path = str(gateway.den.path / f"{more.get('id', name)}.sqlite")
    config = {"path": path, "live": 0, "objects": objects, "assets": more.pop("assets", name)}
    return {"name": name, "type": "mock", "shared": True, "config": config, **more}


def ids(gateway: Gateway, path: str = RESOURCES, who: str = "root") -> set[str]:
    answer = gateway.get(who, path)
    assert answer.status == 200, answer
    return {item.get("resourceId") or item["resourcePoolId"] for item in answer.body["items"]}


def told(gateway: Gateway) -> list[str]:
    """The types of all changes there ever were, in order."""
    with gateway.database() as rows:
        return [type_ for (type_,) in rows.execute("SELECT type FROM o2ims_change ORDER BY id")]


def left(gateway: Gateway) -> set[str]:
    """The resources that are left for who follows every announced change, in order."""
    found: set[str] = set()
    statement = (
        "SELECT type, object_id::text FROM o2ims_change WHERE announced AND kind = 'Resource' ORDER BY id"
    )
    with gateway.database() as rows:
        for type_, id_ in rows.execute(statement):
            assert (id_ in found) == (type_ != "CREATE"), (
                "a beginning of what is there, or an end of what is not"
            )
            (found.discard if type_ == "DELETE" else found.add)(id_)
    return found


def listed(gateway: Gateway, name: str) -> None:
    """Waits until a worker has listed it since the configuration changed."""
    metric = f'netweave_source_up{{source="{name}"}}'
    gateway.until(lambda: gateway.metric(metric, port=gateway.ops_port) == 1, what=f"{name} listed")


def test_three_backends_are_one_list_in_which_each_machine_is_once(
    gateway: Gateway, cluster: ControlPlane
) -> None:
    for number in range(5):
        cluster.apply(node(f"n{number}"))
    edge = {"name": "edge", "type": "k8s", "config": {"kubeconfig": str(cluster.kubeconfig())}}
    gateway.configure(
        edge, mock(gateway, "hall", 100, assets="site"), mock(gateway, "metal", 50, assets="site")
    )
    gateway.start(gateway.web, gateway.worker)
    found = gateway.get("root", RESOURCES).body["items"]
    assets = [item["globalAssetId"] for item in found]
    assert len(assets) == len(set(assets))
    hall = ids(gateway, f"{RESOURCES}&filter=(eq,extensions/mock.rack,rack-0)")
    assert hall < {item["resourceId"] for item in found}
    # metal's sample is the smaller one of the same site: all of it is in hall's already
    with gateway.database() as rows:
        counted = rows.execute(
            "SELECT s.name, count(*) FROM o2ims_item i JOIN o2ims_source s ON s.id = i.source_id"
            " WHERE i.kind = 'Resource' GROUP BY 1"
        ).fetchall()
    stored = dict(counted)
    assert stored["metal"] >= 48
    assert len(found) == stored["hall"] + 5


def test_a_source_comes_changes_its_name_goes_and_comes_back(gateway: Gateway) -> None:
    one, two = mock(gateway, "one", 12), mock(gateway, "two", 12)
    gateway.configure(one)
    gateway.start(gateway.web, gateway.worker)
    first = ids(gateway)

    gateway.configure(one, two)
    gateway.until(lambda: len(ids(gateway)) == 2 * len(first), what="the second source")
    both, before = ids(gateway), told(gateway)
    of_two = next(iter(both - first))

    gateway.configure(one, mock(gateway, "renamed", 12, id="two", assets="two"))
    listed(gateway, "renamed")
    assert gateway.metric('netweave_source_up{source="two"}', port=gateway.ops_port) is None
    assert ids(gateway) == both, "a rename keeps the id, and so the objects"

    for without in ([one], [one, {**two, "enabled": False}]):
        gateway.configure(*without)
        gateway.until(lambda: ids(gateway) == first, what="it out")
        assert gateway.get("root", f"/o2ims/v1/resources/{of_two}").status == 404
        gateway.configure(one, two)
        gateway.until(lambda: ids(gateway) == both, what="it back")
        listed(gateway, "two")
    assert told(gateway) == before, "to come and go is no change of what a source has"


def test_what_happened_to_a_source_while_it_was_out_is_told_when_it_is_back(gateway: Gateway) -> None:
    one, two = mock(gateway, "one", 12), mock(gateway, "two", 12)
    gateway.configure(one, two)
    gateway.start(gateway.web, gateway.worker)
    before, all_ = told(gateway), ids(gateway)
    gateway.configure(one)
    gateway.until(lambda: len(ids(gateway)) < len(all_), what="it out")
    hands = memory.Adapter(Options(name="two", key="two", config=two["config"]))
    hands.delete_resource("node-mock-001", tenant="acme")
    hands.create_pool("late", ResourcePool(native_id="", name="late", tenant="acme"))
    hands.close()
    (gateway.den.path / "gateway.yaml").write_text("adapters: [")
    gateway.until(lambda: "configuration_refused" in gateway.web.log.read_text(), what="the refusal")
    gateway.configure(one, two)
    gateway.until(lambda: len(told(gateway)) > len(before), what="the news")
    gateway.until(lambda: len(ids(gateway)) == len(all_) - 1, what="it back")
    listed(gateway, "two")
    assert sorted(told(gateway)[len(before) :]) == ["CREATE", "DELETE"]
    assert ids(gateway) < all_


def test_a_bad_configuration_is_refused_and_the_one_before_stays(gateway: Gateway) -> None:
    gateway.configure(mock(gateway, "one", 12, default=True))
    gateway.start(gateway.web, gateway.worker)
    before = ids(gateway)
    rule = {"resourceType": "*", "adapter": "nowhere", "priority": 1}
    gateway.configure(mock(gateway, "one", 12), routing={"rules": [rule]})
    gateway.until(lambda: "configuration_refused" in gateway.web.log.read_text(), what="the refusal")
    assert "nowhere" in gateway.web.log.read_text()
    assert ids(gateway) == before
    assert gateway.send("alice", "POST", POOLS, {"name": "still"}).status == 201, "by the default before"


def test_the_standby_takes_over_and_gives_back(gateway: Gateway) -> None:
    primary, standby = mock(gateway, "primary", 12), mock(gateway, "standby", 24)
    group = {"oCloud": "ocloud-test", "strategy": "fallback", "sources": ["primary", "standby"]}
    gateway.configure(primary, standby, aggregation=[group])
    gateway.start(gateway.web, gateway.worker)
    first = ids(gateway)
    assert 12 <= len(first) < 20
    broken = {**primary, "config": {**primary["config"], "path": "/proc/nowhere/x.sqlite"}}
    gateway.configure(broken, standby, aggregation=[group])
    gateway.until(lambda: len(ids(gateway)) >= 24, what="the standby")
    assert not ids(gateway) & first
    assert left(gateway) == ids(gateway)
    assert "proxy-status" not in gateway.get("root", RESOURCES).headers
    gateway.configure(primary, standby, aggregation=[group])
    gateway.until(lambda: ids(gateway) == first, what="the primary again")
    assert left(gateway) == first


def test_a_write_follows_rules_that_change_while_it_runs(gateway: Gateway) -> None:
    one, two = mock(gateway, "one", 12, default=True), mock(gateway, "two", 12)
    gateway.configure(one, two)
    gateway.start(gateway.web, gateway.worker)
    body = {"name": "p-1", "extensions": {"infrastructure.type": "bare-metal"}}
    assert gateway.send("alice", "POST", POOLS, body).status == 201
    rule = {
        "name": "metal", "priority": 5, "plugin": "two",
        "conditions": {"labels": {"infrastructure.type": "bare-metal"}},
    }  # fmt: skip
    gateway.configure(one, two, routing={"ims": {"rules": [rule]}})
    time.sleep(2)
    assert gateway.send("alice", "POST", POOLS, {**body, "name": "p-2"}).status == 201
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT o.native_name, s.name FROM o2ims_operation o JOIN o2ims_source s ON s.id = o.source_id"
        ).fetchall()
    assert dict(found) == {"p-1": "one", "p-2": "two"}


def test_those_that_hang_starve_no_other(gateway: Gateway, cluster: ControlPlane) -> None:
    count = 20
    cluster.pause_api()
    try:
        config = {"kubeconfig": str(cluster.kubeconfig()), "timeout": "5s"}
        hanging = [{"name": f"hang-{n}", "type": "k8s", "config": config} for n in range(3)]
        gateway.configure(*hanging, *(mock(gateway, f"m-{n}", 6) for n in range(count)))
        gateway.start(gateway.web, gateway.worker, ready=False)
        gateway.until(lambda: gateway.get("", "/readyz").status == 200, seconds=60, what="ready")
        assert len(ids(gateway)) >= count * 5
        status = gateway.get("root", RESOURCES).headers["proxy-status"]
        assert all(f'details="source=hang-{n}"' in status for n in range(3))
        assert "m-" not in status
    finally:
        cluster.resume_api()
