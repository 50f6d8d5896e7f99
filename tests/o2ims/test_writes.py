"""Writes through the API: what they do in the backend, what is recorded of them, and what is refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from adapters.ims.memory import Adapter
from o2ims.connections import connections
from o2ims.gateway import gateway
from o2ims.models import Change, Item, Operation
from tests.world import Cast, World

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

POOLS, RESOURCES = "/o2ims/v1/resourcePools", "/o2ims/v1/resources"
Call = Callable[..., Any]


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


def the_pool(call: Call, who: str, name: str) -> dict[str, Any]:
    (found,) = (item for item in call(who, POOLS).json()["items"] if item["name"] == name)
    return found


def faults(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


class TestAPool:
    def test_is_made_in_the_backend_shown_at_once_and_recorded_once(
        self, served: Adapter, send: Call, call: Call, world: World
    ) -> None:
        answer = send("alice", "POST", POOLS, {"name": "workers", "description": "new", "location": "z1"})
        assert answer.status_code == 201
        made = answer.json()
        assert (made["name"], made["description"], made["location"]) == ("workers", "new", "z1")
        assert made["oCloudId"] == "ocloud-test"
        assert answer["Location"].endswith(f"{POOLS}/{made['resourcePoolId']}")
        again = call("alice", f"{POOLS}/{made['resourcePoolId']}")
        assert (again.json(), again["ETag"]) == (made, answer["ETag"])
        assert [pool.tenant for pool in served.pools() if pool.name == "workers"] == ["acme"]
        change = Change.objects.filter(object_id=made["resourcePoolId"]).get()
        operation = Operation.objects.get()
        assert (change.type, change.tenant, change.request_id) == ("CREATE", "acme", operation.request_id)
        assert (operation.state, operation.actor, operation.tenant) == ("done", "alice@acme", "acme")
        assert str(operation.object_id) == made["resourcePoolId"]
        world.sources["one"].see(*served.everything())  # what a watch would tell later
        assert Change.objects.filter(object_id=made["resourcePoolId"]).count() == 1

    def test_is_its_makers_alone(self, served: Adapter, send: Call, call: Call) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers"}).json()["resourcePoolId"]
        assert "workers" in names(call("bob", POOLS))
        assert "workers" not in names(call("charlie", POOLS))
        for method, body in (("GET", None), ("PUT", {"description": "x"}), ("DELETE", None)):
            assert send("charlie", method, f"{POOLS}/{made}", body).status_code == 404
        assert "workers" in names(call("root", POOLS))

    def test_of_a_name_that_its_owner_has_is_a_conflict_and_of_anothers_is_not(
        self, served: Adapter, send: Call, cast: Cast
    ) -> None:
        cast.join("oscar", "acme", "Operator")
        assert send("alice", "POST", POOLS, {"name": "workers"}).status_code == 201
        refused = send("oscar", "POST", POOLS, {"name": "workers"})
        assert (refused.status_code, refused.json()["errors"]) == (
            409,
            [{"pointer": "/name", "detail": "is taken"}],
        )
        assert send("charlie", "POST", POOLS, {"name": "workers"}).status_code == 201
        assert [o.state for o in Operation.objects.order_by("started_at")] == ["done", "failed", "done"]

    def test_of_the_platform_is_nobodys(self, served: Adapter, send: Call, call: Call) -> None:
        made = send("root", "POST", POOLS, {"name": "workers"})
        assert made.status_code == 201
        assert Item.objects.get(object_id=made.json()["resourcePoolId"]).tenant == ""
        assert "workers" in names(call("alice", POOLS)), "the source is shared"
        path = f"{POOLS}/{made.json()['resourcePoolId']}"
        assert send("alice", "PUT", path, {"description": "mine"}).status_code == 403
        assert send("alice", "DELETE", path).status_code == 403

    def test_goes_where_the_rules_say_if_its_maker_may_go_there(self, served: Adapter, send: Call) -> None:
        there = {"name": "there", "extensions": {"site": "two"}}
        assert send("charlie", "POST", POOLS, there).status_code == 201
        assert send("alice", "POST", POOLS, there).status_code == 201
        found = {item.tenant: item.source.name for item in Item.objects.filter(body__name="there")}
        assert found == {"globex": "two", "acme": "one"}

    def test_of_a_type_goes_to_the_types_backend(self, served: Adapter, send: Call, call: Call) -> None:
        types = call("charlie", "/o2ims/v1/resourceTypes").json()["items"]
        of_two = [
            type_
            for type_ in types
            if Item.objects.get(object_id=type_["resourceTypeId"]).source.name == "two"
        ]
        wanted = {"name": "typed", "resourceTypeId": of_two[0]["resourceTypeId"]}
        assert send("charlie", "POST", POOLS, wanted).status_code == 201
        assert Item.objects.get(body__name="typed").source.name == "two"
        answer = send("alice", "POST", POOLS, wanted)
        assert (answer.status_code, list(faults(answer))) == (422, ["/resourceTypeId"])

    def test_changes_and_what_is_not_said_stays(self, served: Adapter, send: Call, call: Call) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers", "description": "d", "location": "z1"}).json()
        path = f"{POOLS}/{made['resourcePoolId']}"
        answer = send("alice", "PUT", path, {"extensions": {"mock.capacity": 7}})
        assert answer.status_code == 200
        made["extensions"]["mock.capacity"] = 7
        assert answer.json() == made == call("alice", path).json()
        answer = send("alice", "PUT", path, {**made, "description": ""})
        assert answer.json()["description"] == ""
        assert answer.json()["location"] == "z1"
        kinds = Change.objects.filter(object_id=made["resourcePoolId"]).order_by("sequence")
        assert [change.type for change in kinds] == ["CREATE", "MODIFY", "MODIFY"]

    def test_that_was_changed_to_what_it_is_has_no_second_change(self, served: Adapter, send: Call) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers"}).json()
        assert send("alice", "PUT", f"{POOLS}/{made['resourcePoolId']}", made).status_code == 200
        assert Change.objects.filter(object_id=made["resourcePoolId"]).count() == 1

    def test_is_changed_only_as_it_was_seen_where_the_caller_says_so(
        self, served: Adapter, send: Call
    ) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers"})
        path = f"{POOLS}/{made.json()['resourcePoolId']}"
        changed = send("alice", "PUT", path, {"description": "1"}, If_Match=made["ETag"])
        assert changed.status_code == 200
        assert send("alice", "PUT", path, {"description": "2"}, If_Match=made["ETag"]).status_code == 412
        assert send("alice", "DELETE", path, If_Match=made["ETag"]).status_code == 412
        assert send("alice", "DELETE", path, If_Match=changed["ETag"]).status_code == 204

    def test_goes_and_is_gone(self, served: Adapter, send: Call, call: Call) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers"}).json()["resourcePoolId"]
        answer = send("alice", "DELETE", f"{POOLS}/{made}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert call("alice", f"{POOLS}/{made}").status_code == 404
        assert send("alice", "DELETE", f"{POOLS}/{made}").status_code == 404
        assert not [pool for pool in served.pools() if pool.name == "workers"]

    def test_with_resources_goes_only_with_them(self, served: Adapter, send: Call, call: Call) -> None:
        pool = the_pool(call, "alice", "Mock Edge Pool 1")
        path = f"{POOLS}/{pool['resourcePoolId']}"
        answer = send("alice", "DELETE", path)
        assert answer.status_code == 409
        assert "12 resources" in answer.json()["detail"]
        assert send("alice", "DELETE", f"{path}?cascade=maybe").status_code == 400
        assert send("alice", "DELETE", f"{path}?cascade=true").status_code == 204
        assert call("alice", path).status_code == 404
        gone = Change.objects.filter(type="DELETE").order_by("sequence")
        assert [change.kind for change in gone] == ["Resource"] * 12 + ["ResourcePool"]


class TestAResource:
    def test_is_made_in_a_pool_of_its_maker_and_goes(self, served: Adapter, send: Call, call: Call) -> None:
        pool = the_pool(call, "alice", "Mock Edge Pool 1")["resourcePoolId"]
        answer = send("alice", "POST", RESOURCES, {"name": "r-1", "resourcePoolId": pool})
        assert answer.status_code == 201
        made = answer.json()
        assert (made["name"], made["resourcePoolId"]) == ("r-1", pool)
        path = f"{RESOURCES}/{made['resourceId']}"
        assert answer["Location"].endswith(path)
        assert call("alice", path).json() == made
        assert send("charlie", "DELETE", path).status_code == 404
        assert send("alice", "DELETE", path).status_code == 204
        assert call("alice", path).status_code == 404

    def test_without_a_name_gets_one(self, served: Adapter, send: Call, call: Call) -> None:
        pool = the_pool(call, "alice", "Mock Edge Pool 1")["resourcePoolId"]
        made = [send("alice", "POST", RESOURCES, {"resourcePoolId": pool}).json()["name"] for _ in range(2)]
        assert all(name.startswith("mock-edge-pool-1-") for name in made)
        assert made[0] != made[1]

    def test_is_not_made_in_a_pool_that_is_not_its_makers(
        self, served: Adapter, send: Call, call: Call
    ) -> None:
        theirs = the_pool(call, "charlie", "Mock Compute Pool 2")["resourcePoolId"]
        shared = the_pool(call, "alice", "Mock Shared Pool 1")["resourcePoolId"]
        answer = send("alice", "POST", RESOURCES, {"resourcePoolId": theirs})
        assert (answer.status_code, list(faults(answer))) == (422, ["/resourcePoolId"])
        nothing = send("alice", "POST", RESOURCES, {"resourcePoolId": "00000000-0000-4000-8000-000000000000"})
        assert faults(nothing) == faults(answer), "what is another's and what is not there look the same"
        assert send("alice", "POST", RESOURCES, {"resourcePoolId": shared}).status_code == 403
        assert not Operation.objects.exists()


class TestAKey:
    def test_makes_a_repeat_the_first_answer_again(self, served: Adapter, send: Call, cast: Cast) -> None:
        first, second = (
            send("alice", "POST", POOLS, {"name": "workers"}, Idempotency_Key="k-1") for _ in range(2)
        )
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert Operation.objects.count() == 1
        cast.join("oscar", "acme", "Operator")
        assert send("oscar", "POST", POOLS, {"name": "more"}, Idempotency_Key="k-1").status_code == 201

    def test_is_for_one_request(self, served: Adapter, send: Call) -> None:
        send("alice", "POST", POOLS, {"name": "workers"}, Idempotency_Key="k-1")
        assert send("alice", "POST", POOLS, {"name": "other"}, Idempotency_Key="k-1").status_code == 422
        assert send("alice", "POST", POOLS, {"name": "o"}, Idempotency_Key="k 1").status_code == 400

    def test_of_a_request_that_failed_is_free_again(self, served: Adapter, send: Call) -> None:
        send("alice", "POST", POOLS, {"name": "workers"})
        for status in (409, 409):
            assert (
                send("alice", "POST", POOLS, {"name": "workers"}, Idempotency_Key="k").status_code == status
            )

    def test_of_a_request_under_way_says_so(self, served: Adapter, send: Call) -> None:
        send("alice", "POST", POOLS, {"name": "workers"}, Idempotency_Key="k")
        Operation.objects.update(state="started")
        again = send("alice", "POST", POOLS, {"name": "workers"}, Idempotency_Key="k")
        assert (again.status_code, again["Retry-After"]) == (409, "2")


ANY = "00000000-0000-4000-8000-000000000000"
BAD_POOLS: list[tuple[Any, dict[str, str]]] = [
    ({}, {"/name": "is needed"}),
    ([], {"": "must be a JSON object"}),
    ({"name": ""}, {"/name": "must not be empty"}),
    ({"name": 5}, {"/name": "must be a string"}),
    ({"name": "x" * 254}, {"/name": "must not be longer than 253 characters"}),
    ({"name": "a\nb"}, {"/name": "must not hold control characters"}),
    ({"name": "\ud800"}, {"/name": "must not hold control characters"}),
    ({"name": "a", "description": "\0"}, {"/description": "must not hold control characters"}),
    ({"name": "a", "extensions": []}, {"/extensions": "must be an object"}),
    ({"name": "a", "extensions": {"x": "\0"}}, {"/extensions": "cannot be stored: a string holds U+0000"}),
    ({"name": "a", "extensions": {"mock.nativeId": "x"}}, {"/extensions/mock.nativeId": "cannot be chosen"}),
    ({"name": "a", "resourceTypeId": "x"}, {"/resourceTypeId": "must be a UUID"}),
    ({"name": "a", "resourceTypeId": ANY}, {"/resourceTypeId": "there is no such ResourceType"}),
    ({"name": 1, "location": 2}, {"/name": "must be a string", "/location": "must be a string"}),
]  # fmt: skip


class TestABadBody:
    @pytest.mark.parametrize("case", range(len(BAD_POOLS)))
    def test_says_everything_that_is_wrong_and_where(self, served: Adapter, send: Call, case: int) -> None:
        body, wrong = BAD_POOLS[case]
        answer = send("alice", "POST", POOLS, body)
        absent = "there is no such ResourceType" in wrong.values()
        assert (answer.status_code, faults(answer)) == (422 if absent else 400, wrong)
        assert not Item.objects.filter(body__name="a").exists()

    @pytest.mark.parametrize(
        "body", [b"", b"{", b'{"name": "a", "name": "b"}', b'{"name": NaN}', b"\xff", b"[" * 100]
    )
    def test_that_is_no_json_is_refused(self, served: Adapter, send: Call, body: bytes) -> None:
        assert send("alice", "POST", POOLS, body).status_code == 400

    def test_with_an_unknown_key_names_it_and_those_there_are(self, served: Adapter, send: Call) -> None:
        answer = send("alice", "POST", POOLS, {"name": "a", "nmae/~": 1})
        assert "description, extensions, location, name" in faults(answer)["/nmae~1~0"]

    def test_of_another_type_is_415(self, served: Adapter, call: Call) -> None:
        assert call("alice", POOLS, method="POST", data=b"a=b", content_type="text/plain").status_code == 415

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"name": "other"}, "/name"), ({"resourcePoolId": ANY}, "/resourcePoolId"), ({"odd": 1}, "/odd"),
            ({"oCloudId": "x"}, "/oCloudId"), ({"resourceTypeId": ANY}, "/resourceTypeId"),
            ({"extensions": {"mock.nativeId": "x"}}, "/extensions/mock.nativeId"),
        ],
    )  # fmt: skip
    def test_cannot_change_what_is_fixed(
        self, served: Adapter, send: Call, change: dict[str, Any], pointer: str
    ) -> None:
        made = send("alice", "POST", POOLS, {"name": "workers"}).json()
        answer = send("alice", "PUT", f"{POOLS}/{made['resourcePoolId']}", {**made, **change})
        assert (answer.status_code, list(faults(answer))) == (400, [pointer])

    def test_from_somebody_who_only_reads_is_not_looked_at(self, served: Adapter, send: Call) -> None:
        assert send("iris", "POST", POOLS, {}).status_code == 403
        assert send("", "POST", POOLS, {}).status_code == 401
        assert send("iris", "DELETE", f"{POOLS}/{ANY}").status_code == 403


def test_nothing_configured_to_take_it_is_422(
    served: Adapter, send: Call, settings: Settings, tmp_path: Path
) -> None:
    path = Path(settings.GATEWAY_CONFIG)
    text = json.loads(path.read_text())
    del text["adapters"][0]["default"], text["routing"]
    path.write_text(json.dumps(text))
    assert gateway.refresh()
    assert send("root", "POST", POOLS, {"name": "workers"}).status_code == 422


def test_what_a_backend_cannot_do_is_501_with_the_ability(
    served: Adapter, send: Call, settings: Settings
) -> None:
    path = Path(settings.GATEWAY_CONFIG)
    text = json.loads(path.read_text())
    text["adapters"][0]["config"] = {"live": 0}  # in the memory of a process that is not this one
    path.write_text(json.dumps(text))
    assert gateway.refresh()
    answer = send("alice", "POST", POOLS, {"name": "workers"})
    assert answer.status_code == 501
    assert "resource-pool-create" in answer.json()["detail"]
    assert Operation.objects.get().state == "failed"


def test_a_connection_is_closed_when_its_configuration_changes(served: Adapter, settings: Settings) -> None:
    backend = gateway.current().backends[0]
    adapter = connections.to(backend)
    assert connections.to(backend) is adapter
    with suppress(StopIteration):
        next(adapter.pools())
    path = Path(settings.GATEWAY_CONFIG)
    path.write_text(path.read_text().replace('"live": 0', '"live": 1'))
    assert gateway.refresh()
    other = connections.to(gateway.current().backends[0])
    assert other is not adapter
