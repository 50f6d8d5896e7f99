"""What a JWT says, once it is believed (RFC 7519, RFC 8725): who its bearer is, until when, and which client
certificate has to come with it (RFC 8705).

    iss ─► one of JWT_ISSUERS ─► kid ─► its key ─► signature, aud, exp, nbf, iat ─► user and tenant
"""

import base64
import binascii
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings

from tenancy.certificates import Named
from tenancy.jwks import Jwk, Keys
from tenancy.jwt_issuers import JwtIssuer

log = structlog.get_logger()

MOST_BYTES = 8 * 1024
LEAST_RSA_BITS = 2048
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REQUIRED = ["exp", "iat", "iss", "aud"]


class Unbelieved(Exception):
    """It is not believed; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whom a believed token names. `certificate` is the SHA-256 (hex) of the only client certificate that it
    may come with; None: with any, or none."""

    named: Named
    expires_at: datetime
    certificate: str | None


class Believed:
    """The issuers' keys, kept. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[JwtIssuer, Keys] = {}

    def claimed(self, token: str) -> Claimed:
        """What a token says. Raises `Unbelieved`."""
        if len(token) > MOST_BYTES:
            raise Unbelieved("it is too large")
        try:
            header, issuer = _addressed(token)
            claims = self._verified(token, header, issuer)
            return Claimed(_named(claims, issuer), _end(claims, issuer), _bound(claims))
        except (jwt.PyJWTError, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise Unbelieved(f"{type(error).__name__}: {error}") from error

    def _verified(self, token: str, header: Mapping[str, Any], issuer: JwtIssuer) -> dict[str, Any]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in issuer.algorithms:
            raise Unbelieved("its algorithm is not the issuer's")
        if not isinstance(kid, str) or (jwk := self._of(issuer).find(kid)) is None:
            raise Unbelieved("its key is not known")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(jwk, algorithm),
            algorithms=[algorithm],
            audience=issuer.audiences,
            issuer=issuer.issuer,
            leeway=issuer.clock_skew,
            options={"require": _REQUIRED},
        )
        return claims

    def _of(self, issuer: JwtIssuer) -> Keys:
        with self._lock:
            return self._keys.setdefault(issuer, Keys(issuer.issuer, issuer.jwks, issuer.ca))


def _addressed(token: str) -> tuple[Mapping[str, Any], JwtIssuer]:
    """Its header and its issuer, as it says itself: nothing of it is believed yet."""
    header = jwt.get_unverified_header(token)
    if "crit" in header or header.get("b64", True) is not True:
        raise Unbelieved("it needs what we do not know")
    said = jwt.decode(token, options={"verify_signature": False}).get("iss")
    issuer: JwtIssuer | None = settings.JWT_ISSUERS.get(said) if isinstance(said, str) else None
    if issuer is None:
        raise Unbelieved("its issuer is none of ours")
    return header, issuer


def _key(jwk: Jwk, algorithm: str) -> jwt.PyJWK:
    """The key, for this algorithm and no other: its kind and its curve must be the algorithm's."""
    if jwk.get("alg", algorithm) != algorithm:
        raise Unbelieved("its key is for another algorithm")
    found = jwt.PyJWK(dict(jwk), algorithm)
    if isinstance(found.key, RSAPublicKey) and found.key.key_size < LEAST_RSA_BITS:
        raise Unbelieved("its key is too short")
    return found


def _named(claims: Mapping[str, Any], issuer: JwtIssuer) -> Named:
    user, tenant = claims.get(issuer.user_claim), claims.get(issuer.tenant_claim)
    if not isinstance(user, str) or not _NAME.fullmatch(user):
        raise Unbelieved("it names no user")
    if tenant is not None and (not isinstance(tenant, str) or not _NAME.fullmatch(tenant)):
        raise Unbelieved("it names no tenant")
    if not issuer.speaks_for(tenant):
        raise Unbelieved("its issuer does not speak for that tenant")
    return Named(user, tenant)


def _end(claims: Mapping[str, Any], issuer: JwtIssuer) -> datetime:
    return _EPOCH + timedelta(seconds=int(claims["exp"]) + issuer.clock_skew)


def _bound(claims: Mapping[str, Any]) -> str | None:
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict) or confirmation.keys() != {"x5t#S256"}:
        raise Unbelieved("it is bound to what we cannot see")
    text = str(confirmation["x5t#S256"])
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Unbelieved("it is bound to no thumbprint") from error
    if len(found) != 32:
        raise Unbelieved("it is bound to no thumbprint")
    return found.hex()


believed = Believed()
