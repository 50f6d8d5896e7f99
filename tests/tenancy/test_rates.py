"""How fast callers may ask: each with their own limit and their tenant's, counted by all processes
together."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django_redis import get_redis_connection
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from netweave.embedded.redis import FakeRedis
from netweave.embedded.state import Remembered
from tenancy.audit import waiting
from tenancy.models import Tenant
from tenancy.rates import Away, Bucket, Limit, Rates, rates, strangers
from tenancy.trail import AuditEntry
from tests.gateway import Gateway
from tests.netweave.test_tls import POOLS, SAMPLE
from tests.peers.postgres import Postgres
from tests.peers.process import wait_until
from tests.peers.redis import Redis
from tests.world import Cast, World

Call = Callable[..., Any]
ME = "/admin/v1/me"


def stands_on(settings: Settings, server: Redis) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": server.url}}


@pytest.fixture
def counted(redis_server: Redis, settings: Settings) -> Iterator[redis.Redis]:
    """The Redis that this process counts in, empty."""
    redis_server.clean()
    stands_on(settings, redis_server)
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


def until_refused(ask: Callable[[], Any], *, most: int = 200) -> tuple[int, Any]:
    """How often it was answered before it was too fast, and the refusal."""
    for number in range(most):
        answer = ask()
        if answer.status_code == 429:
            return number, answer
    raise AssertionError(f"{most} times and never too fast")


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class TestACaller:
    def test_is_told_with_every_answer_what_is_left(
        self, counted: redis.Redis, cast: Cast, call: Call, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_USER = Limit(1, 100)
        first, second = call("alice", ME), call("alice", "/o2ims/v1/nothing")
        assert (first.status_code, second.status_code) == (200, 404)
        assert first["RateLimit-Limit"] == "100"
        assert (first["RateLimit-Remaining"], first["RateLimit-Reset"]) == ("99", "1")
        assert int(second["RateLimit-Remaining"]) <= 99
        assert "Retry-After" not in first

    def test_who_is_too_fast_is_told_when_to_come_back(
        self, counted: redis.Redis, cast: Cast, call: Call, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_USER = Limit(1, 5)
        before = metric("netweave_rate_limited_total", of="user")
        answered, refused = until_refused(lambda: call("alice", ME))
        assert answered >= 5
        body = refused.json()
        assert (body["type"], body["of"], body["title"]) == ("rate-limited", "user", "Too Many Requests")
        assert (refused["Retry-After"], refused["RateLimit-Remaining"]) == ("1", "0")
        assert refused["Content-Type"] == "application/problem+json"
        assert metric("netweave_rate_limited_total", of="user") == before + 1
        assert call("bob", ME).status_code == 200  # he has a bucket of his own

    def test_shares_the_tenants_bucket_with_its_other_people_and_with_nobody_else(
        self, counted: redis.Redis, cast: Cast, call: Call, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_TENANT = Limit(1, 5)
        _, refused = until_refused(lambda: call("alice", ME))
        assert refused.json()["of"] == "tenant"
        assert until_refused(lambda: call("bob", ME))[0] <= 1
        for who in ("charlie", "root"):
            assert call(who, ME).status_code == 200

    def test_of_a_tenant_with_a_limit_of_its_own_has_that(
        self, counted: redis.Redis, cast: Cast, call: Call, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_TENANT = Limit(1, 5)
        tenant = Tenant.objects.get(pk="acme")
        tenant.rate_limit = "7/70"
        tenant.save()
        assert call("alice", ME)["RateLimit-Limit"] == "70"
        assert call("charlie", ME)["RateLimit-Limit"] == "5"

    def test_costs_one_word_with_redis_and_no_query(
        self,
        counted: redis.Redis,
        sample: World,
        call: Call,
        cast: Cast,
        settings: Settings,
        django_assert_num_queries: Any,
    ) -> None:
        settings.RATE_LIMIT_TENANT = settings.RATE_LIMIT_USER = Limit(1000, 1000)
        call("alice", POOLS)  # the script is there from now on
        with counted.monitor() as heard:  # type: ignore[no-untyped-call]
            with django_assert_num_queries(0):
                for _ in range(3):
                    assert call("alice", POOLS).status_code == 200
            with redis.Redis.from_url(
                f"redis://127.0.0.1:{counted.get_connection_kwargs()['port']}/0"
            ) as end:
                end.echo("that was all")
            words = []
            for said in heard.listen():
                if said["command"] == "ECHO that was all":
                    break
                if said["client_type"] != "lua":
                    words.append(said["command"].split()[0])
        assert [word for word in words if word not in HELLOS] == ["EVALSHA"] * 3


HELLOS = {"HELLO", "CLIENT", "SELECT"}  # of the connection that says the end


def test_a_request_that_one_bucket_refuses_takes_nothing_from_the_other(counted: redis.Redis) -> None:
    own, shared = Bucket("user", "u", Limit(1, 10)), Bucket("tenant", "t", Limit(1, 1))
    assert (first := rates.take([own, shared]))
    assert (first.bucket, first.left, first.wait) == (shared, 0, 0)
    refused = 0
    for _ in range(50):
        verdict = rates.take([own, shared])
        assert verdict
        refused += bool(verdict.wait)
    assert refused > 0
    assert float(str(counted.hget("netweave:rate:user:u", "n"))) >= 9 - (50 - refused)
    assert 0 < counted.pttl("netweave:rate:user:u") <= 11_000  # what nobody asks about goes by itself


def test_strangers_are_counted_by_address_and_nobody_else_is_kept_out_for_them(
    counted: redis.Redis, cast: Cast, call: Call, settings: Settings
) -> None:
    settings.RATE_LIMIT_ADDRESS = Limit(1, 5)
    seen = Counter(call("", ME, headers=shown).status_code for shown in [{}, WRONG] * 10)
    assert seen[401] >= 5
    assert seen[401] + seen[429] == 20
    assert seen[429] > 0
    assert call("alice", ME).status_code == 200


WRONG = {"Authorization": "Bearer nwt_wrong"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2:3:4:5", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("what a proxy said", "what another said", False),
    ],
)
def test_an_address_is_one_customers(settings: Settings, one: str, other: str, same: bool) -> None:
    settings.RATE_LIMIT_ADDRESS = Limit(1, 5)
    assert (strangers(one) == strangers(other)) is same


def test_a_flood_of_one_caller_is_no_flood_of_entries(
    counted: redis.Redis, cast: Cast, call: Call, settings: Settings
) -> None:
    settings.RATE_LIMIT_USER, settings.AUDIT_READS = Limit(1, 1), "off"
    refused = [call("alice", ME).status_code for _ in range(200)].count(429)
    assert refused > 120
    waiting.flush(all_of_it=True)
    own = AuditEntry.objects.filter(status=429)
    sums = AuditEntry.objects.filter(status=None)
    assert 60 <= own.count() <= 120  # (a minute may end in between)
    assert own.count() + sum(json.loads(one.after or "")["count"] for one in sums) == refused
    assert {(one.actor, one.result) for one in (*own, *sums)} == {("alice@acme", "denied")}


def test_the_redis_of_a_machine_that_has_none_counts_too(settings: Settings) -> None:
    server = FakeRedis(Remembered())
    server.start()
    try:
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": server.url}}
        own, shared = Bucket("user", "u", Limit(1, 10)), Bucket("tenant", "t", Limit(1, 2))
        found = [rates.take([own, shared]) for _ in range(20)]
        assert [one and one.bucket.of for one in found] == ["tenant"] * 20
        assert [bool(one and one.wait) for one in found[:2]] == [False, False]
        assert any(one and one.wait for one in found)
    finally:
        get_redis_connection("default").connection_pool.disconnect()
        server.stop()


class TestWithoutRedis:
    @pytest.fixture
    def mortal(self, settings: Settings) -> Iterator[Redis]:
        with Redis() as server:
            stands_on(settings, server)
            settings.RATE_LIMIT_USER = Limit(1000, 1000)
            yield server

    def test_requests_go_on_uncounted_and_are_counted_again_when_it_is_back(
        self, mortal: Redis, cast: Cast, call: Call
    ) -> None:
        assert "RateLimit-Limit" in call("alice", ME)
        before = metric("netweave_rate_limit_errors_total")
        mortal.kill()
        for _ in range(3):
            answer = call("alice", ME)
            assert answer.status_code == 200
            assert "RateLimit-Limit" not in answer
        assert metric("netweave_rate_limit_errors_total") == before + 3
        mortal.start()  # an empty one: the script is gone too
        wait_until(
            lambda: "RateLimit-Limit" in call("alice", ME), seconds=30, what="requests that are counted"
        )

    def test_or_are_refused_if_that_is_wanted(
        self, mortal: Redis, cast: Cast, call: Call, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_WITHOUT_REDIS = "closed"
        mortal.kill()
        answer = call("alice", ME)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")

    def test_of_many_requests_one_at_most_waits_for_an_answer(
        self, mortal: Redis, settings: Settings
    ) -> None:
        settings.RATE_LIMIT_WITHOUT_REDIS = "closed"
        found, bucket = Rates(), Bucket("user", "u", Limit(5, 5))
        mortal.pause()
        with pytest.raises(Away):
            found.take([bucket])
        found._away_until = time.monotonic()  # time to look again
        turns = [found._my_turn() for _ in range(100)]
        mortal.resume()
        assert turns == [True] + [False] * 99


@pytest.mark.parametrize(
    "text", ["1", "1/", "/1", "0/1", "1/0", "-1/5", "1.5/2", "1/2/3", "١/٢", "9999999/1"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate/burst"):
        Limit.parse(text)


def test_a_limit_is_read_as_it_is_written() -> None:
    assert Limit.parse("200/400") == Limit(200, 400)
    assert str(Limit(200, 400)) == "200/400"
    assert Limit.parse("0") is Limit.parse("") is None


class TestTheTenantsLimit:
    PATH = "/admin/v1/tenants/acme"

    def test_is_set_shown_and_taken_away_by_who_runs_the_platform(self, cast: Cast, edit: Call) -> None:
        wanted = {"perSecond": 5, "burst": 10}
        changed = edit("root", "PATCH", self.PATH, {"rateLimit": wanted})
        assert (changed.status_code, changed.json()["rateLimit"]) == (200, wanted)
        assert edit("root", "PATCH", self.PATH, {"description": "x"}).json()["rateLimit"] == wanted
        whole = {"name": "Acme", "status": "active"}
        assert edit("root", "PUT", self.PATH, {**whole, "rateLimit": wanted}).json()["rateLimit"] == wanted
        assert edit("root", "PUT", self.PATH, whole).json()["rateLimit"] is None
        edit("root", "PATCH", self.PATH, {"rateLimit": wanted})
        assert edit("root", "PATCH", self.PATH, {"rateLimit": None}).json()["rateLimit"] is None
        assert Tenant.objects.get(pk="acme").rate_limit == ""

    def test_is_not_its_own_to_change(self, cast: Cast, edit: Call) -> None:
        refused = edit("alice", "PATCH", self.PATH, {"rateLimit": {"perSecond": 9, "burst": 9}})
        assert refused.status_code == 403

    @pytest.mark.parametrize(
        ("value", "pointer"),
        [
            ("5/10", "/rateLimit"),
            ({}, "/rateLimit"),
            ({"perSecond": 5}, "/rateLimit"),
            ({"perSecond": 5, "burst": 10, "more": 1}, "/rateLimit"),
            ({"perSecond": 0, "burst": 10}, "/rateLimit/perSecond"),
            ({"perSecond": 5, "burst": 1.5}, "/rateLimit/burst"),
            ({"perSecond": True, "burst": 10}, "/rateLimit/perSecond"),
            ({"perSecond": 10**6, "burst": 10}, "/rateLimit/perSecond"),
        ],
    )
    def test_that_is_none_is_refused_with_its_place(
        self, cast: Cast, edit: Call, value: Any, pointer: str
    ) -> None:
        refused = edit("root", "PATCH", self.PATH, {"rateLimit": value})
        assert refused.status_code == 400
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


@pytest.fixture
def limited(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    redis_server.clean()
    made = Gateway(postgres, redis_server, RATE_LIMIT_TENANT="10/20")
    made.configure(SAMPLE)
    yield made
    made.close()


def test_several_processes_together_keep_to_one_limit_which_can_be_changed_while_they_run(
    limited: Gateway,
) -> None:
    other, port = limited.another_web()
    try:
        limited.start(limited.both)
        other.start()
        limited.until(lambda: limited.get("charlie", POOLS, port=port).status == 200)
        seen: Counter[int] = Counter()
        begun = time.monotonic()

        def flood(at: int) -> None:
            for _ in range(60):
                seen[limited.get("alice", POOLS, port=at).status] += 1

        threads = [threading.Thread(target=flood, args=(at,)) for at in (limited.port, port) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        took = time.monotonic() - begun
        assert seen.keys() == {200, 429}
        assert sum(seen.values()) == 240
        assert 20 <= seen[200] <= 20 + 10 * took + 1
        assert limited.get("charlie", POOLS, port=port).status == 200  # another tenant's bucket
        tag = limited.get("root", "/admin/v1/tenants/acme").headers["etag"]
        changed = limited.send(
            "root",
            "PATCH",
            "/admin/v1/tenants/acme",
            {"rateLimit": {"perSecond": 500, "burst": 900}},
            If_Match=tag,
        )
        assert changed.status == 200
        for at in (limited.port, port):
            limited.until(
                lambda at=at: limited.get("bob", POOLS, port=at).headers.get("ratelimit-limit") == "900",
                seconds=5,
                what="the new limit",
            )
    finally:
        other.stop()
