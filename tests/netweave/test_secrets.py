"""T36, T37: whatever goes wrong, no secret is in a log, a metric, an answer or the trail, nor is anything of
our inside in an answer."""

import base64
import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.gateway import ROOT
from tests.netweave.misfortunes import Misfortunes
from tests.netweave.planted import ECHOES
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.tenancy.issuer import Issuer

pytestmark = pytest.mark.timeout(300)

#: So much of a secret in a row is too much. A token's first eight characters are how people tell it.
TOO_MUCH = 16
#: What only the inside knows: code, paths, SQL, libraries, and where our servers are.
INSIDE = (
    r"Traceback|File \"|site-packages|/usr/|\.py\b|\bSELECT\b|\bINSERT INTO\b|relation \"|psycopg|django\.|"
    r"redis\.|uvicorn|urllib3|aiohttp|OperationalError|IntegrityError|DETAIL|netweave_app|tenancy_|o2ims_(item|source)"
)


@pytest.fixture(scope="module")
def after(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Misfortunes]:
    """A gateway to which all of it has happened."""
    folder = tmp_path_factory.mktemp("secrets")
    with Redis() as redis, Issuer() as issuer, Sink() as sink:
        found = Misfortunes(postgres, redis, issuer, sink, folder)
        try:
            found.begin()
            found.everything()
            yield found
        finally:
            found.close()


@pytest.fixture(scope="module")
def places(after: Misfortunes) -> dict[str, str]:
    """All that is said, by where."""
    gateway = after.gateway
    exports = {form: gateway.manage("audit", "export", "--format", form) for form in ("csv", "jsonl")}
    api = gateway.raw("alice", "/admin/v1/audit", Accept="text/csv")
    return {
        "the log of the web process": gateway.web.log.read_text(),
        "the log of the worker": gateway.worker.log.read_text(),
        "the metrics of the web process": metrics(gateway.port + 2),
        "the metrics of the worker": metrics(gateway.ops_port),
        "answers": "\n".join(body for _, _, body in after.said),
        "the trail": "\n".join((*exports.values(), api)),
    }


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as found:
        return str(found.read().decode())


def shows(text: str, secret: str) -> bool:
    """Whether a part of a secret is in a text, as it is or in another spelling."""
    spelled = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex()}
    for start in range(3):  # wherever in a longer text it was when that was encoded
        encoded = base64.b64encode(b" " * start + secret.encode()).decode()
        spelled.add(encoded[start + 1 :].rstrip("=")[:-1])
    return any(
        one[at : at + TOO_MUCH] in text for one in spelled for at in range(max(len(one) - TOO_MUCH, 0) + 1)
    )


def where(after: Misfortunes, places: dict[str, str], name: str) -> list[str]:
    """Where a secret is that should be nowhere. The address of a callback is told to who may see it."""
    of_callback = name.startswith("what a callback's address holds")
    own = {"answers", "the trail"} if of_callback else set()
    return [place for place, text in places.items() if place not in own and shows(text, after.secrets[name])]


def test_all_of_it_has_happened_and_was_told(after: Misfortunes, places: dict[str, str]) -> None:
    """Or there would be nothing to find."""
    web, worker = places["the log of the web process"], places["the log of the worker"]
    assert len(after.secrets) == 36
    assert {200, 201, 204, 400, 401, 403, 404, 413, 503} <= {status for _, status, _ in after.said}
    assert 500 in {status for _, status, _ in after.said}
    for log in (web, worker):
        assert '"level":"debug"' in log
    for event in ("tls_refused", "sign_in_refused", "jwt_unbelieved", '"path":"/o2ims/v1/resourcePools"'):
        assert event in web, event
    assert "exception" in web
    for status in ECHOES[:-1]:
        assert f"echo-{status}" in worker
    assert "an echo of" in worker
    assert "canary-pool" in places["the trail"]
    assert "o2ims" in places["the metrics of the worker"]


def test_what_is_looked_for_would_be_found(after: Misfortunes, places: dict[str, str]) -> None:
    for name, secret in after.secrets.items():
        bearer = base64.b64encode(f"user:{secret}".encode()).decode()
        for spelled in (secret, quote(secret, safe=""), json.dumps({"a": secret}), bearer):
            for place, text in places.items():
                middle = len(text) // 2
                assert shows(text[middle - 99 : middle] + spelled, secret), (name, place)


def test_no_secret_is_in_a_log_a_metric_an_answer_or_the_trail(
    after: Misfortunes, places: dict[str, str]
) -> None:
    found = {name: there for name in after.secrets if (there := where(after, places, name))}
    assert found == {}


def test_no_answer_tells_of_the_inside(after: Misfortunes) -> None:
    ours = after.gateway.environment
    servers = [ours["DATABASE_URL"].rpartition("@")[2], ours["REDIS_URL"].rpartition("@")[2], str(ROOT)]
    inside = re.compile("|".join((INSIDE, *map(re.escape, servers))))
    told = [(what, status, body) for what, status, body in after.said if what not in {"a page", "the shell"}]
    assert len([status for _, status, _ in told if status >= 400]) > 50
    found = {(what, status, hit[0]) for what, status, body in told if (hit := inside.search(body))}
    assert found == set()
