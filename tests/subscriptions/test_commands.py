"""The commands an operator has: is Redis right, move subscriptions, what was given up, send it again."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django_redis import get_redis_connection

from o2ims.models import Change
from subscriptions import journal, store
from subscriptions.fanout import fan_out
from subscriptions.models import Delivery, Endpoint, Lane
from subscriptions.registry import Registry
from tenancy.trail import AuditEntry
from tests.subscriptions.world import delivered, subscribed, subscription
from tests.world import Cast, World, pool

Call = Callable[..., Any]
pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("stored"),
]


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_redis_is_verified_and_repaired(sample: World) -> None:
    kept, changed = subscribed("acme"), subscribed("globex", filter={"resourcePoolId": "x"})
    store.catch_up()
    assert "holds what the journal says" in run("subscriptions", "verify")
    redis = get_redis_connection("default")
    redis.delete(f"subscription:{kept.id}")
    redis.srem("subscriptions:resourcePool:x", changed.id)
    redis.sadd("subscriptions:tenant:nobody", "1")
    redis.hset(f"subscription:{changed.id}", "data", "{}")
    error = StringIO()
    with pytest.raises(CommandError, match="4 differences"):
        call_command("subscriptions", "verify", stderr=error)
    assert set(error.getvalue().splitlines()) == {
        f"subscription:{kept.id} is missing",
        f"subscription:{changed.id} is another than in the journal",
        "subscriptions:resourcePool:x names others than the journal",
        "subscriptions:tenant:nobody is nobody's",
    }
    run("subscriptions", "repair")
    assert "holds what the journal says" in run("subscriptions", "verify")


@pytest.mark.parametrize("harm", ["flushed", "behind", "ahead"])
def test_redis_becomes_whole_by_itself(sample: World, harm: str) -> None:
    first = subscribed("acme")
    store.catch_up()
    redis, before = get_redis_connection("default"), store.version()
    second = subscribed("globex")
    if harm == "flushed":
        redis.flushall()
    if harm == "ahead":
        redis.set(store.VERSION, 10**9)
    assert store.version() != store.newest()
    store.catch_up()
    assert {one.id for one in store.read([first.id, second.id])} == {first.id, second.id}
    assert "holds what the journal says" in run("subscriptions", "verify")
    with journal.changing():
        journal._remove(first)
    store.catch_up()
    assert [one.id for one in store.read([first.id, second.id])] == [second.id]
    assert before != store.version()


def test_subscriptions_move_to_another_gateway(sample: World, cast: Cast, monkeypatch: Any) -> None:
    made = [subscribed("acme"), subscribed(None, callback="https://smo.example.com/all")]
    lines = run("subscriptions", "export")
    assert {json.loads(line)["id"] for line in lines.splitlines()} == {one.id for one in made}
    for one in made:
        journal.end(one, lambda: None)
    monkeypatch.setattr("sys.stdin", StringIO(lines))
    assert "2 subscriptions are new" in run("subscriptions", "import")
    back = store.read([one.id for one in made])
    assert [(one.id, one.secrets) for one in back] == [(one.id, one.secrets) for one in made]
    monkeypatch.setattr("sys.stdin", StringIO(lines))
    assert "0 subscriptions are new" in run("subscriptions", "import")
    told = AuditEntry.objects.filter(kind="Subscription", action="create")
    assert {entry.object_id for entry in told} == {one.id for one in made}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"flavour": "o2ims v9"}, "line 2 is no subscription"),
        ({"flavour": "inventory v1", "filter": "(eq,"}, "line 2 is no subscription"),
        ({"id": "me"}, "line 2 is no subscription"),
        ({"callback": "https:///path"}, "line 2: its callback"),
        ({"callback": "ftp://smo.example.com/"}, "line 2: its callback"),
        ({"colour": "red"}, "line 2 is no subscription"),
        ({"sequence": "x"}, "line 2 is no subscription"),
        (
            {"secrets": ["2031:abc"]},
            "line 2: its secret lies under the key '2031', which SUBSCRIPTION_KEYS does",
        ),
    ],
)
def test_of_a_file_in_which_a_line_is_wrong_nothing_is_imported(
    sample: World, cast: Cast, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], said: str
) -> None:
    good, bad = (json.loads(orjson.dumps(subscription().data())) for _ in range(2))
    lines = "\n".join(json.dumps(line) for line in (good, bad | wrong))
    monkeypatch.setattr("sys.stdin", StringIO(lines))
    with pytest.raises(CommandError, match=said):
        run("subscriptions", "import")
    assert not Endpoint.objects.exists()
    monkeypatch.setattr("sys.stdin", StringIO(json.dumps(good | {"tenant": "initech"})))
    assert "0 subscriptions are new" in run("subscriptions", "import")


def test_what_has_ended_and_comes_back_goes_on_where_it_was(
    sample: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before its deliveries are forgotten: nobody's news is held up by them."""
    to = subscribed("acme")
    first, second = Change.objects.filter(tenant="acme").order_by("pk")[:2]
    delivered(to, first)
    lines = run("subscriptions", "export")
    delivered(to, second, state="waiting", attempts=0)

    def come_back() -> int:
        journal.end(to, lambda: None)
        monkeypatch.setattr("sys.stdin", StringIO(lines))
        assert "1 subscriptions are new" in run("subscriptions", "import")
        return Endpoint.objects.get(pk=to.id).sequence

    assert come_back() == 2
    sample.sources["sample"].see(pool("new", tenant="acme"))
    fan_out(Registry())
    assert list(Delivery.objects.values_list("sequence", "state")) == [(3, "waiting")]
    assert Lane.objects.get(waiting=1).head == 3
    assert come_back() == 3
    assert come_back() == 1  # nothing was left of it but what the file says


def test_dead_letters_are_listed_and_sent_again(sample: World) -> None:
    to = subscribed("acme")
    changes = Change.objects.filter(tenant="acme").order_by("pk")[:3]
    for change, state in zip(changes, ("dead", "delivered", "dead"), strict=True):
        delivered(to, change, state=state, outcome="refused", status=422, ended_at=change.at)
    lines = run("dead_letters", "--subscription", to.id).splitlines()
    assert [line.split()[2:5] for line in lines] == [["3", "refused", "422"], ["1", "refused", "422"]]
    assert json.loads(run("dead_letters", "--json", "--limit", "1"))["sequence"] == 3
    assert f"{to.id}: 2 deliveries are" in run("redeliver", "--dead")
    assert list(Delivery.objects.order_by("sequence").values_list("state", flat=True)) == [
        "waiting",
        "delivered",
        "waiting",
    ]
    assert run("redeliver", "--dead") == "There are no dead letters.\n"
    assert f"{to.id}: 1 delivery is" in run("redeliver", to.id, "--after", "1", "--until", "2")
    assert run("redeliver", to.id, "--after", "0").endswith(
        "0 deliveries are on their way; of those meant, 3 waited already.\n"
    )
    assert sum(lane.waiting for lane in Endpoint.objects.get().lanes.all()) == 3
    assert AuditEntry.objects.filter(kind="Subscription", object_id=to.id).count() == 3


@pytest.mark.parametrize(
    "words",
    [
        ["redeliver"],
        ["redeliver", "x", "--dead"],
        ["redeliver", "0" * 8 + "-0000" * 3 + "-" + "0" * 12],
        ["redeliver", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "--dead"],
    ],
)
def test_what_cannot_be_sent_again_is_said(words: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*words)
