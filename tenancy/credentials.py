"""What a request shows to say who is asking: a bearer token, a client certificate, or both.

The certificate is that of the connection's own TLS, or, where the connection is one of `TRUSTED_PROXIES`',
what the proxy says in its headers about the caller's (`netweave/front.py` drops these headers from anybody
else):

    X-Forwarded-Client-Cert   Envoy: Cert="<URL-encoded PEM>"
    X-SSL-Client-Cert         nginx ($ssl_client_escaped_cert, URL-encoded PEM) and HAProxy (base64 of DER),
    with
                              X-SSL-Client-Verify: SUCCESS, or 0
"""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest

from api import requests
from tenancy.certificates import Unmapped

_CERT = re.compile(r'(?:\A|;)\s*Cert="?([^";,]+)"?(?=;|\Z)', re.IGNORECASE)
_VERIFIED = {"SUCCESS", "0"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token (or '') and a certificate that TLS has verified (PEM or DER, unread; or None)."""

    token: str
    certificate: bytes | None

    @classmethod
    def of(cls, request: HttpRequest) -> "Credentials":
        """What `request` shows. Raises `Unmapped` for a certificate that a proxy does not plainly
        vouch for."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        return cls(secret.strip() if scheme.lower() == "bearer" else "", _certificate(request))


def _certificate(request: HttpRequest) -> bytes | None:
    if requests.facts(request).get("proxied"):
        return _forwarded(request)
    extensions = getattr(request, "scope", {}).get("extensions") or {}
    chain = (extensions.get("tls") or {}).get("client_cert_chain") or ()
    return chain[0].encode() if chain else None


def _forwarded(request: HttpRequest) -> bytes | None:
    envoy = request.headers.get("X-Forwarded-Client-Cert", "")
    plain = request.headers.get("X-SSL-Client-Cert", "")
    if envoy and plain:
        raise Unmapped("two proxies speak of a certificate")
    if envoy:
        found = _CERT.findall(envoy)
        if len(found) != 1 or "," in re.sub(r'"[^"]*"', "", envoy):
            raise Unmapped("X-Forwarded-Client-Cert does not hold exactly one certificate")
        return unquote_to_bytes(found[0])
    if not plain:
        return None
    if request.headers.get("X-SSL-Client-Verify", "") not in _VERIFIED:
        raise Unmapped("the proxy has not verified the certificate")
    if plain.startswith("-----BEGIN"):
        return unquote_to_bytes(plain)
    try:
        return base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise Unmapped("X-SSL-Client-Cert is neither PEM nor base64") from error
