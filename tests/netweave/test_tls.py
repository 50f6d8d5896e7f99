"""TLS as it is served: versions, client certificates, resumption, revocation lists, and files that change."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.certificates import Authority, Issued, client
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

SAMPLE = {"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}}
POOLS = "/o2ims/v1/resourcePools"


class Served:
    """A gateway that listens with TLS, with a CA whose certificates it takes from callers."""

    def __init__(self, postgres: Postgres, redis: Redis, folder: Path, **settings: str) -> None:
        self.authority = Authority(folder / "ca")
        self.folder = folder
        self.serve_with(self.authority.issue(names=["server"], hosts=["localhost"]))
        files = {
            "TLS_CERTIFICATE": self.certificate,
            "TLS_KEY": self.key,
            "TLS_CLIENT_CA": self.authority.file,
        }
        self.gateway = Gateway(
            postgres, redis, **{name: str(path) for name, path in files.items()}, **settings
        )
        self.gateway.configure(SAMPLE)
        self.process = self.gateway._process(
            "secure", "serve", "--with-worker", "--tls", "--port", str(self.gateway.port)
        )
        self.gateway.start(self.process)

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    def serve_with(self, issued: Issued) -> None:
        """The server's own certificate, from the next look at the files on."""
        self.key.write_bytes(issued.key.read_bytes())
        self.certificate.write_bytes(issued.certificate.read_bytes())

    def connect(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        port = self.gateway.port + 1
        found = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        found.connect()
        return found

    def status(self, connection: http.client.HTTPSConnection) -> int:
        """Of a request with Alice's token; 0 where the connection has ended."""
        try:
            connection.request(
                "GET", POOLS, headers={"Authorization": f"Bearer {self.gateway.tokens['alice']}"}
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        return answer.status

    def once(self, context: ssl.SSLContext) -> int:
        """The status over a new connection; 0 where there is none."""
        try:
            connection = self.connect(context)
        except OSError:
            return 0
        try:
            return self.status(connection)
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


def test_it_speaks_tls_1_3_beside_plain_http_and_counts_its_certificate_down(served: Served) -> None:
    connection = served.connect(client(served.authority))
    assert connection.sock.version() == "TLSv1.3"
    assert served.status(connection) == 200
    connection.close()
    assert served.gateway.get("alice", POOLS).status == 200
    old = client(served.authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert served.once(old) == 0
    left = served.gateway.metric('o2ims_tls_cert_expiry_seconds{usage="server"}')
    assert left is not None
    assert 9 * 86400 < left < 10 * 86400
    assert served.gateway.metric("o2ims_tls_handshake_duration_seconds_count") == 1


def test_a_client_may_show_a_certificate_of_the_ca_and_no_other(served: Served, tmp_path: Path) -> None:
    assert served.once(client(served.authority, served.authority.issue(names=["anybody"]))) == 200
    stranger = Authority(tmp_path / "other").issue(names=["anybody"])
    assert served.once(client(served.authority, stranger)) == 0
    expired = served.authority.issue(names=["anybody"], days=(-3, -1))
    assert served.once(client(served.authority, expired)) == 0


def test_no_session_is_resumed(served: Served) -> None:
    context = client(served.authority)
    first = served.connect(context)
    assert served.status(first) == 200
    session = first.sock.session
    first.close()
    assert session is None or not session.has_ticket


def answer_of(connection: ssl.SSLSocket) -> bytes:
    """What comes back for a request without a token; nothing where the connection has ended."""
    try:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(1000)
    except OSError:
        return b""


def test_files_that_change_are_served_and_open_connections_go_on(served: Served) -> None:
    before = served.connect(client(served.authority))
    assert served.status(before) == 200
    renewed = served.authority.issue(names=["renewed"], hosts=["localhost"])
    served.serve_with(renewed)

    def shown() -> int:
        connection = served.connect(client(served.authority))
        try:
            der = connection.sock.getpeercert(binary_form=True) or b""
            return x509.load_der_x509_certificate(der).serial_number
        finally:
            connection.close()

    served.gateway.until(
        lambda: shown() == renewed.x509.serial_number, seconds=10, what="the new certificate"
    )
    assert served.status(before) == 200
    served.certificate.write_text("half a certificate")
    served.gateway.until(
        lambda: "tls_refused" in served.process.log.read_text(), seconds=10, what="the refusal of a bad one"
    )
    assert shown() == renewed.x509.serial_number
    assert served.status(before) == 200
    before.close()


def test_a_revoked_certificate_ends_the_open_connection_too(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    crl = tmp_path / "crl.pem"
    crl.write_bytes(Authority(tmp_path / "unused").revoke().read_bytes())
    served = Served(postgres, redis_server, tmp_path, TLS_CRL=str(crl))
    try:
        crl.write_bytes(served.authority.revoke().read_bytes())
        good, bad = (served.authority.issue(names=[name]) for name in ("good", "bad"))
        served.gateway.until(lambda: served.once(client(served.authority, bad)) == 200, what="the empty list")
        kept = [served.connect(client(served.authority, one)) for one in (good, bad)]
        assert [served.status(one) for one in kept] == [200, 200]
        crl.write_bytes(served.authority.revoke(bad).read_bytes())
        served.gateway.until(
            lambda: served.once(client(served.authority, bad)) == 0, seconds=10, what="the revocation"
        )
        served.gateway.until(lambda: served.status(kept[1]) == 0, seconds=5, what="the end of what was open")
        assert served.status(kept[0]) == 200
        assert served.once(client(served.authority, good)) == 200
        for one in kept:
            one.close()
    finally:
        served.close()


def test_tls_1_2_by_setting_and_certificates_required(
    postgres: Postgres, redis_server: Redis, tmp_path: Path
) -> None:
    served = Served(postgres, redis_server, tmp_path, TLS_MINIMUM="1.2", TLS_CLIENTS="required")
    try:
        assert served.once(client(served.authority)) == 0
        shown = served.authority.issue(names=["anybody"])
        old = client(served.authority, shown)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        first = served.connect(old)
        assert (first.sock.version(), served.status(first)) == ("TLSv1.2", 200)
        session = first.sock.session
        assert session is not None
        first.close()
        weak = client(served.authority, shown)
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
        assert served.once(weak) == 0
        with (
            socket.create_connection(("localhost", served.gateway.port + 1), timeout=5) as plain,
            old.wrap_socket(plain, server_hostname="localhost", session=session) as again,
        ):
            assert again.session_reused, "or it shows nothing"
            assert answer_of(again) == b""
    finally:
        served.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "TLS_CERTIFICATE and TLS_KEY must name files"),
        ({"TLS_CERTIFICATE": "/nonexistent", "TLS_KEY": "/nonexistent"}, "/nonexistent"),
        ({"TLS_MINIMUM": "1.1"}, "TLS_MINIMUM: '1.1' is none of 1.3, 1.2"),
        ({"TLS_CLIENTS": "perhaps"}, "TLS_CLIENTS: 'perhaps' is none of"),
    ],
)
def test_what_cannot_be_served_with_stops_the_start(
    postgres: Postgres, redis_server: Redis, settings: dict[str, str], said: str
) -> None:
    gateway = Gateway(postgres, redis_server)
    try:
        gateway.environment |= settings
        gateway.configure(SAMPLE)
        assert said in gateway.manage("serve", "--tls", "--port", str(gateway.port), status=2)
    finally:
        gateway.close()


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN X509 CRL-----\nAAAA\n", "junk\n"], ids=["cut", "no list", "junk"]
)
def test_a_list_that_is_cut_or_none_stops_the_start_too(gateway: Gateway, tmp_path: Path, text: str) -> None:
    """OpenSSL passes over what it does not know: that must not leave us without a list."""
    authority, crl = Authority(tmp_path), tmp_path / "crl.pem"
    server = authority.issue(names=["server"], hosts=["localhost"])
    crl.write_bytes(authority.revoke().read_bytes() + text.encode() + b"-----END X509 CRL-----\n")
    gateway.environment |= {"TLS_CERTIFICATE": str(server.certificate), "TLS_KEY": str(server.key)}
    gateway.environment |= {"TLS_CLIENT_CA": str(authority.file), "TLS_CRL": str(crl)}
    gateway.configure(SAMPLE)
    said = gateway.manage("serve", "--tls", "--port", str(gateway.port), status=2)
    assert f"{crl} cannot be used" in said
