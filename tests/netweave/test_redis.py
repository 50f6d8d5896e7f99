"""Redis as settings name it: behind Sentinels, over TLS, and one that may throw subscriptions away."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.core.management import CommandError
from django_redis import get_redis_connection
from django_redis.cache import RedisCache

from netweave import eviction, redis
from tests.gateway import ROOT, Gateway
from tests.peers.postgres import Postgres
from tests.peers.process import free_port
from tests.peers.redis import Redis, Sentinel
from tests.sink import Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.recorder import SUBSCRIPTIONS
from tests.subscriptions.run import running

NOBODY = redis.Sentinels((), "")


@pytest.mark.peer("redis")
@pytest.mark.timeout(240)
def test_when_the_sentinels_choose_another_master_nothing_is_lost(postgres: Postgres, tmp_path: Path) -> None:
    with (
        Redis() as master,
        Redis(of=master) as first,
        Redis(of=master) as second,
        Sentinel(master, password="of-the-sentinels") as one,
        Sentinel(master, password="of-the-sentinels") as two,
        Sentinel(master, password="of-the-sentinels") as three,
    ):
        sentinels = (one, two, three)
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
        settings: Any = {"REDIS_SENTINELS": hosts, "REDIS_SENTINEL_PASSWORD": "of-the-sentinels"}
        with running(postgres, master, tmp_path, **settings) as run, Sink() as sink:
            gateway = run.gateway
            known = ("2", "2")
            gateway.until(
                lambda: all(
                    (s.says("num-slaves"), s.says("num-other-sentinels")) == known for s in sentinels
                ),
                what="Sentinels that know everybody",
            )
            gateway.until(
                lambda: all(each.info("master_link_status") == "up" for each in (first, second)),
                what="replicas that follow: a subscription is made where one of them has it",
            )
            run.recorder.subscribe("alice", sink)
            run.recorder.subscribe("root", sink)
            before = gateway.get("root", SUBSCRIPTIONS).body
            with stirring(run.hands, 20):
                master.kill()
                callback = {"callback": sink.url.replace("notifications", "new")}
                answer = gateway.send("alice", "POST", SUBSCRIPTIONS, callback)
                assert answer.status == 503, answer
                assert gateway.get("root", SUBSCRIPTIONS).body == before
                gateway.until(
                    lambda: gateway.send("alice", "POST", SUBSCRIPTIONS, callback).status == 201,
                    seconds=40,
                    what="a new master",
                )
            assert "master" in {first.info("role"), second.info("role")}
            made = gateway.get("root", SUBSCRIPTIONS).body["items"]
            assert [item for item in made if item in before["items"]] == before["items"]
            (new,) = (item for item in made if item not in before["items"])
            path = f"{SUBSCRIPTIONS}/{new['subscriptionId']}"
            assert gateway.send("alice", "DELETE", path, If_Match="*").status == 204
            assert "holds what the journal says" in gateway.manage("subscriptions", "verify")
            sink.tried = [received for received in sink.tried if received.path != "/new"]
            run.verify()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A CA, and a certificate of it for both ends."""
    where, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: str(where / name) for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    issued.cert_chain_pems[0].write_to_path(files["certificate"])
    issued.private_key_pem.write_to_path(files["key"])
    return files


@pytest.fixture(scope="module")
def secured(papers: dict[str, str]) -> Iterator[str]:
    """The URL of a Redis that asks for certificates."""
    port = free_port()
    words = [("--tls-port", str(port)), ("--tls-ca-cert-file", papers["ca"]), ("--tls-auth-clients", "yes")]
    words += [("--tls-cert-file", papers["certificate"]), ("--tls-key-file", papers["key"])]
    with Redis(*(word for pair in words for word in pair)):
        yield f"rediss://localhost:{port}/0"


def connected(url: str, **papers: str) -> None:
    """The cache answers, and a message goes through the layer."""
    secure = redis.tls(url, **{"ca": "", "certificate": "", "key": "", **papers})
    entry = redis.cache(url, NOBODY, secure)
    cache = RedisCache(entry["LOCATION"], entry)
    try:
        cache.set("x", 1)
        assert cache.get("x") == 1
    finally:
        cache.client.get_client().connection_pool.disconnect()
    asyncio.run(_through(RedisPubSubChannelLayer(**redis.layer(url, NOBODY, secure)["CONFIG"])))


async def _through(layer: Any) -> None:
    channel = await layer.new_channel()
    receiving = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0.1)
    await layer.send(channel, {"type": "x"})
    assert await asyncio.wait_for(receiving, 5) == {"type": "x"}
    await layer.flush()


@pytest.mark.peer("redis")
def test_over_tls_both_ends_are_verified(secured: str, papers: dict[str, str]) -> None:
    connected(secured, **papers)
    for lacking in ({}, {"ca": papers["ca"]}):
        with pytest.raises(Exception, match=r"(?i)certificate|connect"):
            connected(secured, **lacking)


@pytest.mark.usefixtures("counted")
def test_a_redis_that_may_throw_anything_away_is_refused(redis_server: Redis) -> None:
    client = get_redis_connection("default")
    try:
        for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random"):
            client.config_set("maxmemory-policy", policy)
            with pytest.raises(CommandError, match=policy):
                eviction.refuse()
        for policy in ("volatile-lru", "noeviction"):
            client.config_set("maxmemory-policy", policy)
            eviction.refuse()
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_a_start_says_so_and_ends(postgres: Postgres) -> None:
    with Redis("--maxmemory-policy", "allkeys-lru") as evicting:
        gateway = Gateway(postgres, evicting)
        try:
            gateway.configure()
            for words in (("worker", "--ops-port", str(free_port())), ("serve", "--port", str(gateway.port))):
                assert "Redis has maxmemory-policy allkeys-lru" in gateway.manage(*words, status=2)
        finally:
            gateway.close()


@pytest.mark.peer("redis")
def test_a_redis_that_does_not_tell_is_warned_of_and_one_that_is_away_too(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with Redis("--rename-command", "INFO", "") as silent:
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": silent.url}}
        eviction.refuse()
        assert "redis_policy_unknown" in caplog.text
        silent.kill()
        eviction.refuse()
        assert "redis_away" in caplog.text
        get_redis_connection("default").connection_pool.disconnect()


def settings_with(**given: str) -> Any:
    """What the settings say with these in the environment; the error's last line where they are wrong."""
    wanted = (
        "import json; from netweave import settings as s;"
        " print(json.dumps([s.CACHES, s.CHANNEL_LAYERS, s.REDIS_REPLICAS]))"
    )
    needed = {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "SECRET_KEY": "x", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", wanted],
        cwd=ROOT,
        env=needed | given,
        capture_output=True,
        text=True,
        check=False,
    )
    return orjson.loads(done.stdout) if done.returncode == 0 else done.stderr.splitlines()[-1]


def test_settings_name_sentinels_master_login_and_database() -> None:
    given = {"REDIS_URL": "rediss://me:a%20b@nowhere/3", "REDIS_SENTINELS": "a:26379, [fd00::1]:26380"}
    caches, layers, replicas = settings_with(**given, REDIS_MASTER="lab", REDIS_CA="/ca.pem")
    options, host = caches["default"]["OPTIONS"], layers["default"]["CONFIG"]["hosts"][0]
    assert caches["default"]["LOCATION"] == "redis://me:a%20b@lab/3"
    assert options["SENTINELS"] == host["sentinels"] == [["a", 26379], ["fd00::1", 26380]]
    assert (
        options["CONNECTION_POOL_KWARGS"]["ssl"] is options["SENTINEL_KWARGS"]["ssl"] is host["ssl"] is True
    )
    assert options["CONNECTION_POOL_KWARGS"]["ssl_ca_certs"] == host["ssl_ca_certs"] == "/ca.pem"
    assert (host["master_name"], host["db"], host["username"], host["password"]) == ("lab", 3, "me", "a b")
    assert host["socket_timeout"] is None
    assert options["SENTINEL_KWARGS"] == host["sentinel_kwargs"]
    assert "password" not in host["sentinel_kwargs"]
    assert replicas == 1
    login = {"REDIS_SENTINEL_USER": "asker", "REDIS_SENTINEL_PASSWORD": "secret"}
    asked = settings_with(**given, **login)[0]["default"]["OPTIONS"]["SENTINEL_KWARGS"]
    assert (asked["username"], asked["password"]) == ("asker", "secret")


@pytest.mark.parametrize("wrong", ["a", "a:", ":1", "a:0", "a:99999", "a:b"])
def test_a_wrong_sentinel_stops_the_start(wrong: str) -> None:
    assert settings_with(REDIS_SENTINELS=wrong).endswith(f"REDIS_SENTINELS: '{wrong}' is no host:port")


def test_without_either_the_start_stops() -> None:
    assert "REDIS_URL is not set" in settings_with()
