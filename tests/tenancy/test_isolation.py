"""Tenants cannot see each other: a foreign object is an unknown object."""

import uuid
from collections.abc import Callable
from typing import Any

from o2ims import metrics
from o2ims.mirror import mirror
from tenancy.models import Tenant, Token
from tests.world import Cast, World, pool, resource, small

Call = Callable[..., Any]


def names(answer: Any) -> set[str]:
    return {item["name"] for item in answer.json()["items"]}


def test_each_sees_the_tenants_own_and_what_is_shared(sample: World, call: Call) -> None:
    shared = "Mock Shared Pool 1"
    acme = {"Mock Compute Pool 1", "Mock Edge Pool 1", shared}
    globex = {"Mock Compute Pool 2", "Mock Accelerator Pool 1", shared}
    assert names(call("alice", "/o2ims/v1/resourcePools")) == acme
    assert names(call("bob", "/o2ims/v1/resourcePools")) == acme
    assert names(call("charlie", "/o2ims/v1/resourcePools")) == globex
    for platform in ("root", "iris"):
        assert names(call(platform, "/o2ims/v1/resourcePools")) == acme | globex


def test_what_is_nobodys_in_a_source_that_is_not_shared_is_the_platforms(world: World, call: Call) -> None:
    world.add("one", things=[pool("mine"), pool("nobodys", tenant=None)])
    assert names(call("alice", "/o2ims/v1/resourcePools")) == {"mine"}
    assert names(call("root", "/o2ims/v1/resourcePools")) == {"mine", "nobodys"}


def test_types_are_seen_by_whoever_sees_an_object_of_that_source(world: World, call: Call) -> None:
    world.add("one", things=small())
    assert names(call("alice", "/o2ims/v1/resourceTypes")) == {"type-1"}
    assert names(call("charlie", "/o2ims/v1/resourceTypes")) == set()
    (type_,) = call("alice", "/o2ims/v1/resourceTypes").json()["items"]
    assert call("charlie", f"/o2ims/v1/resourceTypes/{type_['resourceTypeId']}").status_code == 404


def test_a_foreign_object_is_the_same_404_as_an_unknown_one(sample: World, call: Call) -> None:
    (foreign,) = (
        item
        for item in call("charlie", "/o2ims/v1/resourcePools").json()["items"]
        if item["name"] == "Mock Compute Pool 2"
    )
    resource_ = call("charlie", f"/o2ims/v1/resourcePools/{foreign['resourcePoolId']}/resources").json()[
        "items"
    ][0]
    headers = {"X-Request-Id": "same"}
    for root in ("/o2ims/v1", "/o2ims-infrastructureInventory/v1"):
        for path, unknown in (
            (f"resourcePools/{foreign['resourcePoolId']}", f"resourcePools/{uuid.uuid4()}"),
            (
                f"resourcePools/{foreign['resourcePoolId']}/resources",
                f"resourcePools/{uuid.uuid4()}/resources",
            ),
            (
                f"resourcePools/{foreign['resourcePoolId']}/resources/{resource_['resourceId']}",
                f"resourcePools/{uuid.uuid4()}/resources/{resource_['resourceId']}",
            ),
        ):
            theirs = call("alice", f"{root}/{path}", headers=headers)
            nobodys = call("alice", f"{root}/{unknown}", headers=headers)
            assert theirs.status_code == nobodys.status_code == 404
            assert theirs.content == nobodys.content
    assert call("alice", f"/o2ims/v1/resources/{resource_['resourceId']}").status_code == 404


def test_no_filter_and_no_tag_reaches_another_tenant(world: World, call: Call) -> None:
    world.add(
        "one",
        things=[pool("p"), resource("n", description="canary-7f3a", tenant="globex", pool_native_id="p")],
    )
    for query in (
        "filter=(eq,description,canary-7f3a)",
        "filter=(neq,name,x)",
        "filter=(cont,description,canary)",
        "limit=1",
        "all_fields",
    ):
        assert b"canary" not in call("alice", f"/o2ims/v1/resources?{query}").content
    assert b"canary" in call("charlie", "/o2ims/v1/resources").content


def test_an_etag_of_another_tenant_is_no_304_and_answers_are_private(sample: World, call: Call) -> None:
    theirs = call("charlie", "/o2ims/v1/resourcePools")
    mine = call("alice", "/o2ims/v1/resourcePools", headers={"If-None-Match": theirs["ETag"]})
    assert mine.status_code == 200
    assert mine["Cache-Control"].startswith("private")
    assert "Authorization" in mine["Vary"]


def test_the_same_urls_asked_in_turn_give_everybody_their_own(sample: World, call: Call) -> None:
    """T4: of a hundred rounds nobody gets another's answer, nor a 304 for another's."""
    urls = [
        f"{root}/{noun}{query}"
        for root in ("/o2ims/v1", "/o2ims-infrastructureInventory/v1")
        for noun in ("resourcePools", "resourceTypes", "deploymentManagers")
        for query in ("", "?limit=2")
    ]
    people = ("alice", "charlie", "root")
    own = {(who, url): call(who, url) for url in urls for who in people}
    assert len({answer.content for answer in own.values()}) > len(urls)
    for number in range(100):
        url, who, other = urls[number % len(urls)], people[number % 3], people[(number + 1) % 3]
        answer = call(who, url, headers={"If-None-Match": own[other, url]["ETag"]})
        assert answer["Cache-Control"].startswith("private")
        same = own[who, url].content == own[other, url].content
        assert same or (answer.status_code, answer.content) == (200, own[who, url].content)
        assert call(who, url, headers={"If-None-Match": own[who, url]["ETag"]}).status_code == 304


def test_another_tenants_changes_leave_my_etag_alone(sample: World, call: Call) -> None:
    before = call("alice", "/o2ims/v1/resources")["ETag"]
    sample.sources["sample"].see(resource("theirs", tenant="globex", version="9999"))
    sample.follow()
    assert call("alice", "/o2ims/v1/resources")["ETag"] == before


def test_the_second_wall_drops_and_counts_what_got_into_a_wrong_index(sample: World, call: Call) -> None:
    (shelf,) = mirror.shelves
    (foreign,) = shelf.ids("ResourcePool", "globex")[:1]  # type: ignore[arg-type]
    shelf.ids("ResourcePool", "acme").append(foreign)  # type: ignore[arg-type]
    counted = metrics.FOREIGN._value.get()
    answer = call("alice", "/o2ims/v1/resourcePools")
    assert foreign not in answer.content.decode()
    assert metrics.FOREIGN._value.get() == counted + 1


def test_an_object_that_moves_changes_hands(world: World, call: Call) -> None:
    one = world.add("one", things=small(1))
    one.see(resource("node-1", tenant="globex", version="2"))
    world.follow()
    assert names(call("alice", "/o2ims/v1/resources")) == set()
    assert names(call("charlie", "/o2ims/v1/resources")) == {"node-1"}


def test_a_retired_source_hides_its_objects_and_brings_them_back(sample: World, call: Call) -> None:
    source = sample.sources["sample"].source
    type(source).objects.filter(pk=source.pk).update(retired_at="2026-01-01T00:00:00Z")
    sample.follow()
    assert names(call("root", "/o2ims/v1/resourcePools")) == set()
    type(source).objects.filter(pk=source.pk).update(retired_at=None)
    sample.follow()
    assert len(names(call("root", "/o2ims/v1/resourcePools"))) == 5


def test_strangers_and_those_who_lost_their_right_are_refused(sample: World, call: Call, cast: Cast) -> None:
    path = "/o2ims/v1/resourcePools"
    assert call("alice", path).status_code == 200
    cast.rows["alice"].revoke()
    Tenant.objects.get(pk="globex").save()
    user = cast.users["bob"]
    user.is_active = False
    user.save()
    tenant = Tenant.objects.get(pk="globex")
    tenant.status = Tenant.Status.SUSPENDED
    tenant.save()
    from tenancy.principals import principals

    principals.follow()  # as the follower does each second
    assert call("alice", path).status_code == 401
    assert call("bob", path).status_code == 401
    assert call("charlie", path).status_code == 403
    assert call("root", path).status_code == 200


def test_a_token_that_ran_out_is_refused_without_asking_the_database(
    sample: World, call: Call, cast: Cast
) -> None:
    Token.objects.filter(pk=cast.rows["alice"].pk).update(expires_at="2020-01-01T00:00:00Z")
    answer = call("alice", "/o2ims/v1/resourcePools")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="netweave", error="invalid_token"'
