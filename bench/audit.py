"""The audit trail when it is long: its list, its export, its proof, and what sealing it costs the worker."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.inventories import stocked
from bench.load import Case, Effort, Limit, alternating, cpu_seconds, rss
from bench.table import Figure, Table
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

ENTRIES, EXPORTED, PROVED = 1_000_000, 100_000, 300_000
APPENDING = 0x6E77_6175  # tenancy.audit's lock
CALLS, A_SECOND, SEALING_SECONDS = 20, 1000, 15
_FILL = """
INSERT INTO tenancy_auditentry (timestamp, tenant, user_id, actor, authentication, address, method, path,
    action, kind, object_id, label, result, status, request_id, before, after, reason)
SELECT now() - make_interval(secs => (%(last)s - n) / 20.0), (ARRAY['acme', 'globex', ''])[1 + n %% 3],
    gen_random_uuid(), 'user-' || n %% 500, 'token', '192.0.2.' || n %% 250, 'POST',
    '/o2ims/v1/resourcePools', (ARRAY['create', 'update', 'delete'])[1 + n %% 3], 'ResourcePool',
    gen_random_uuid()::text, 'pool-' || n,
    CASE n %% 50 WHEN 0 THEN 'denied' WHEN 1 THEN 'error' ELSE 'success' END, 201, gen_random_uuid()::text,
    NULL, '{"name": "pool", "description": "for the bench", "location": "somewhere"}', ''
FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""
PAGES = {
    "all": "",
    "of a tenant": "?tenantId=acme",
    "refused": "?result=denied",
    "of a person, in a span": "?q=user-77&from=2026-01-01",
}


def measure(postgres: Postgres, redis: Redis, table: Table, _effort: Effort) -> None:
    """First what needs some entries, then what needs all."""
    with stocked(postgres, redis, {"sample": 50}) as gateway:
        _sealing(gateway, table)
        _fill(gateway, 1, PROVED)
        _until_sealed(gateway, table)
        _proof(gateway, table)
        _export(gateway, table)
        _fill(gateway, PROVED + 1, ENTRIES)
        _pages(gateway, table)


def _append(gateway: Gateway, first: int, last: int) -> None:
    """As whoever appends does: so that the sealer waits."""
    with gateway.database() as rows:
        rows.execute("SELECT pg_advisory_xact_lock_shared(%s)", [APPENDING])
        rows.execute(_FILL, {"first": first, "last": last})


def _fill(gateway: Gateway, first: int, last: int) -> None:
    _append(gateway, first, last)
    with gateway.database() as rows:
        rows.autocommit = True
        rows.execute("ANALYZE tenancy_auditentry")


def _sealing(gateway: Gateway, table: Table) -> None:
    """The worker's share of a core while so many entries come in every second, less what it uses anyway."""
    idle = _share(gateway, SEALING_SECONDS)
    with _coming_in(gateway):
        busy = _share(gateway, SEALING_SECONDS)
    table.add(Figure(f"sealing {A_SECOND:,} entries a second: of a core", (busy - idle) * 100, "%", 5))


def _share(gateway: Gateway, seconds: float) -> float:
    before, started = cpu_seconds([gateway.worker.pid]), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds([gateway.worker.pid]) - before) / (time.monotonic() - started)


@contextmanager
def _coming_in(gateway: Gateway) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        number = 1
        while not over.is_set():
            started = time.monotonic()
            _append(gateway, number, number + A_SECOND - 1)
            number += A_SECOND
            over.wait(max(0.0, 1 - (time.monotonic() - started)))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _until_sealed(gateway: Gateway, table: Table) -> None:
    limit, started = Limit(300, "everything sealed"), time.monotonic()
    while True:
        with gateway.database() as rows:
            found = rows.execute(
                "SELECT (SELECT max(id) FROM tenancy_auditentry), (SELECT max(to_id) FROM tenancy_auditseal)"
            ).fetchone()
        if found and found[0] == found[1]:
            break
        limit.check()
        time.sleep(0.2)
    table.add(Figure(f"{PROVED:,} entries at once, sealed within", time.monotonic() - started, "s"))


def _proof(gateway: Gateway, table: Table) -> None:
    code = (
        "import time; from tenancy.proof import prove; t = time.perf_counter(); found = prove();"
        " assert found.whole, found.faults[:3]; print(found.entries / (time.perf_counter() - t))"
    )
    rate = float(gateway.manage("shell", "--no-imports", "-c", code).split()[-1])
    table.add(Figure("proof: time for 15,000 entries", 15_000 / rate, "s", 1))
    table.add(Figure("proof: entries a second", rate, ""))


def _export(gateway: Gateway, table: Table) -> None:
    before, most, lines = rss(gateway.web.pid), 0.0, 0
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    headers = {"Authorization": f"Bearer {gateway.tokens['alice']}", "Accept": "text/csv"}
    started = time.monotonic()
    connection.request("GET", "/admin/v1/audit", headers=headers)
    answer = connection.getresponse()
    while part := answer.read(256 * 1024):
        lines += part.count(b"\n")
        most = max(most, rss(gateway.web.pid))
    connection.close()
    if lines < EXPORTED:
        raise RuntimeError(f"{lines} lines were exported")
    table.add(Figure(f"export of {lines - 1:,} entries: growth of the web process", most - before, "MB", 50))
    table.add(Figure("export: lines a second", lines / (time.monotonic() - started), ""))


def _pages(gateway: Gateway, table: Table) -> None:
    token = f"Authorization: Bearer {gateway.tokens['root']}"
    cases = [
        Case(name, f"{gateway.url}/admin/v1/audit{query}", [gateway.web.pid], [token])
        for name, query in PAGES.items()
    ]
    for case, seconds in zip(cases, alternating(cases, CALLS), strict=True):
        median = statistics.median(seconds) * 1000
        table.add(Figure(f"a page of {ENTRIES:,} entries, {case.name}: median", median, "ms", 200))
