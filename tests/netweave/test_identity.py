"""Who is asking, over real TLS and behind real proxies: certificates, tokens, both, and headers that lie."""

import base64
import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Authority, Issued, client
from tests.gateway import Gateway
from tests.netweave.test_tls import POOLS, SAMPLE
from tests.peers.postgres import Postgres
from tests.peers.proxies import Proxy
from tests.peers.redis import Redis
from tests.tenancy.issuer import Issuer

DOMAIN = "netweave.test"


class Served:
    """A gateway with TLS that believes one CA about acme and the platform, and another one about globex."""

    def __init__(self, postgres: Postgres, redis: Redis, folder: Path, **settings: str) -> None:
        self.acme, self.globex = (
            Authority(folder / "acme", "Acme CA"),
            Authority(folder / "globex", "Globex CA"),
        )
        both = folder / "both.pem"
        both.write_bytes(self.acme.file.read_bytes() + self.globex.file.read_bytes())
        server = self.acme.issue(names=["server"], hosts=["localhost"])
        files = {
            "TLS_CERTIFICATE": str(server.certificate),
            "TLS_KEY": str(server.key),
            "TLS_CLIENT_CA": str(both),
        }
        self.gateway = Gateway(postgres, redis, **files, CERTIFICATE_TRUST_DOMAIN=DOMAIN, **settings)
        for authority, whose in ((self.acme, ["--tenant", "acme"]), (self.acme, ["--platform"])):
            self.gateway.manage("trust_issuer", str(authority.file), *whose)
        self.gateway.manage("trust_issuer", str(self.globex.file), "--tenant", "globex")
        self.gateway.configure(SAMPLE)
        port = str(self.gateway.port)
        self.process = self.gateway._process("secure", "serve", "--with-worker", "--tls", "--port", port)
        self.gateway.start(self.process)

    def certificate(self, user: str, tenant: str, *, of: Authority | None = None) -> Issued:
        return (of or self.acme).issue(uris=[f"spiffe://{DOMAIN}/tenant/{tenant}/user/{user}"])

    def connect(self, shown: Issued | None = None, *, port: int = 0) -> http.client.HTTPSConnection:
        context: ssl.SSLContext = client(self.acme, shown)
        return http.client.HTTPSConnection(
            "localhost", port or self.gateway.port + 1, context=context, timeout=10
        )

    def ask(
        self, connection: http.client.HTTPConnection, *, path: str = POOLS, token: str = "", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {self.gateway.tokens[token]}"
        connection.request("GET", path, headers=given)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def once(self, shown: Issued | None = None, *, port: int = 0, **asked: str) -> int:
        connection = self.connect(shown, port=port)
        try:
            return self.ask(connection, **asked)[0]
        finally:
            connection.close()

    def close(self) -> None:
        self.process.stop()
        self.gateway.close()


@pytest.fixture
def served(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> Iterator[Served]:
    found = Served(postgres, redis_server, tmp_path)
    yield found
    found.close()


def test_a_certificate_is_all_a_client_needs(served: Served) -> None:
    alice = served.certificate("alice", "acme")
    by_name = served.acme.issue(names=["alice.acme.o2ims.example.com"])
    root = served.acme.issue(uris=[f"spiffe://{DOMAIN}/platform/user/root"])
    for shown in (alice, by_name, root, served.certificate("charlie", "globex", of=served.globex)):
        assert served.once(shown) == 200
    connection = served.connect(alice)
    status, hers = served.ask(connection, path="/o2ims/v1/resources")
    connection.close()
    by_token = served.gateway.get("alice", "/o2ims/v1/resources").body["items"]
    assert [item["resourceId"] for item in by_token] == [
        item["resourceId"] for item in json.loads(hers)["items"]
    ]
    with served.gateway.database() as rows:
        seen = rows.execute("SELECT count(*) FROM tenancy_certificate").fetchone()
    assert (status, seen) == (200, (4,))


def test_whom_no_certificate_names_nobody_is(served: Served) -> None:
    """One and the same answer: nothing tells a stranger what was wrong."""
    answers = set()
    for shown in (
        served.certificate("nobody", "acme"),
        served.certificate("alice", "nowhere"),
        served.certificate("alice", "acme", of=served.globex),  # a CA that may not speak for acme
        served.certificate("charlie", "globex"),
        served.acme.issue(names=["anybody"]),
        served.globex.issue(uris=[f"spiffe://{DOMAIN}/platform/user/root"]),
    ):
        connection = served.connect(shown)
        status, body = served.ask(connection, X_Request_Id="same")
        connection.close()
        answers.add((status, body))
    connection = served.connect()
    connection.request("GET", POOLS, headers={"Authorization": "Bearer nwt_unknown", "X-Request-Id": "same"})
    answer = connection.getresponse()
    answers.add((answer.status, answer.read()))
    connection.close()
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401
    assert served.once() == 401


def test_what_is_taken_away_ends_within_seconds_on_open_connections(served: Served) -> None:
    alice, charlie = (
        served.certificate("alice", "acme"),
        served.certificate("charlie", "globex", of=served.globex),
    )
    kept = {"alice": served.connect(alice), "charlie": served.connect(charlie)}
    assert [served.ask(connection)[0] for connection in kept.values()] == [200, 200]
    served.gateway.manage("revoke_certificate", str(alice.certificate))
    served.gateway.until(
        lambda: served.ask(kept["alice"])[0] == 401, seconds=5, what="the end of a revoked certificate"
    )
    assert served.once(served.certificate("alice", "acme")) == 200, "another one of hers is good"
    with served.gateway.database() as rows:
        rows.execute("UPDATE tenancy_tenant SET status = 'suspended' WHERE id = 'globex'")
        rows.execute("INSERT INTO tenancy_revocation (at, what) VALUES (now(), 'tenant globex')")
    served.gateway.until(
        lambda: served.ask(kept["charlie"])[0] == 403, seconds=5, what="the tenant's suspension"
    )
    served.gateway.manage("trust_issuer", str(served.acme.file), "--tenant", "acme", "--remove")
    fresh = served.certificate("bob", "acme")
    served.gateway.until(lambda: served.once(fresh) == 401, seconds=5, what="the end of a CA")
    for connection in kept.values():
        connection.close()


def test_a_certificate_never_used_can_be_revoked(served: Served) -> None:
    shown = served.certificate("alice", "acme")
    served.gateway.manage("revoke_certificate", str(shown.certificate))
    assert served.once(shown) == 401


def test_where_certificates_are_required_a_token_needs_one_of_its_tenant(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    served = Served(postgres, redis_server, tmp_path, REQUIRE_CLIENT_CERTIFICATE="1")
    try:
        assert served.once(token="alice") == 401
        assert served.gateway.get("alice", POOLS).status == 401
        assert served.once(served.certificate("alice", "acme")) == 200
        assert served.once(served.certificate("bob", "acme"), token="alice") == 200
        charlie = served.certificate("charlie", "globex", of=served.globex)
        assert served.once(charlie, token="alice") == 401
        assert served.once(served.acme.issue(names=["anybody"]), token="alice") == 401
    finally:
        served.close()


@pytest.mark.peer("nginx")
@pytest.mark.peer("haproxy")
@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_behind_a_trusted_proxy_a_certificate_names_its_owner(
    postgres: Postgres, redis_server: Redis, tmp_path: Path, kind: str
) -> None:
    served = Served(postgres, redis_server, tmp_path, TRUSTED_PROXIES="127.0.0.1")
    try:
        with Proxy(kind, served.gateway.port, served.acme) as proxy:
            alice = served.certificate("alice", "acme")
            assert served.once(alice, port=proxy.port) == 200
            assert served.once(port=proxy.port) == 401
            assert served.once(port=proxy.port, token="alice") == 200
            forged = quote(alice.certificate.read_text())
            for name in ("X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Verify"):
                connection = served.connect(port=proxy.port)
                lie = f'Cert="{forged}"' if "Forwarded" in name else forged
                connection.request("GET", POOLS, headers={name: lie})
                assert connection.getresponse().status == 401
                connection.close()
            stranger = Authority(tmp_path / "stranger").issue(
                uris=[f"spiffe://{DOMAIN}/tenant/acme/user/alice"]
            )
            with pytest.raises((OSError, AssertionError)):
                assert served.once(stranger, port=proxy.port) in {200, 304}
    finally:
        served.close()


def test_an_envoy_speaks_for_its_callers(postgres: Postgres, redis_server: Redis, tmp_path: Path) -> None:
    served = Served(postgres, redis_server, tmp_path, TRUSTED_PROXIES="127.0.0.1/32")
    try:
        pem = quote(served.certificate("alice", "acme").certificate.read_text(), safe="")
        one = f'By=spiffe://x;Hash=00;Cert="{pem}";Subject="CN=x"'
        assert _plain(served, X_Forwarded_Client_Cert=one) == 200
        for odd in (
            f"{one},{one}",
            "Hash=00",
            'Cert="junk"',
            f'Cert="{pem}";Cert="{pem}"',
            f'NotCert="{pem}"',
        ):
            assert _plain(served, X_Forwarded_Client_Cert=odd) == 401
        der = "MIIB"
        assert _plain(served, X_SSL_Client_Cert=der, X_SSL_Client_Verify="SUCCESS") == 401
        assert _plain(served, X_SSL_Client_Cert=pem, X_SSL_Client_Verify="FAILED") == 401
        assert _plain(served, X_SSL_Client_Cert=pem, X_Forwarded_Client_Cert=one) == 401
    finally:
        served.close()


def _plain(served: Served, **headers: str) -> int:
    return served.gateway.get("", POOLS, port=None, **headers).status


NAMES = (
    "X-Forwarded-Client-Cert",
    "x-forwarded-client-cert",
    "X_Forwarded_Client_Cert",
    "X-SSL-Client-Cert",
    "X_SSL_CLIENT_CERT",
    "X-Ssl-Client-Cert",
    "ssl-client-cert",
    "SSL_CLIENT_CERT",
    "X-Client-Cert",
    "X-SSL-Client-S-DN",
)


def test_nobody_else_speaks_for_anybody(served: Served) -> None:
    """Sixty ways to say who one is, from an address that is no trusted proxy's."""
    pem = served.certificate("alice", "acme").certificate.read_text()
    values = (
        quote(pem),
        quote(pem, safe=""),
        f'Cert="{quote(pem, safe="")}"',
        f'By=x;Cert="{quote(pem, safe="")}"',
        "".join(pem.splitlines()[1:-1]),
        "CN=alice.acme.o2ims.example.com",
    )
    tried = 0
    for name in NAMES:
        for value in values:
            connection = http.client.HTTPConnection("127.0.0.1", served.gateway.port, timeout=10)
            address = f"10.9.8.{tried}"
            connection.request(
                "GET",
                POOLS,
                headers={name: value, "X-SSL-Client-Verify": "SUCCESS", "X-Forwarded-For": address},
            )
            assert connection.getresponse().status == 401
            connection.close()
            tried += 1
    assert tried == 60
    time.sleep(0.2)
    log = served.process.log.read_text()
    assert '"address":"127.0.0.1"' in log
    assert "10.9.8." not in log


def test_a_token_of_another_issuer_is_enough_and_a_bound_one_needs_its_certificate_on_the_connection(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    with Issuer() as issuer:
        served = Served(postgres, redis_server, tmp_path, JWT_ISSUERS=str(issuer.configured(tmp_path)))
        try:
            hers, bobs = served.certificate("alice", "acme"), served.certificate("bob", "acme")
            digest = hashlib.sha256(hers.x509.public_bytes(Encoding.DER)).digest()
            thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            free = f"Bearer {issuer.token()}"
            bound = f"Bearer {issuer.token(cnf={'x5t#S256': thumbprint})}"
            assert [served.once(shown, Authorization=free) for shown in (hers, bobs, None)] == [200, 200, 200]
            assert [served.once(shown, Authorization=bound) for shown in (hers, bobs, None)] == [
                200,
                401,
                401,
            ]
            served.gateway.manage("revoke_certificate", str(hers.certificate))
            served.gateway.until(
                lambda: served.once(hers, Authorization=bound) == 401,
                seconds=5,
                what="the end of a revoked certificate",
            )
            assert issuer.asked == 1
        finally:
            served.close()
