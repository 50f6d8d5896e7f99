"""What is told, and to whom: large bodies, twenty tenants, what goes with its parent, and sources that are
polled."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest

from adapters.types import object_id
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Received, Sink
from tests.subscriptions.run import Run, running

pytestmark = [pytest.mark.xdist_group("subscription faults"), pytest.mark.timeout(300)]
TENANTS, EACH = 20, 5
JOIN = f"""
import json
from tenancy.models import Binding, Role, Tenant, Token, User
tokens = {{}}
for n in range({TENANTS}):
    user = User.objects.create(
        username=f"user@t{{n}}", tenant=Tenant.objects.create(id=f"t{{n}}", name=f"T {{n}}")
    )
    Binding.objects.create(user=user, role=Role.objects.get(name="Owner", tenant=None))
    tokens[f"t{{n}}"] = Token.issue(user)[1]
print(json.dumps(tokens))
"""


@pytest.fixture(scope="module")
def run(postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(postgres, redis_server, tmp_path_factory.mktemp("told")) as found:
        yield found


@pytest.fixture(autouse=True)
def gone(run: Run) -> Iterator[None]:
    """Whoever a test has subscribed is gone after it."""
    yield
    for id_ in set(run.recorder.subscribed) - run.recorder.ended:
        run.recorder.end("root", id_)


def test_what_is_too_large_comes_thin_and_says_so(run: Run) -> None:
    with Sink() as sink:
        run.recorder.subscribe("alice", sink, consumerSubscriptionId="mine")
        small = run.hands.create("small", tenant="acme")
        large = replace(small, native_id="large", name="large", description="x" * 300_000)
        run.hands.keep(large, made=True)
        run.quiet()
        run.hands.keep(replace(large, description="y" * 300_000))
        run.quiet()
        run.hands.delete("large")
        run.hands.delete("small")
        run.verify()
        id_ = object_id("one", "large")
        thin = [one for one in sink.got if one.headers.get("o2-thin") == "true"]
        assert [one.json["notificationEventType"] for one in thin] == [0, 1, 2]
        for one in thin:
            assert len(one.body) < 1000
            assert (one.json["objectId"], one.json["objectType"]) == (id_, "Resource")
            assert one.json["consumerSubscriptionId"] == "mine"
            assert not {"priorObjectState", "postObjectState"} & set(one.json)
        assert ["objectRef" in one.json for one in thin] == [True, True, False]
        assert thin[0].json["objectRef"].endswith(f"/o2ims/v1/resources/{id_}")
        assert len(sink.got) == len(thin) + 2


def test_twenty_tenants_who_want_everything_hear_of_nothing_foreign(run: Run) -> None:
    run.gateway.tokens |= json.loads(run.gateway.manage("shell", "-v", "0", "-c", JOIN))
    with Sink() as sink:
        for n in range(TENANTS):
            for _ in range(EACH):
                run.recorder.subscribe(f"t{n}", sink, filter={})
        for n in range(TENANTS):
            run.hands.create(f"of-t{n}", tenant=f"t{n}")
        run.hands.create("of-all", tenant=None)
        run.quiet()
        for n in range(0, TENANTS, 2):
            run.hands.change(f"of-t{n}")
        run.verify()
        for id_, one in run.recorder.subscribed.items():
            if id_ not in run.recorder.ended:
                names = {received.told[1] for received in run.recorder.got(id_)}
                assert names == {f"of-{one.tenant}", "of-all"}
        assert len(sink.got) == EACH * (2 * TENANTS + TENANTS // 2)


def test_what_goes_with_its_parent_is_told_and_every_reference_answers(run: Run) -> None:
    """404 only of what has gone by then."""
    asked: list[tuple[str, int]] = []
    dropped = threading.Event()

    def status(url: str) -> int:
        given = {"Authorization": f"Bearer {run.gateway.tokens['alice']}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=given), timeout=20) as found:
                return int(found.status)
        except HTTPError as error:
            return error.code

    def follow(one: Received) -> int:
        if "objectRef" in one.json:
            gone = dropped.is_set()
            found = status(one.json["objectRef"])
            asked.append((one.json["objectRef"], found))
            assert found == 200 or (found == 404 and gone)
        return 204

    with Sink(answer=follow) as sink:
        run.recorder.subscribe("alice", sink)
        pool = run.hands.pool("doomed")
        members = [
            run.hands.create(f"member-{n}", tenant="acme", pool_native_id=pool.native_id).name
            for n in range(4)
        ]
        for name in members:
            run.hands.change(name)
        kept = run.hands.create("kept", tenant="acme").name
        run.quiet()
        assert {code for _, code in asked} == {200}
        references = {reference for reference, _ in asked}
        dropped.set()
        run.hands.drop_pool("doomed")
        run.verify()
        deleted = {one.told[1] for one in sink.got if one.told[0] == 2}
        assert deleted == {"doomed", *members}
        codes = {reference: status(reference) for reference in references}
        assert sorted(codes.values()) == [200] + [404] * 5
        run.hands.delete(kept)


def test_a_source_that_is_polled_tells_what_one_tells_that_is_watched(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    with running(postgres, redis_server, tmp_path) as run, Sink() as sink:
        config = {"path": str(run.gateway.den.path / "one.sqlite"), "live": 0, "objects": 20}
        source = {"type": "mock", "shared": True}
        run.gateway.configure(
            {**source, "name": "one", "config": config},
            {**source, "name": "polled", "config": {**config, "poll": "1s"}},
        )
        second = "SELECT 1 FROM o2ims_source WHERE key = 'polled' AND listed_at IS NOT NULL"
        run.gateway.until(lambda: one(run, second), what="the second source")
        run.recorder.subscribe("root", sink)
        names = [f"made-{n}" for n in range(6)]
        for does, to in (("create", names), ("change", names[:5]), ("delete", names[:3])):
            for name in to:
                getattr(run.hands, does)(name)
            seen_by_both(run)
        run.hands.change("made-4")
        run.hands.create("late")
        seen_by_both(run)
        run.recorder.quiet()
        told = {key: [plain(got) for got in sink.got if is_of(got, key)] for key in ("one", "polled")}
        assert len(told["one"]) == 16
        assert sorted(told["one"]) == sorted(told["polled"])
        run.recorder.verify(run.path)


def seen_by_both(run: Run) -> None:
    """One that is polled tells the net difference: it has to have looked before there is more."""
    run.quiet()
    behind = (
        "SELECT NOT EXISTS (SELECT 1 FROM o2ims_item a FULL JOIN o2ims_item b ON a.native_id = b.native_id"
        " AND a.kind = b.kind AND b.source_id <> a.source_id WHERE (a.body->>'description') IS DISTINCT FROM"
        " (b.body->>'description') OR (a.deleted_at IS NULL) <> (b.deleted_at IS NULL))"
    )
    run.gateway.until(lambda: one(run, behind), what="the poll")


def one(run: Run, statement: str) -> bool:
    with run.gateway.database() as rows:
        found = rows.execute(statement).fetchone()
    return bool(found and found[0])


def is_of(got: Received, key: str) -> bool:
    state = got.json.get("postObjectState") or got.json["priorObjectState"]
    return bool(state["resourceId"] == object_id(key, state["name"]))


def plain(got: Received) -> tuple[int, str, str, str]:
    """What is told, without what tells the sources apart."""
    before, after = (got.json.get(f"{which}ObjectState") or {} for which in ("prior", "post"))
    return *got.told, before.get("description", ""), after.get("description", "")
