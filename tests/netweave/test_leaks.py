"""T36 to T38: secrets stay out of logs, metrics, answers and the trail, whatever happens to them; and
strangers cannot make the metrics grow."""

import base64
import json
import re
import secrets
from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.netweave.signing_in import PASSWORD, Person
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

POOLS = "/o2ims/v1/resourcePools"
KEY = base64.b64encode(b"canary of the signing key 123456").decode()
WRONG = "canary-wrong-password-51"


@pytest.fixture(scope="module")
def watched(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """One process that logs all it can."""
    gateway = Gateway(postgres, redis_server, LOG_LEVEL="DEBUG", AUDIT_KEYS=f"k1:{KEY}")
    config = {"live": 0, "password": "canary-backend-password-99", "token": "canary-backend-token-17"}
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "default": True, "config": config})
    gateway.manage("add_user", "paula", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    gateway.start(gateway.both)
    yield gateway
    gateway.close()


def series(gateway: Gateway) -> int:
    """How many lines the metrics have."""
    return len([line for line in said(gateway, "/metrics").splitlines() if not line.startswith("#")])


def said(gateway: Gateway, path: str) -> str:
    """What the operations port answers."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port + 2}{path}", timeout=20) as found:
        return str(found.read().decode())


def test_twelve_secrets_are_in_no_log_metric_answer_or_entry(watched: Gateway) -> None:
    paula, told = Person(watched), []
    told.append(paula.sign_in("paula", WRONG).text)
    assert paula.sign_in("paula").status == 302
    session, csrf = paula.jar["session"], paula.jar["csrf"]
    issued = watched.send("alice", "POST", "/admin/v1/tokens", {"name": "canary"}).body["secret"]
    paths = (
        POOLS,
        "/admin/v1/tokens",
        "/admin/v1/me",
        "/admin/v1/audit",
        f"{POOLS}?filter=(",
        "/o2ims/v1/%ff",
    )
    told += [json.dumps(watched.get("alice", path).body) for path in paths]
    watched.send("alice", "POST", POOLS, {"name": "canary-pool"}, Idempotency_Key="k")
    watched.send("alice", "POST", POOLS, {"name": 7, "password": "canary-of-a-body-33"})
    pages = ("/admin/", "/admin/o2ims/source/", "/admin/tenancy/token/", "/admin/tenancy/auditentry/")
    told += [paula.ask("GET", page).text for page in pages]
    canaries = {
        "a token": watched.tokens["alice"],
        "a token of the platform's": watched.tokens["root"],
        "a new token": issued,
        "a password": PASSWORD,
        "a wrong password": WRONG,
        "a session": session,
        "a form's cookie": csrf,
        "the secret key": watched.environment["SECRET_KEY"],
        "the signing key": KEY,
        "the database's password": re.findall(r":([^:@/]+)@", watched.environment["DATABASE_URL"])[0],
        "a backend's password": "canary-backend-password-99",
        "a backend's token": "canary-backend-token-17",
    }
    watched.get("root", POOLS)
    with watched.database() as rows:
        entries = rows.execute("SELECT a::text FROM tenancy_auditentry a").fetchall()
    places = {
        "the log": watched.both.log.read_text(),
        "the metrics": said(watched, "/metrics"),
        "an answer": "\n".join(told),
        "the trail": "\n".join(text for (text,) in entries),
    }
    assert len(canaries) == 12
    found = [
        (name, place) for name, secret in canaries.items() for place, text in places.items() if secret in text
    ]
    assert found == []
    assert "canary-pool" in places["the trail"]


def test_strangers_cannot_make_the_metrics_grow(watched: Gateway) -> None:
    watched.get("", POOLS)
    watched.get("alice", "/o2ims/v1/nowhere")
    before = series(watched)
    for _ in range(300):  # a hundred thousand: test_labels.py
        name = secrets.token_hex(8)
        watched.get("", f"/o2ims/v1/{name}", Authorization=f"Bearer {name}", X_Request_Id=name)
        watched.get("", f"/{name}", Host=f"{name}.example")
        watched.get("alice", f"{POOLS}/{name}?filter=(eq,{name},{name})", X_SSL_Client_Cert=name)
    assert series(watched) - before <= 50
