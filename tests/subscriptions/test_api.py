"""`/o2ims/v1/subscriptions`, and the O-RAN root's: what is taken, what is refused, and who sees what."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django_redis import get_redis_connection

from o2ims.models import Change
from subscriptions import store
from subscriptions.models import Endpoint, Journal
from tenancy.quotas import Quota, set_limit
from tenancy.trail import AuditEntry
from tests.sink import Sink, closed_port
from tests.subscriptions.world import delivered, subscribed

Call = Callable[..., Any]

ROOT = "/o2ims/v1/subscriptions"
ORAN = "/o2ims-infrastructureInventory/v1/subscriptions"
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def test_a_subscription_is_made_shown_and_ended(post: Call, call: Call, sink: Sink) -> None:
    wanted = {"callback": sink.url, "consumerSubscriptionId": "mine", "filter": {"eventTypes": ["DELETE"]}}
    made = post("alice", wanted)
    assert made.status_code == 201
    body = made.json()
    assert body["secret"].startswith("whsec_")
    assert {key: body[key] for key in wanted} == wanted
    assert made["Location"].endswith(f"{ROOT}/{body['subscriptionId']}")
    assert (made["Cache-Control"], made["X-Callback-Check"]) == ("no-store", "delivered")
    del body["secret"]
    path = f"{ROOT}/{body['subscriptionId']}"
    shown = call("bob", path)
    assert shown.json() == body
    assert call("alice", ROOT).json() == {"items": [body]}
    assert call("alice", path, method="DELETE", headers={"If-Match": shown["ETag"]}).status_code == 204
    assert call("alice", path).status_code == 404
    assert call("alice", ROOT).json() == {"items": []}
    assert not Endpoint.objects.exists()


def test_on_the_o_ran_root_it_has_the_body_of_the_document(post: Call, call: Call, sink: Sink) -> None:
    wanted = {"callback": sink.url, "filter": "(eq,objectType,ResourceTypeInfo)", "subscriptionId": "ignored"}
    made = post("alice", wanted, ORAN).json()
    assert set(made) == {"subscriptionId", "callback", "filter", "secret"}
    path = f"{ORAN}/{made['subscriptionId']}"
    assert call("alice", path).json() == {key: made[key] for key in ("subscriptionId", "filter", "callback")}
    assert call("alice", ORAN).json() == [call("alice", path).json()]
    assert call("alice", ROOT).json() == {"items": []}
    ended = call("alice", path, method="DELETE")
    assert (ended.status_code, ended.content) == (200, b"")


@pytest.mark.parametrize(("path", "status"), [(ROOT, 409), (ORAN, 400)])
def test_the_same_twice_is_refused_and_another_filter_is_not(
    post: Call, sink: Sink, path: str, status: int
) -> None:
    other = {"eventTypes": "CREATE"} if path == ROOT else "(eq,objectType,ResourceInfo)"
    first = post("alice", {"callback": sink.url}, path).json()
    again = post("alice", {"callback": sink.url, "consumerSubscriptionId": "x"}, path)
    assert again.status_code == status
    assert first["subscriptionId"] in again.json()["detail"]
    assert again.json()["errors"][0]["pointer"] == "/callback"
    assert post("alice", {"callback": sink.url, "filter": other}, path).status_code == 201
    assert post("charlie", {"callback": sink.url}, path).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/callback"),
        ({"callback": 7}, "/callback"),
        ({"callback": "smo.example.com/x"}, "/callback"),
        ({"callback": "ftp://smo.example.com/x"}, "/callback"),
        ({"callback": "https://user:word@smo.example.com/x"}, "/callback"),
        ({"callback": "https://169.254.169.254/latest"}, "/callback"),
        ({"callback": "https://10.1.2.3/x"}, "/callback"),
        ({"callback": "https://0x7f.1/x"}, "/callback"),
        ({"callback": "{sink}", "tenant": "globex"}, "/tenant"),
        ({"callback": "{sink}", "secret": "whsec_x"}, "/secret"),
        ({"callback": "{sink}", "filter": "(eq,a,b)"}, "/filter"),
        ({"callback": "{sink}", "filter": {"pool": "x"}}, "/filter/pool"),
        ({"callback": "{sink}", "filter": {"resourcePoolId": []}}, "/filter/resourcePoolId"),
        ({"callback": "{sink}", "filter": {"resourcePoolId": "no-id"}}, "/filter/resourcePoolId"),
        ({"callback": "{sink}", "filter": {"eventTypes": "MOVE"}}, "/filter/eventTypes"),
        ({"callback": "{sink}", "consumerSubscriptionId": ""}, "/consumerSubscriptionId"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(
    post: Call, sink: Sink, body: dict[str, Any], pointer: str
) -> None:
    answer = post("alice", json.dumps(body).replace("{sink}", sink.url))
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not Journal.objects.exists()
    assert sink.asked == 0


def test_an_object_that_is_not_the_callers_cannot_be_named(post: Call, call: Call, sink: Sink) -> None:
    pools = {pool["resourcePoolId"] for pool in call("charlie", "/o2ims/v1/resourcePools").json()["items"]}
    theirs = pools - {p["resourcePoolId"] for p in call("alice", "/o2ims/v1/resourcePools").json()["items"]}
    nobodys = "00000000-0000-4000-8000-000000000000"
    for id_ in (nobodys, *theirs):
        answer = post("alice", {"callback": sink.url, "filter": {"resourcePoolId": id_}})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/filter/resourcePoolId"
    assert theirs
    assert not Journal.objects.exists()


def test_a_filter_of_the_o_ran_root_that_does_not_parse_is_400(post: Call, sink: Sink) -> None:
    answer = post("alice", {"callback": sink.url, "filter": "(eq,objectType"}, ORAN)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/filter")


def test_a_callback_that_does_not_answer_is_said_or_refused(post: Call, settings: Any) -> None:
    nowhere = {"callback": f"http://127.0.0.1:{closed_port()}/x"}
    settings.CALLBACK_CHECK = "strict"
    refused = post("alice", nowhere)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/callback")
    settings.CALLBACK_CHECK = "warn"
    taken = post("alice", nowhere)
    assert (taken.status_code, taken["X-Callback-Check"]) == (201, "connect")


def test_the_quota_of_subscriptions_counts(post: Call, call: Call, sink: Sink) -> None:
    set_limit("acme", "maxSubscriptions", 1)  # type: ignore[arg-type]
    first = post("alice", {"callback": sink.url}).json()
    over = post("alice", {"callback": sink.url + "/2"})
    assert (over.status_code, over.json()["type"]) == (429, "quota-exceeded")
    assert (over.json()["quota"], over.json()["limit"], over.json()["used"]) == ("maxSubscriptions", 1, 1)
    call("alice", f"{ROOT}/{first['subscriptionId']}", method="DELETE")
    assert Quota.objects.get(tenant="acme", name="maxSubscriptions").used == 0
    assert post("alice", {"callback": sink.url + "/2"}).status_code == 201


def test_it_is_changed_as_a_whole(post: Call, call: Call, sink: Sink) -> None:
    made = post("alice", {"callback": sink.url, "consumerSubscriptionId": "mine"}).json()
    path = f"{ROOT}/{made['subscriptionId']}"
    shown = call("alice", path)
    put = shown.json() | {"callback": sink.url + "/new", "consumerSubscriptionId": None}
    changed = post("alice", put, path, "PUT", If_Match=shown["ETag"])
    assert changed.status_code == 200
    assert changed.json()["callback"] == sink.url + "/new"
    assert "consumerSubscriptionId" not in changed.json()
    assert changed.json()["createdAt"] == made["createdAt"]
    assert post("alice", put, path, "PUT", If_Match=shown["ETag"]).status_code == 412
    assert post("alice", put | {"createdAt": "2020-01-01T00:00:00Z"}, path, "PUT").status_code == 400
    post("alice", {"callback": sink.url, "filter": {"eventTypes": "CREATE"}})
    same = {"callback": sink.url, "filter": {"eventTypes": "CREATE"}}
    assert post("alice", same, path, "PUT").status_code == 409
    assert call("alice", path).json() == changed.json()


def test_with_another_callback_it_is_tried_at_once(post: Call, call: Call, sink: Sink) -> None:
    to = subscribed("acme")
    store.catch_up()
    delivered(to, Change.objects.filter(tenant="acme")[0], state="waiting")
    Endpoint.objects.update(state="suspended", failures=9)
    path = f"{ROOT}/{to.id}"
    same = {"callback": to.callback, "consumerSubscriptionId": "mine"}
    assert post("alice", same, path, "PUT").json()["state"] == "suspended"
    assert post("alice", {"callback": sink.url}, path, "PUT").json()["state"] == "healthy"
    assert Endpoint.objects.get().lanes.filter(due_at__isnull=False, waiting=1).exists()


def test_every_change_of_one_is_in_the_audit_trail_without_its_secret(
    post: Call, call: Call, sink: Sink
) -> None:
    made = post("alice", {"callback": sink.url}).json()
    path = f"{ROOT}/{made['subscriptionId']}"
    post("alice", {"callback": sink.url + "/new"}, path, "PUT")
    rotated = post("alice", "", path + "/rotate-secret").json()
    post("alice", "", path + "/test")
    call("alice", path, method="DELETE")
    entries = list(
        AuditEntry.objects.filter(kind="Subscription", object_id=made["subscriptionId"]).order_by("pk")
    )
    assert [(e.action, e.actor, e.tenant, e.result) for e in entries] == [
        (action, "alice@acme", "acme", "success")
        for action in ("create", "update", "update", "update", "delete")
    ]
    text = "".join(f"{entry.before}{entry.after}" for entry in entries)
    assert made["secret"] not in text
    assert rotated["secret"] not in text
    states = [json.loads(text or "")["callback"] for text in (entries[1].before, entries[1].after)]
    assert states == [sink.url, sink.url + "/new"]


def test_redis_holds_what_the_document_says(post: Call, call: Call, sink: Sink) -> None:
    pool = call("alice", "/o2ims/v1/resourcePools").json()["items"][0]["resourcePoolId"]
    heard = get_redis_connection("default").pubsub()
    heard.subscribe("subscriptions:created", "subscriptions:deleted")
    made = post("alice", {"callback": sink.url, "filter": {"resourcePoolId": pool}}).json()
    id_, redis = made["subscriptionId"], get_redis_connection("default")
    hash_ = {key.decode(): value.decode() for key, value in redis.hgetall(f"subscription:{id_}").items()}
    assert (hash_["id"], hash_["callback"], json.loads(hash_["filter"])) == (id_, sink.url, made["filter"])
    assert made["secret"] not in hash_["data"]
    for name in ("active", f"resourcePool:{pool}", "tenant:acme"):
        assert redis.smembers(f"subscriptions:{name}") == {id_.encode()}
    assert store.version() == store.newest()
    call("alice", f"{ROOT}/{id_}", method="DELETE")
    assert redis.keys("subscription*") == [b"subscriptions:version"]
    told = [heard.get_message(timeout=1) for _ in range(4)][2:]
    assert [(m["channel"], m["data"]) for m in told if m] == [
        (b"subscriptions:created", id_.encode()),
        (b"subscriptions:deleted", id_.encode()),
    ]
    heard.close()
