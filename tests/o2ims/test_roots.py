"""Both roots answer alike: the same objects, each in its own shape."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World

OURS, ORAN = "/o2ims/v1", "/o2ims-infrastructureInventory/v1"
Call = Callable[..., Any]

POOL = {"resourcePoolId", "name", "description", "location", "oCloudId", "extensions"}
RESOURCE = {
    "resourceId",
    "name",
    "description",
    "resourceTypeId",
    "resourcePoolId",
    "oCloudId",
    "globalAssetId",
    "tags",
    "groups",
    "extensions",
}
TYPE = {
    "resourceTypeId",
    "name",
    "description",
    "vendor",
    "model",
    "version",
    "resourceKind",
    "resourceClass",
    "oCloudId",
    "extensions",
}
MANAGER = {
    "deploymentManagerId",
    "name",
    "description",
    "oCloudId",
    "serviceUri",
    "supportedLocations",
    "capabilities",
    "capacity",
    "extensions",
}


@pytest.mark.parametrize(
    ("noun", "keys", "count"),
    [
        ("resourcePools", POOL, 5),
        ("resources", RESOURCE, 100),
        ("resourceTypes", TYPE, 6),
        ("deploymentManagers", MANAGER, 1),
    ],
)
def test_our_own_root_lists_items_with_every_key(
    sample: World, call: Call, noun: str, keys: set[str], count: int
) -> None:
    answer = call("root", f"{OURS}/{noun}")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert len(answer.json()["items"]) == count
    assert all(set(item) == keys for item in answer.json()["items"])


@pytest.mark.parametrize("noun", ["resourcePools", "resourceTypes", "deploymentManagers"])
def test_an_item_is_the_same_as_in_the_list(sample: World, call: Call, noun: str) -> None:
    key = noun[:-1] + "Id"
    for item in call("root", f"{OURS}/{noun}").json()["items"]:
        assert call("root", f"{OURS}/{noun}/{item[key]}").json() == item


@pytest.mark.parametrize("noun", ["resourcePools", "resourceTypes", "deploymentManagers"])
def test_the_oran_root_lists_bare_arrays_of_the_same_objects(sample: World, call: Call, noun: str) -> None:
    key = noun[:-1] + "Id"
    ours = {item[key]: item for item in call("root", f"{OURS}/{noun}").json()["items"]}
    oran = call("root", f"{ORAN}/{noun}").json()
    assert [item[key] for item in oran] == sorted(ours)
    for item in oran:
        assert "extensions" not in item
        whole = call("root", f"{ORAN}/{noun}/{item[key]}").json()
        assert whole["extensions"] == ours[item[key]]["extensions"]
        assert {name: whole[name] for name in item} == item
        assert all(ours[item[key]][name] == value for name, value in item.items() if name in ours[item[key]])


def test_resources_of_a_pool_are_the_same_on_both_roots(sample: World, call: Call) -> None:
    for pool in call("root", f"{ORAN}/resourcePools").json():
        id_ = pool["resourcePoolId"]
        oran = call("root", f"{ORAN}/resourcePools/{id_}/resources?limit=1000").json()
        ours = call("root", f"{OURS}/resourcePools/{id_}/resources?limit=1000").json()["items"]
        assert [item["resourceId"] for item in oran] == [item["resourceId"] for item in ours]
        assert oran
        assert {item["resourcePoolId"] for item in oran} == {id_}


def test_a_resource_answers_only_under_its_own_pool(sample: World, call: Call) -> None:
    first, second = call("root", f"{ORAN}/resourcePools").json()[:2]
    resource = call("root", f"{ORAN}/resourcePools/{first['resourcePoolId']}/resources").json()[0][
        "resourceId"
    ]
    assert (
        call("root", f"{ORAN}/resourcePools/{first['resourcePoolId']}/resources/{resource}").status_code
        == 200
    )
    assert (
        call("root", f"{ORAN}/resourcePools/{second['resourcePoolId']}/resources/{resource}").status_code
        == 404
    )
    assert call("root", f"{OURS}/resources/{resource}").status_code == 200


def test_every_reference_leads_somewhere(sample: World, call: Call) -> None:
    for resource in call("root", f"{OURS}/resources?limit=1000").json()["items"]:
        assert call("root", f"{OURS}/resourceTypes/{resource['resourceTypeId']}").status_code == 200
        assert call("root", f"{OURS}/resourcePools/{resource['resourcePoolId']}").status_code == 200


def test_the_o_cloud_is_what_the_configuration_says(world: World, call: Call) -> None:
    expected = {
        "oCloudId": "ocloud-test",
        "name": "Test cloud",
        "description": "What the tests serve",
        "serviceUri": "http://testserver",
    }
    world.follow()
    ours = call("alice", f"{OURS}/oCloudInfrastructure").json()
    assert ours == {**expected, "globalCloudId": "cloud-eu", "extensions": {}}
    assert call("alice", ORAN).json() == {**expected, "globalcloudId": "cloud-eu"}
    assert call("alice", f"{ORAN}/").json() == call("alice", ORAN).json()


@pytest.mark.parametrize("spelling", ["o2ims-", "O2ims-", "o2ims_", "O2ims_"])
def test_every_spelling_of_the_root_is_answered_in_that_spelling(
    sample: World, call: Call, spelling: str
) -> None:
    root = f"/{spelling}infrastructureInventory"
    assert call("alice", f"{root}/v1/resourcePools").status_code == 200
    for base in (root, f"{root}/v1"):
        versions = call("alice", f"{base}/api_versions").json()
        assert versions == {"uriPrefix": base, "apiVersions": [{"version": "1.2.0", "isDeprecated": False}]}


@pytest.mark.parametrize("asked", ["1", "1.0", "1.0.0", "1.1.0", "1.2.0", "1.2.0-impl:example.com:product:4"])
def test_an_offered_version_is_echoed(sample: World, call: Call, asked: str) -> None:
    assert call("alice", f"{ORAN}/resourcePools", headers={"Version": asked})["Version"] == "1.2.0"
    assert call("alice", f"{ORAN}/resourcePools")["Version"] == "1.2.0"
    assert "Version" not in call("alice", f"{OURS}/resourcePools", headers={"Version": asked})


@pytest.mark.parametrize("asked", ["2.0.0", "1.3.0", "0.9", "latest", "1.2.0.1", "١.٠"])
def test_another_version_is_not_acceptable(sample: World, call: Call, asked: str) -> None:
    answer = call("alice", f"{ORAN}/resourcePools", headers={"Version": asked})
    assert answer.status_code == 406
    assert "1.2.0" in answer.json()["detail"]


def test_selectors_pick_attributes_on_both_roots(sample: World, call: Call) -> None:
    for item in call("root", f"{ORAN}/resourcePools?all_fields").json():
        assert "mock.type" in item["extensions"]
    picked = call("root", f"{OURS}/resources?fields=extensions/mock.rack&limit=3").json()["items"]
    assert [set(item["extensions"]) for item in picked] == [{"mock.rack"}] * 3
    assert all(
        "extensions" not in item
        for item in call("root", f"{OURS}/resources?exclude_fields=extensions").json()["items"]
    )
    assert (
        call("root", f"{ORAN}/resourcePools?exclude_default").json()
        == call("root", f"{ORAN}/resourcePools").json()
    )
    one = call("root", f"{ORAN}/resourcePools").json()[0]["resourcePoolId"]
    assert "extensions" not in call("root", f"{ORAN}/resourcePools/{one}?exclude_fields=extensions").json()


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("filter=(eq,nme,x)", "filter"),
        ("filter=", "filter"),
        ("filter=(equals,name,x)", "filter"),
        ("filter=(eq,name)", "filter"),
        ("filter=(eq,name,x", "filter"),
        ("fields=nme", "fields"),
        ("exclude_fields=(nme)", "exclude_fields"),
        ("all_fields&fields=name", "all_fields"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("nextpage_opaque_marker=", "nextpage_opaque_marker"),
        ("nextpage_opaque_marker=0", "nextpage_opaque_marker"),
        ("nextpage_opaque_marker=AAAA", "nextpage_opaque_marker"),
        ("all_fields&all_fields", "all_fields"),
    ],
)
@pytest.mark.parametrize("root", [OURS, ORAN])
def test_a_malformed_query_is_400_that_says_what_and_where(
    sample: World, call: Call, root: str, query: str, parameter: str
) -> None:
    answer = call("alice", f"{root}/resourcePools?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["parameter"] == parameter
    assert answer.json()["detail"].startswith(parameter)


def test_an_attribute_is_checked_against_the_schema_of_that_very_list(sample: World, call: Call) -> None:
    assert call("alice", f"{OURS}/resourcePools?filter=(eq,globalAssetId,x)").status_code == 400
    assert call("alice", f"{OURS}/resources?filter=(eq,globalAssetId,x)").status_code == 200
    assert call("alice", f"{ORAN}/resourceTypes?filter=(eq,oCloudId,x)").status_code == 400
    assert call("alice", f"{OURS}/resourceTypes?filter=(eq,oCloudId,x)").status_code == 200


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("(eq,extensions/mock.cpuCores,32)", 65),
        ("(gt,extensions/mock.cpuCores,16)", 73),
        ("(in,tags,edge,nowhere)", 12),
        ("(cont,name,edge)", 0),
        ("(cont,name,Edge)", 12),
        ("(eq,extensions/none,1)", 0),
        ("(neq,extensions/none,1)", 120),
        ("(nin,tags,edge)", 108),
        ("(eq,name,Node Mock 001);(eq,tags,core)", 1),
        ("(eq,name,'Node Mock 001')", 1),
        ("(eq,oCloudId,ocloud-test);", 120),
    ],
)
def test_a_filter_selects(sample: World, call: Call, text: str, count: int) -> None:
    answer = call("root", f"{OURS}/resources", QUERY_STRING=f"limit=1000&filter={text}")
    assert len(answer.json()["items"]) == count


def test_unknown_ids_are_404(sample: World, call: Call) -> None:
    pool = call("root", f"{ORAN}/resourcePools").json()[0]["resourcePoolId"]
    odd = (f"{{{pool}}}", f"urn:uuid:{pool}", pool.replace("-", ""), f"%0A{pool[1:]}", f"{pool}%0A", "%00")
    assert call("root", f"{ORAN}/resourcePools/{pool.upper()}").status_code == 200
    for id_ in (str(uuid.uuid4()), "not-a-uuid", "00000000-0000-0000-0000-00000000000", *odd):
        for noun in ("resourcePools", "resourceTypes", "deploymentManagers", "resourcePools/x/resources"):
            assert call("root", f"{ORAN}/{noun}/{id_}").status_code == 404
    assert call("root", f"{ORAN}/resourcePools/{uuid.uuid4()}/resources").status_code == 404
