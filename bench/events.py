"""From changes to subscribers: how many rows a second are fanned out, how many signed deliveries a second go
over TLS to 100 endpoints, what one change costs among 10,000 subscriptions, how long a change takes to its
arrival, and what a worker with 10,000 subscriptions weighs."""

import asyncio
import base64
import json
import secrets
import ssl
import statistics
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import trustme
from channels_redis.pubsub import RedisPubSubChannelLayer
from cryptography.fernet import Fernet

from bench import faults
from bench.load import Effort, Limit, cpu_seconds, rss
from bench.table import Figure, Table
from o2ims.announcement import WAKE_GROUP
from subscriptions import signing
from subscriptions.notification import webhook_id
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.process import Den, Process
from tests.peers.redis import Redis

ENDPOINTS, TENANTS, CHANGES = 100, 10, 500
MANY, MATCHING = 10_000, 10
ROWS_BOUND, SEND_BOUND, MATCH_BOUND = 20.0, 500.0, 2.0  # µs, µs, ms
AT_ONCE = 2000  # subscriptions that are imported by one command
SECONDS = 20
#: Changes a second, and the bounds of their median and 99th percentile: the second is the contract's.
RATES: tuple[tuple[int, float | None, float | None], ...] = ((5, None, None), (20, 0.15, 1.0))
_SOURCE = """
    INSERT INTO o2ims_source (key, name, kind, o_cloud, tenant, shared, "order", state, state_since,
      fresh_seconds, error, error_class, skipped, version, abilities, checkpoint, mapping_version,
      last_sequence, generation, owner, epoch)
    VALUES ('bench', 'bench', 'mock', 'bench', '', true, 0, 'up', now(), 20, '', '', 0, '', '[]', '', 0, 0, 0,
      '', 0)
"""
_POOL = "11111111-1111-4111-8111-111111111111"
_KEY = secrets.token_bytes(32)
_SEALED = Fernet(base64.urlsafe_b64encode(_KEY)).encrypt(signing.new_secret().encode())
SECRET = f"bench:{_SEALED.decode()}"
KEYS = {"SUBSCRIPTION_KEYS": f"bench:{base64.b64encode(_KEY).decode()}"}
_BODY: dict[str, Any] = {
    "id": "", "name": "node", "description": "A node of the bench", "pool_id": _POOL, "type_id": _POOL,
    "global_asset_id": "urn:uuid:4c4c4544-0036-4d10-8052-b4c04f4e3132", "parent_id": None, "tags": [],
    "groups": [], "extensions": {"mock.cpuCores": 64, "mock.memoryGB": 512, "mock.capacity": "x" * 300},
}  # fmt: skip


@dataclass
class Sink:
    """The subscriber."""

    port: int
    tls: bool
    context: ssl.SSLContext | None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://localhost:{self.port}"

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20, context=self.context) as found:
            return json.loads(found.read())


@contextmanager
def sink(den: Den, *, tls: bool) -> Iterator[tuple[Sink, Path]]:
    """A sink, and the CA that its certificate is of."""
    authority, port_file = trustme.CA(), den.path / "sink.port"
    ca = den.path / "sink-ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(den.path / "sink.pem"))
    issued.private_key_pem.write_to_path(str(den.path / "sink.key"))
    files = [str(den.path / "sink.pem"), str(den.path / "sink.key")] if tls else []
    process = Process(
        "sink", [sys.executable, str(Path(__file__).with_name("sink.py")), str(port_file), *files], den=den
    )
    process.start()
    limit = Limit(20, "the sink")
    while not port_file.exists() or not port_file.read_text():
        limit.check()
        time.sleep(0.05)
    context = ssl.create_default_context(cafile=str(ca)) if tls else None
    try:
        yield Sink(int(port_file.read_text()), tls, context), ca
    finally:
        process.stop()


@contextmanager
def subscribed(
    postgres: Postgres,
    redis: Redis,
    count: int,
) -> Iterator[tuple[Gateway, Sink]]:
    """A gateway with so many subscriptions over ten tenants, nothing running, and their sink."""
    redis.clean()
    gateway = Gateway(postgres, redis, ALLOW_LOOPBACK_CALLBACKS="1", DELIVERY_RATE="0", **KEYS)
    gateway.configure({"name": "still", "type": "mock", "config": {"live": 0, "objects": 12}})
    with sink(gateway.den, tls=True) as (found, ca):
        gateway.environment["CALLBACK_CA"] = str(ca)
        gateway.worker = gateway._process("worker", "worker", "--ops-port", str(gateway.ops_port))
        with gateway.database() as rows:
            for number in range(TENANTS):
                rows.execute(
                    "INSERT INTO tenancy_tenant (id, name, description, status, contact_email, created_at,"
                    " updated_at) VALUES (%s, %s, '', 'active', '', now(), now())",
                    [f"t{number}", f"t{number}"],
                )
            rows.execute(_SOURCE)
        lines = [json.dumps(one) for one in _subscriptions(found.url, count)]
        for start in range(0, count, AT_ONCE):
            gateway.manage("subscriptions", "import", given="\n".join(lines[start : start + AT_ONCE]))
        try:
            yield gateway, found
        finally:
            gateway.close()


def _subscriptions(url: str, count: int) -> Iterator[dict[str, Any]]:
    """Of `MANY`, only `MATCHING` want what happens."""
    for number in range(count):
        few = count > ENDPOINTS and number >= MATCHING
        wanted = {"resourcePoolId": str(uuid.uuid4())} if few else {}
        yield {
            "id": str(uuid.uuid4()),
            "tenant": f"t{number % TENANTS}",
            "flavour": "o2ims v1",
            "root": "https://gateway.example.com/o2ims/v1",
            "callback": f"{url}/{number}",
            "filter": wanted,
            "consumer_id": f"consumer-{number}",
            "sees": dict.fromkeys(
                ("Resource", "ResourcePool", "ResourceType", "DeploymentManager"), "own+shared"
            ),
            "born": {},
            "secrets": [SECRET],
            "created_at": "2026-11-27T10:30:00.000Z",
            "updated_at": "2026-11-27T10:30:00.000Z",
        }


class Bell:
    """Wakes followers, over a connection that is kept."""

    def __init__(self, redis: str) -> None:
        self._loop, self._layer = asyncio.Runner(), RedisPubSubChannelLayer(hosts=[redis])

    def ring(self) -> None:
        self._loop.run(self._layer.group_send(WAKE_GROUP, {"type": "changes"}))


_bell = cache(Bell)


def happen(gateway: Gateway, count: int) -> None:
    """So many changes of as many shared resources, at once; and a worker is woken, as by who records."""
    with gateway.database() as rows:
        _happen(gateway, rows, count)


def _happen(gateway: Gateway, rows: psycopg.Connection, count: int) -> None:
    with rows.transaction():
        rows.execute(
            "INSERT INTO o2ims_change (source_id, sequence, kind, object_id, tenant, type, before, after, at,"
            " request_id, traceparent, announced)"
            " SELECT s.id, s.last_sequence + n, 'Resource', made.id, '', 'CREATE', NULL,"
            " jsonb_set(%s::jsonb, '{id}', to_jsonb(made.id::text)), now(), 'bench', '', true"
            " FROM o2ims_source s, (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %s) n) made",
            [json.dumps(_BODY), count],
        )
        rows.execute("UPDATE o2ims_source SET last_sequence = last_sequence + %s", [count])
    _bell(gateway.environment["REDIS_URL"]).ring()


def one(gateway: Gateway, statement: str) -> Any:
    """One value out of the database."""
    with gateway.database() as rows:
        found = rows.execute(statement).fetchone()
    return found[0] if found else None


def measure(postgres: Postgres, redis: Redis, table: Table, effort: Effort) -> None:
    """All of it."""
    if effort.full:
        faults.measure(postgres, redis, table)
        return
    with subscribed(postgres, redis, ENDPOINTS) as (gateway, to):
        _throughput(gateway, to, table)
    for rate, p50, p99 in RATES:
        with subscribed(postgres, redis, ENDPOINTS) as (gateway, to):
            name = f"change to its arrival, {rate} a second to {ENDPOINTS}"
            table.spread(name, _latency(gateway, to, rate), p50=p50, p99=p99)
    with subscribed(postgres, redis, MANY) as (gateway, to):
        _many(gateway, to, table)


def _throughput(gateway: Gateway, to: Sink, table: Table) -> None:
    """Fan-out alone (everybody is suspended), then sending alone (it is resumed at once)."""
    with gateway.database() as rows:
        rows.execute("UPDATE subscriptions_endpoint SET state = 'suspended'")
    happen(gateway, CHANGES)
    wanted = CHANGES * ENDPOINTS
    gateway.worker.start()
    began = Limit(120, "the fan-out")
    while one(gateway, "SELECT count(*) FROM subscriptions_delivery") == 0:
        began.check()
        time.sleep(0.005)
    first, done = time.monotonic(), one(gateway, "SELECT count(*) FROM subscriptions_delivery")
    while one(gateway, "SELECT count(*) FROM subscriptions_delivery") < wanted:
        began.check()
        time.sleep(0.005)
    spent = time.monotonic() - first
    if wanted > done:
        table.add(Figure("fan-out, a row", spent / (wanted - done) * 1e6, "µs", ROWS_BOUND))
    with gateway.database() as rows:
        rows.execute("UPDATE subscriptions_endpoint SET state = 'healthy'")
        rows.execute("UPDATE subscriptions_lane SET due_at = now() WHERE waiting > 0")
    limit = Limit(300, "the deliveries")
    while to.ask("/count") < wanted / 10:
        limit.check()
        time.sleep(0.05)
    start, cpu, at = to.ask("/count"), cpu_seconds([gateway.worker.pid]), time.monotonic()
    while to.ask("/count") < wanted * 0.9:
        limit.check()
        time.sleep(0.1)
    count, spent = to.ask("/count") - start, time.monotonic() - at
    table.add(Figure("a signed delivery over TLS, one worker", spent / count * 1e6, "µs", SEND_BOUND))
    used = (cpu_seconds([gateway.worker.pid]) - cpu) / count * 1e6
    table.add(Figure("a signed delivery: CPU of the worker", used, "µs"))
    gateway.worker.stop()


def _latency(gateway: Gateway, to: Sink, rate: int) -> list[float]:
    """So many changes a second, each to all subscriptions: from the record of the change to its arrival."""
    gateway.worker.start()
    time.sleep(3)
    began = time.monotonic()
    with gateway.database() as rows:
        for number in range(rate * SECONDS):
            _happen(gateway, rows, 1)
            time.sleep(max(0.0, began + (number + 1) / rate - time.monotonic()))
    limit = Limit(60, "the deliveries")
    while to.ask("/count") < rate * SECONDS * ENDPOINTS:
        limit.check()
        time.sleep(0.1)
    first = {id_: at for at, id_ in reversed(to.ask("/times"))}
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT d.subscription::text, c.sequence, extract(epoch FROM c.at)::float8"
            " FROM subscriptions_delivery d JOIN o2ims_change c ON c.id = d.change_id"
        ).fetchall()
    gateway.worker.stop()
    return [first[webhook_id("bench", sequence, to_)] - at for to_, sequence, at in found]


def _many(gateway: Gateway, to: Sink, table: Table) -> None:
    """What one change costs among 10,000 subscriptions of which 10 match, and what they weigh."""
    gateway.worker.start()
    happen(gateway, 1)
    limit = Limit(120, "the first")
    while to.ask("/count") < MATCHING:
        limit.check()
        time.sleep(0.1)
    table.add(
        Figure(
            f"RSS of a worker with {MANY:,} subscriptions",
            rss(gateway.worker.pid),
            "MB",
            300,
        )
    )
    costs = []
    for _ in range(5):
        before = one(gateway, "SELECT sum(sequence) FROM subscriptions_position")
        at = time.monotonic()
        happen(gateway, 200)
        while one(gateway, "SELECT sum(sequence) FROM subscriptions_position") < before + 200:
            limit.check()
            time.sleep(0.002)
        costs.append((time.monotonic() - at) / 200 * 1e3)
    table.add(
        Figure(
            f"a change among {MANY:,} subscriptions of which {MATCHING} match",
            statistics.median(costs),
            "ms",
            MATCH_BOUND,
        )
    )
    gateway.worker.stop()
