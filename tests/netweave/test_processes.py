"""The processes as they run: start, stop, crash, and what callers see meanwhile."""

import json
import signal
import socket
import subprocess
import time

import pytest

from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SAMPLE = {"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}}
POOLS = "/o2ims/v1/resourcePools"


def shared_sample(gateway: Gateway, **config: object) -> dict[str, object]:
    return {**SAMPLE, "config": {"live": 0, "path": str(gateway.den.path / "state"), **config}}


def count(gateway: Gateway, path: str = POOLS) -> int:
    answer = gateway.get("alice", path)
    return len(answer.body["items"]) if answer.status == 200 else -1


def test_one_process_serves_what_it_collects(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    gateway.start(gateway.both)
    assert count(gateway) == 3
    gateway.until(lambda: f"ready {gateway.url}" in gateway.both.log.read_text(), what="its word")
    assert gateway.get("", POOLS).status == 401
    assert gateway.get("", "/livez").status == 200
    assert gateway.metric('netweave_source_up{source="sample"}') == 1
    assert gateway.metric('netweave_items{kind="Resource",source="sample"}') == 120
    assert (gateway.metric("netweave_mirror_age_seconds") or 99) < 3
    gateway.both.stop(signal.SIGTERM, seconds=25)
    assert gateway.both._child is not None
    assert gateway.both._child.returncode == 0


def test_a_living_sample_changes_what_is_answered(gateway: Gateway) -> None:
    gateway.configure({**SAMPLE, "config": {"live": 0.2}})
    gateway.start(gateway.both)
    before = gateway.get("alice", "/o2ims/v1/resources").body
    gateway.until(lambda: gateway.get("alice", "/o2ims/v1/resources").body != before)


def test_web_and_worker_apart_and_a_killed_worker_is_replaced(gateway: Gateway) -> None:
    gateway.configure(shared_sample(gateway, live=0.5))
    gateway.start(gateway.web, gateway.worker)
    assert gateway.metric('netweave_source_up{source="sample"}', port=gateway.ops_port) == 1
    gateway.worker.kill()
    before = gateway.get("root", "/o2ims/v1/resources?limit=1000").body
    gateway.worker.start()
    gateway.until(lambda: gateway.get("root", "/o2ims/v1/resources?limit=1000").body != before, seconds=40)
    assert count(gateway) == 3


def test_a_worker_that_stays_away_makes_answers_old_and_says_so(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    gateway.start(gateway.web, gateway.worker)
    fresh = gateway.get("alice", POOLS)
    assert "age" not in fresh.headers
    assert "proxy-status" not in fresh.headers
    gateway.worker.kill()
    gateway.until(lambda: "age" in gateway.get("alice", POOLS).headers, seconds=40)
    old = gateway.get("alice", POOLS)
    assert (old.status, old.body) == (200, fresh.body)
    assert 'details="source=sample"' in old.headers["proxy-status"]
    assert int(old.headers["age"]) >= 15
    strict = gateway.get("alice", POOLS, Prefer="handling=strict")
    assert (strict.status, strict.body["sources"]) == (504, ["sample"])
    assert gateway.metric('netweave_source_up{source="sample"}') == 0


def test_postgres_dies_and_reads_go_on(redis_server: Redis) -> None:
    with Postgres() as postgres:
        gateway = Gateway(postgres, redis_server)
        try:
            _without_postgres(gateway, postgres)
        finally:
            gateway.close()


def _without_postgres(gateway: Gateway, postgres: Postgres) -> None:
    gateway.configure(shared_sample(gateway))
    gateway.start(gateway.both)
    before = gateway.get("alice", POOLS).body
    postgres.kill()
    gateway.until(lambda: gateway.get("", "/readyz").body["status"] == "degraded", what="degraded")
    assert gateway.get("", "/livez").status == 200
    known = gateway.get("alice", POOLS)
    assert (known.status, known.body) == (200, before)
    assert gateway.get("charlie", POOLS).status == 503  # nobody this process has met
    postgres.start()
    gateway.until(lambda: gateway.get("charlie", POOLS).status == 200, what="Charlie is known again")
    gateway.until(lambda: gateway.get("", "/readyz").body["status"] == "ready", what="ready again")
    gateway.until(
        lambda: "proxy-status" not in gateway.get("alice", POOLS).headers, seconds=60, what="fresh again"
    )
    assert gateway.get("alice", POOLS).body == before


def test_redis_dies_and_changes_still_arrive(postgres: Postgres) -> None:
    with Redis() as redis:
        gateway = Gateway(postgres, redis)
        try:
            gateway.configure(shared_sample(gateway, live=0.5))
            gateway.start(gateway.both)
            redis.kill()
            before = gateway.get("root", "/o2ims/v1/resources?limit=1000").body
            gateway.until(lambda: gateway.get("root", "/o2ims/v1/resources?limit=1000").body != before)
            assert gateway.get("", "/readyz").status == 200
        finally:
            gateway.close()


def test_a_configuration_that_changes_is_followed_and_a_bad_one_refused(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    gateway.start(gateway.both)
    assert count(gateway) == 3
    gateway.configure(SAMPLE, {**SAMPLE, "name": "second"})
    gateway.until(lambda: count(gateway) == 6, what="two sources")
    (gateway.den.path / "gateway.yaml").write_text("adapters: [")
    gateway.until(lambda: "configuration_refused" in gateway.both.log.read_text(), what="the refusal")
    assert count(gateway) == 6
    gateway.configure({**SAMPLE, "name": "second"})
    gateway.until(lambda: count(gateway) == 3, what="one source retired")


def test_sigterm_is_an_orderly_end(gateway: Gateway) -> None:
    gateway.environment["DRAIN"] = "3s"
    gateway.both.command[:] = gateway._command("serve", "--with-worker", "--port", str(gateway.port))
    gateway.configure(SAMPLE)
    gateway.start(gateway.both, gateway.worker)
    ops = gateway.ops_port
    gateway.until(
        lambda: (gateway.get("", "/readyz", port=ops).body or {}).get("status") == "ready", what="the worker"
    )
    gateway.both.send(signal.SIGTERM)
    gateway.until(lambda: gateway.get("", "/readyz").status == 503, what="not ready")
    assert gateway.get("", "/livez").status == 200
    assert count(gateway) == 3
    gateway.until(lambda: not gateway.both.alive, what="the end")
    assert gateway.both._child is not None
    assert gateway.both._child.returncode == 0
    gateway.until(
        lambda: gateway.metric('netweave_source_up{source="sample"}', port=gateway.ops_port) == 1,
        what="taken over",
    )


def test_sigterm_ends_a_process_of_which_a_thread_hangs(gateway: Gateway) -> None:
    kubeconfig = gateway.den.path / "hangs"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sleep",
        "args": ["28"],
        "interactiveMode": "Never",
    }
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "x", "user": {"exec": plugin}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            }
        )
    )
    gateway.configure({"name": "hangs", "type": "k8s", "config": {"kubeconfig": str(kubeconfig)}})
    gateway.start(gateway.worker)
    gateway.until(lambda: "source_taken" in gateway.worker.log.read_text(), what="the hanging check")
    time.sleep(1)
    gateway.worker.send(signal.SIGTERM)
    gateway.until(lambda: not gateway.worker.alive, seconds=27, what="the end")
    assert gateway.worker._child is not None
    assert gateway.worker._child.returncode == 0


def test_a_bad_configuration_stops_the_start_with_its_line(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    (gateway.den.path / "gateway.yaml").write_text("adapters: 7\n")
    for words in (("serve", "--port", str(gateway.port)), ("worker", "--ops-port", str(gateway.ops_port))):
        assert "gateway.yaml:1: adapters must be a list" in gateway.manage(*words, status=2)


def test_one_login_for_both_is_told(gateway: Gateway) -> None:
    assert "netweave.W001" not in gateway.manage("check", "--deploy")
    gateway.environment["DATABASE_URL"] = gateway.environment["MIGRATE_DATABASE_URL"]
    done = subprocess.run(
        gateway._command("check", "--deploy"), capture_output=True, text=True, timeout=60, check=False
    )
    assert "netweave.W001" in done.stderr


def test_a_busy_port_is_one_clear_line(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", gateway.port))
        taken.listen()
        said = gateway.manage("serve", "--port", str(gateway.port), status=2)
    assert (
        said.strip()
        .splitlines()[-1]
        .endswith(f"cannot listen on 127.0.0.1:{gateway.port}: Address already in use")
    )


def test_a_missing_setting_stops_the_start_with_its_name(gateway: Gateway) -> None:
    del gateway.environment["REDIS_URL"]
    done = subprocess.run(gateway._command("check"), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "REDIS_URL is not set (nor REDIS_URL_FILE)\n")


def test_check_backends_tells_what_each_says(gateway: Gateway) -> None:
    gateway.configure(SAMPLE, {"name": "off", "type": "mock", "enabled": False})
    said = gateway.manage("check_backends")
    assert "sample: reachable, allowed, mock 1, abilities: real-time-events" in said
    assert "off: disabled" in said
    gateway.configure(SAMPLE, {"name": "odd", "type": "mainframe"})
    assert "not usable: odd" in gateway.manage("check_backends", status=1)


def test_check_config_names_the_line(gateway: Gateway) -> None:
    gateway.configure(SAMPLE)
    path = gateway.den.path / "gateway.yaml"
    assert "sample: mock, enabled" in gateway.manage("check_config", str(path))
    path.write_text("adapters:\n  - name: one\n    type: mock\n    colour: red\n")
    assert "gateway.yaml:4: colour is no key of an adapter" in gateway.manage(
        "check_config", str(path), status=2
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add_tenant", "No Good"), "Lower-case letters"),
        (("add_user", "dora"), "name the tenant"),
        (("add_user", "dora@nowhere"), "there is no tenant nowhere"),
        (("add_user", "alice@acme"), "already exists"),
        (("issue_token", "nobody"), "there is no user nobody"),
    ],
)
def test_commands_say_what_is_wrong(gateway: Gateway, words: tuple[str, ...], said: str) -> None:
    assert said in gateway.manage(*words, status=2)
