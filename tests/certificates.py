"""A certificate authority that issues what a test asks for, the impossible too; and TLS clients that show
it."""

import datetime as dt
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def x509(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())


class Authority:
    """A CA of its own, in `folder`."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(
            self._name,
            self._name,
            self._key.public_key(),
            x509.random_serial_number(),
            now - DAY,
            now + 30 * DAY,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self._made = 0

    def issue(
        self,
        *,
        names: Sequence[str | x509.NameAttribute[str]] = (),
        uris: Sequence[str] = (),
        hosts: Sequence[str] = (),
        days: tuple[float, float] = (-1, 10),
        sans: Sequence[x509.GeneralName] = (),
        extensions: Sequence[x509.ExtensionType] = (),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Issued:
        """A leaf with these common names (or whole attributes), URI and DNS alternatives, from and to days
        from now."""
        now = dt.datetime.now(dt.UTC)
        mine = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                name
                if isinstance(name, x509.NameAttribute)
                else x509.NameAttribute(NameOID.COMMON_NAME, name)
                for name in names
            ]
        )
        builder = x509.CertificateBuilder(
            self._name,
            subject,
            mine.public_key(),
            x509.random_serial_number(),
            now + days[0] * DAY,
            now + days[1] * DAY,
        )
        alternatives: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        alternatives += [x509.DNSName(host) for host in hosts]
        alternatives += sans
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not names)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        made = builder.sign(key or self._key, hashes.SHA256())
        return self._write(made, mine)

    def revoke(self, *issued: Issued) -> Path:
        """A revocation list of these; the file is another one each time."""
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, now - DAY, now + DAY)
        for one in issued:
            entry = x509.RevokedCertificateBuilder(one.x509.serial_number, now - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        self._made += 1
        path = self.folder / f"crl-{self._made}.pem"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def _write(self, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        self._made += 1
        files = Issued(self.folder / f"{self._made}.crt", self.folder / f"{self._made}.key")
        files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def client(authority: Authority, shown: Issued | None = None) -> ssl.SSLContext:
    """A client that trusts the authority and shows a certificate."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return context
