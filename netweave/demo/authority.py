"""A throw-away certificate authority: the demo's own certificate, and one for each of its people.

Files in the state directory's `tls/`; what is good for a day and more stays as it is.
"""

import datetime as dt
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from netweave.embedded.port import LOOPBACK

#: Of the URIs in the demo's certificates.
TRUST_DOMAIN = "netweave.demo"
_DAYS = 90
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate's file, and its key's."""

    certificate: Path
    key: Path


class Authority:
    """The files of `folder`, made where they are missing or about to end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._key_file = folder / "ca.key"
        if not _good(self.file) or not self._key_file.exists():
            self._begin()
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def server(self) -> Pair:
        """For `localhost` and the loopback address."""
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))]
        return self._pair("server", names, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str, username: str) -> Pair:
        """For the user of that login name (`alice@acme`; `root` is the platform's)."""
        user, _, tenant = username.partition("@")
        whose = f"tenant/{tenant}" if tenant else "platform"
        uri = x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{whose}/user/{user}")
        return self._pair(f"client-{name}", [uri], ExtendedKeyUsageOID.CLIENT_AUTH)

    def _begin(self) -> None:
        for old in (*self._folder.glob("*.pem"), *self._folder.glob("*.crt"), *self._folder.glob("*.key")):
            old.unlink()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "netweave demo CA")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = _builder(name, name, key).add_extension(constraints, critical=True)
        _write_key(self._key_file, key)
        self.file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(_PEM))

    def _pair(self, name: str, alternatives: list[x509.GeneralName], use: x509.ObjectIdentifier) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        if _good(pair.certificate) and pair.key.exists():
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            _builder(subject, self._certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        )
        _write_key(pair.key, key)
        pair.certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(_PEM))
        return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        issuer,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - dt.timedelta(hours=1),
        now + dt.timedelta(days=_DAYS),
    )


def _good(path: Path) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return found.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
