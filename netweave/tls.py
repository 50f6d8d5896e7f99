"""TLS as the API is served with it: made from files, and what a connection says of its other end.

A resumed session would carry a certificate that nobody has checked again: tickets are off, and what is
resumed all the same is ended (`netweave/serving.py`).
"""

import hashlib
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from django.core.exceptions import ImproperlyConfigured

from netweave import metrics

_AEAD = "ECDHE+AESGCM:ECDHE+CHACHA20"
CLIENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What TLS is made from: PEM files. `client_ca` are those whose certificates callers may show (`clients`:
    none, optional, required), `crl` what those CAs have revoked (with it, every one of them needs a list)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    crl: Path | None = None
    clients: str = "optional"
    minimum: str = "1.3"

    def context(self) -> ssl.SSLContext:
        """The context of a listener. Raises `ImproperlyConfigured` that names the file."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = VERSIONS[self.minimum]
        made.set_ciphers(_AEAD)  # of TLS 1.2; those of 1.3 are all AEAD
        made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        made.num_tickets = 0
        made.set_alpn_protocols(["http/1.1"])
        made.sni_callback = _note_start
        try:
            made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(f"{self.certificate} and {self.key}", error) from error
        if self.client_ca is not None:
            made.verify_mode = CLIENTS[self.clients]
            for path in filter(None, (self.client_ca, self.crl)):
                try:
                    made.load_verify_locations(path)
                except (OSError, ssl.SSLError) as error:
                    raise _unusable(str(path), error) from error
            if self.crl is not None:
                made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return made

    def digest(self) -> bytes:
        """Of the contents of all files; a file that cannot be read counts as an empty one."""
        found = hashlib.blake2b()
        for path in filter(None, (self.certificate, self.key, self.client_ca, self.crl)):
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            found.update(hashlib.blake2b(content).digest())
        return found.digest()

    def revoked(self) -> frozenset[tuple[bytes, int]]:
        """(issuer's name as DER, serial number) of every certificate that the revocation lists name. Raises
        `ImproperlyConfigured` that names the file."""
        if self.crl is None:
            return frozenset()
        try:
            return frozenset(
                (crl.issuer.public_bytes(), entry.serial_number)
                for crl in _lists(self.crl.read_bytes())
                for entry in crl
            )
        except (OSError, ValueError) as error:
            raise _unusable(str(self.crl), error) from error

    def measure(self) -> None:
        """Tells the metrics when the server's certificate ends."""
        left = ends_at(self.certificate).timestamp() - time.time()
        metrics.CERTIFICATE_EXPIRY.labels("server").set(left)


@dataclass(slots=True)
class Revoked:
    """What the revocation lists name that are in force now, as `Files.revoked` has it."""

    certificates: frozenset[tuple[bytes, int]]


def ends_at(path: Path) -> datetime:
    """When the first certificate of a PEM file ends. Raises `OSError` or `ValueError`."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc


def _note_start(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
    """The client's first message is here: the handshake begins."""
    connection.started = time.perf_counter()


def told(connection: Any) -> dict[str, Any] | None:
    """What a connection's TLS says of its other end, as the ASGI TLS extension has it; None without TLS."""
    outside: ssl.SSLObject | None = connection.get_extra_info("ssl_object")
    if outside is None:
        return None
    metrics.HANDSHAKE.observe(time.perf_counter() - getattr(outside, "started", time.perf_counter()))
    der = outside.getpeercert(binary_form=True)
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}.get(outside.version() or ""),
        "cipher_suite": None,
    }


def resumed(connection: Any) -> bool:
    """Whether a connection goes on with the session of an earlier one."""
    outside: ssl.SSLObject | None = connection.get_extra_info("ssl_object")
    return outside is not None and bool(outside.session_reused)


def identity(tls: dict[str, Any] | None) -> tuple[bytes, int] | None:
    """(issuer's name as DER, serial number) of the certificate at the other end, or None."""
    chain = tls["client_cert_chain"] if tls else ()
    if not chain:
        return None
    found = x509.load_pem_x509_certificate(chain[0].encode())
    return found.issuer.public_bytes(), found.serial_number


def _lists(pem: bytes) -> Iterable[x509.CertificateRevocationList]:
    end = b"-----END X509 CRL-----"
    for part in pem.split(end)[:-1]:
        yield x509.load_pem_x509_crl(part[part.index(b"-----BEGIN X509 CRL") :] + end)


def _unusable(what: str, error: Exception) -> ImproperlyConfigured:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
    return ImproperlyConfigured(f"TLS: {what} cannot be used: {reason}")
