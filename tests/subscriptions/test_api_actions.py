"""What is done to a subscription at `/o2ims/v1`, whichever root it was made on: what was sent is listed, sent
again, tried."""

from collections.abc import Callable
from typing import Any

import pytest

from o2ims.models import Change
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions import store
from subscriptions.models import Delivery, Endpoint
from tests.sink import Sink
from tests.subscriptions.recorder import ORAN
from tests.subscriptions.recorder import SUBSCRIPTIONS as ROOT
from tests.subscriptions.world import delivered, subscribed
from tests.world import World

Call = Callable[..., Any]
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def test_what_was_sent_is_listed_after_a_sequence(post: Call, call: Call, sample: World) -> None:
    to = subscribed("acme")
    store.catch_up()
    rows = [delivered(to, change) for change in Change.objects.filter(tenant="acme").order_by("pk")[:3]]
    dead = delivered(to, Change.objects.filter(tenant="acme").order_by("pk")[3], state="dead", status=400)
    path = f"{ROOT}/{to.id}/deliveries"
    items = call("bob", path).json()["items"]
    assert [item["sequence"] for item in items] == [1, 2, 3, 4]
    assert items[0]["notification"]["notificationId"] == items[0]["webhookId"]
    assert items[0]["notification"]["postObjectState"]["name"] == rows[0].change.after["name"]  # type: ignore[union-attr,index]
    assert [item["sequence"] for item in call("bob", path + "?after=2").json()["items"]] == [3, 4]
    assert [item["status"] for item in call("bob", path + "?state=dead").json()["items"]] == [400]
    first = call("bob", path + "?limit=3&after=0")
    link = first["Link"].split(">")[0][1:]
    assert [item["sequence"] for item in call("bob", link).json()["items"]] == [4]
    assert call("bob", path + "?after=x").status_code == 400
    assert call("bob", path + "?fitler=x").status_code == 400
    assert call("charlie", path).status_code == 404
    assert dead.sequence == 4


def test_a_replay_puts_what_has_ended_into_its_lanes_again(post: Call, call: Call) -> None:
    to = subscribed("acme")
    store.catch_up()
    changes = list(Change.objects.filter(tenant="acme").order_by("pk")[:4])
    for change, state in zip(changes, ("delivered", "dead", "waiting", "dead"), strict=True):
        delivered(to, change, state=state)
    path = f"{ROOT}/{to.id}/replay"
    assert post("bob", {}, path).status_code == 403
    assert post("alice", {"until": "x"}, path).status_code == 400
    assert post("alice", {"state": "dead", "after": 2}, path).json() == {"deliveries": 1}
    empty: list[Any] = ["", {}]
    for nothing in empty:
        answer = post("alice", nothing, path)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/after")
    assert post("alice", {"after": 0}, path).json() == {"deliveries": 2}
    assert set(Delivery.objects.values_list("state", "attempts")) == {("waiting", 0), ("waiting", 1)}
    endpoint = Endpoint.objects.get()
    assert sum(lane.waiting for lane in endpoint.lanes.all()) == 4
    assert min(lane.head for lane in endpoint.lanes.all() if lane.waiting) == 1


def test_a_test_is_a_delivery_of_no_change(post: Call, call: Call) -> None:
    to = subscribed("acme")
    store.catch_up()
    sent = post("alice", "", f"{ROOT}/{to.id}/test")
    assert (sent.status_code, sent.json()) == (202, {"sequence": 1})
    (item,) = call("alice", f"{ROOT}/{to.id}/deliveries").json()["items"]
    assert (item["state"], item["notification"]["test"]) == ("waiting", True)
    assert item["notification"]["notificationId"] == item["webhookId"]
    assert sum(lane.waiting for lane in Endpoint.objects.get().lanes.all()) == 1


def test_those_of_the_o_ran_root_have_them_too(post: Call, call: Call, sink: Sink) -> None:
    made = post("alice", {"callback": sink.url}, ORAN).json()
    path, there = f"{ROOT}/{made['subscriptionId']}", f"{ORAN}/{made['subscriptionId']}"
    assert post("alice", "", f"{path}/test").json() == {"sequence": 1}
    assert [one["sequence"] for one in call("bob", f"{path}/deliveries").json()["items"]] == [1]
    assert post("alice", {"after": 0}, f"{path}/replay").json() == {"deliveries": 0}
    assert post("alice", "", f"{path}/rotate-secret").json()["secret"] != made["secret"]
    shown = call("alice", there)
    resumed = post("alice", "", f"{path}/resume", If_Match=shown["ETag"])
    assert (resumed.json(), resumed["ETag"]) == (shown.json(), shown["ETag"])
    for method in ("GET", "DELETE"):
        assert call("alice", path, method=method, headers={"If-Match": "*"}).status_code == 404
    for who, status in (("bob", 403), ("charlie", 404)):
        assert post(who, "", f"{path}/test").status_code == status
    assert call("charlie", f"{path}/deliveries").status_code == 404


@pytest.mark.parametrize("what", ["test", "rotate-secret", "resume", "replay"])
def test_a_parameter_that_would_be_ignored_is_refused(post: Call, what: str) -> None:
    to = subscribed("acme", flavour=INVENTORY_V1.name, filter=None)
    store.catch_up()
    answer = post("alice", {"after": 3}, f"{ROOT}/{to.id}/{what}?after=3")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "after")


def test_whoever_made_it_and_why_it_is_not_well_is_shown(post: Call, call: Call, sink: Sink) -> None:
    made = post("alice", {"callback": sink.url}).json()
    path = f"{ROOT}/{made['subscriptionId']}"
    assert (made["createdBy"], made["state"], "reason" in made) == ("alice@acme", "healthy", False)
    Endpoint.objects.update(state="suspended", reason="it answered 410 Gone")
    shown = call("bob", path)
    assert (shown.json()["state"], shown.json()["reason"]) == ("suspended", "it answered 410 Gone")
    assert call("bob", f"{ROOT}?filter=(eq,state,suspended)").json() == {"items": [shown.json()]}
    assert post("alice", shown.json(), path, "PUT", If_Match=shown["ETag"]).status_code == 200
