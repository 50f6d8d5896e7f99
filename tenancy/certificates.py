"""Whose a client certificate is, by what is written in it; strictly, and without a look at the database.

Exactly one URI alternative name, `spiffe://<trust domain>/tenant/<tenant>/user/<user>` (of the platform's
people: `spiffe://<trust domain>/platform/user/<user>`), or, where there is none, exactly one common name,
`<user>.<tenant>.<suffix>`. Only DNS names may stand beside it. That its issuer may speak for that tenant is
decided elsewhere (`tenancy/trust.py`).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

_LABEL = "[a-z0-9-]{1,63}"
#: What a name may be written in, so that what is read is what was signed: no two spellings of one name.
_TEXTS = {_ASN1Type.UTF8String, _ASN1Type.PrintableString}


class Unmapped(Exception):
    """The certificate names nobody; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a certificate names; `tenant` is None for the platform's people."""

    user: str
    tenant: str | None

    @property
    def username(self) -> str:
        """The login name."""
        return f"{self.user}@{self.tenant}" if self.tenant else self.user


@dataclass(frozen=True, slots=True)
class Grammar:
    """How certificates are written here: `suffix` of common names, `trust_domain` of URIs; '' for a form
    that is not taken."""

    suffix: str
    trust_domain: str

    @classmethod
    def of_settings(cls) -> "Grammar":
        """As the settings say."""
        return cls(settings.CERTIFICATE_CN_SUFFIX, settings.CERTIFICATE_TRUST_DOMAIN)

    def named(self, certificate: x509.Certificate) -> Named:
        """Whom a leaf names. Raises `Unmapped`."""
        try:
            alternatives = list(_alternatives(certificate))
            _must_be_a_clients(certificate)
        except ValueError as error:  # an extension that is there twice, or is nonsense
            raise Unmapped(f"an extension cannot be read: {error}") from error
        uris = [name.value for name in alternatives if isinstance(name, x509.UniformResourceIdentifier)]
        if any(not isinstance(name, x509.UniformResourceIdentifier | x509.DNSName) for name in alternatives):
            raise Unmapped("an alternative name is neither URI nor DNS name")
        return self._of_uri(uris) if uris else self._of_common_name(certificate)

    def _of_uri(self, uris: list[str]) -> Named:
        if len(uris) != 1:
            raise Unmapped(f"there are {len(uris)} URIs")
        domain = re.escape(self.trust_domain)
        found = re.fullmatch(
            rf"spiffe://{domain}/(?:tenant/({_LABEL})|platform)/user/({_LABEL})", uris[0], re.ASCII
        )
        if not self.trust_domain or not found:
            raise Unmapped("the URI is none of ours")
        return Named(found[2], found[1])

    def _of_common_name(self, certificate: x509.Certificate) -> Named:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if len(names) != 1:
            raise Unmapped(f"there are {len(names)} common names")
        (name,) = names
        text = name.value
        if name._type not in _TEXTS or not isinstance(text, str):
            raise Unmapped("the common name is in an odd encoding")
        found = re.fullmatch(rf"({_LABEL})\.({_LABEL})\.{re.escape(self.suffix)}", text, re.ASCII)
        if not self.suffix or not found:
            raise Unmapped("the common name is none of ours")
        return Named(found[1], found[2])


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` itself has signed a certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def good_at(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a time is within a certificate's life."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def read(pem_or_der: bytes) -> x509.Certificate:
    """The first certificate of PEM, or that of DER. Raises `Unmapped`."""
    try:
        if pem_or_der.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(pem_or_der)
        return x509.load_der_x509_certificate(pem_or_der)
    except ValueError as error:
        raise Unmapped("it is no certificate") from error


def der(certificate: x509.Certificate) -> bytes:
    """Its bytes, as signed."""
    return certificate.public_bytes(Encoding.DER)


def _alternatives(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(found.value)


def _must_be_a_clients(certificate: x509.Certificate) -> None:
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise Unmapped("it is a CA's")
    except x509.ExtensionNotFound:
        pass
    try:
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise Unmapped("it is for no client")
