"""Who is asking, kept per process, and forgotten within seconds of a revocation.

A look-up by token or certificate costs some queries the first time and none after. The revocation log is
followed like the change log: any new row empties the cache. While the database is away, cached principals
live on for `PRINCIPALS_OFFLINE`; strangers get `Unavailable`.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from tenancy import certificates
from tenancy.jwts import Unbelieved, believed
from tenancy.models import TOKEN_PREFIX, Tenant, Token, User
from tenancy.permissions import Action, Grant, Resource, Rights, Scope, rights_at
from tenancy.rates import Limit
from tenancy.revocations import Revocation
from tenancy.scope import TenantScope
from tenancy.trust import Certificate, Issuer, fingerprint

log = structlog.get_logger()

FOLLOW_SECONDS = 1.0
AWAY_SECONDS = 10.0
MOST_KNOWN = 50_000
_USED = """
UPDATE tenancy_token SET last_used_at = greatest(last_used_at, used.at)
FROM unnest(%s::bytea[], %s::timestamptz[]) AS used (digest, at) WHERE tenancy_token.digest = used.digest
"""


class Unidentified(Exception):
    """The credential is unknown, expired or revoked."""


class Suspended(Exception):
    """The credential is good, and its tenant is not active."""

    def __init__(self, user: User, authentication: str) -> None:
        super().__init__(f"{user.tenant_id} is not active")
        self.user_id, self.name, self.tenant = str(user.pk), user.username, user.tenant_id
        self.authentication = authentication


class Unavailable(Exception):
    """Who this is cannot be found out now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An identified caller, with everything that decides what it may do: no check asks the database.

    `tenant` is None for the platform's people. `authentication` says how it was identified, `expires_at` when
    that ends (None: never). `rights` are what `grants` allow until `rights_until`, when the first of them
    ends. `rate_limit` is the tenant's own (None: the platform's default), `bound_to` the
    SHA-256 (hex) of the certificate that has to be shown with the credential.
    """

    user_id: str
    name: str
    tenant: str | None
    authentication: str
    expires_at: datetime | None
    grants: tuple[Grant, ...]
    rights: Rights
    rights_until: datetime | None
    rate_limit: Limit | None = None
    bound_to: str | None = None

    is_authenticated = True  # what DRF asks of a user

    @classmethod
    def of(
        cls, user: User, *, authentication: str, expires_at: datetime | None, bound_to: str | None = None
    ) -> "Principal":
        """Who `user` is now, and what the roles of theirs that have not ended allow."""
        grants, now = user.grants(), timezone.now()
        return cls(
            user_id=str(user.pk),
            name=user.username,
            tenant=user.tenant_id,
            authentication=authentication,
            expires_at=expires_at,
            bound_to=bound_to,
            rate_limit=user.tenant.own_rate if user.tenant else None,
            **_in_force(grants, now),
        )

    def at(self, now: datetime) -> "Principal":
        """The same caller at a time: without the grants that have ended by then. Raises `Unidentified` where
        the credential has."""
        if self.expires_at is not None and self.expires_at <= now:
            raise Unidentified
        if self.rights_until is None or self.rights_until > now:
            return self
        return replace(self, **_in_force(self.grants, now))

    def scope(self, resource: Resource, action: Action) -> TenantScope | None:
        """Whose objects it may do this with; None: nobody's."""
        scopes = self.rights.scopes(resource, action)
        if Scope.ALL in scopes:
            return TenantScope.everything()
        if self.tenant is None or not scopes & {Scope.TENANT, Scope.SHARED}:
            return None
        return TenantScope.of(self.tenant, own=Scope.TENANT in scopes, shared=Scope.SHARED in scopes)


def _in_force(grants: tuple[Grant, ...], now: datetime) -> dict[str, Any]:
    held = tuple(grant for grant in grants if grant.holds(now))
    ends = min((grant.expires_at for grant in held if grant.expires_at), default=None)
    return {"grants": held, "rights": rights_at(held, now), "rights_until": ends}


class Principals:
    """The cache. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_digest: dict[bytes, Principal] = {}
        self._used: dict[bytes, datetime] = {}
        self._position: int | None = None
        self._generation = 0
        self._followed = 0.0
        #: Whether somebody calls `follow` every second, so that no request needs to.
        self.attended = False

    def of_token(self, secret: str, certificate: bytes | None = None) -> Principal:
        """The principal of a bearer token: one of ours, or a JWT, which may be bound to the `certificate`
        that is shown beside it. Raises `Unidentified`, `Suspended` or `Unavailable`."""
        digest = Token.digest_of(secret)
        if not secret.startswith(TOKEN_PREFIX) and secret.count(".") == 2:
            found = self._of(b"jwt " + digest, lambda: _of_jwt(secret, certificate))
            _must_come_with(found.bound_to, certificate)
            return found
        principal = self._of(digest, lambda: _of_token(digest))
        self._used[digest] = timezone.now()
        return principal

    def of_certificate(self, shown: bytes) -> Principal:
        """The principal of a client certificate (PEM or DER) that TLS has verified. Raises the same."""
        key = b"certificate " + hashlib.sha256(shown).digest()
        return self._of(key, lambda: _of_certificate(shown))

    def follow(self) -> None:
        """Reads the revocation log, and forgets everyone if it has grown. Raises the database's errors."""
        newest = Revocation.objects.aggregate(newest=Max("id"))["newest"] or 0
        with self._lock:
            if newest != self._position:
                self._position = newest
                self._generation += 1
                self._by_digest.clear()
            self._followed = time.monotonic()

    def note_use(self) -> None:
        """Writes down when the tokens seen since the last call were used last, here or in another process."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            with connection.cursor() as cursor:
                cursor.execute(_USED, [list(used), list(used.values())])

    def _keep_up(self) -> None:
        silent = time.monotonic() - self._followed
        if self.attended and silent > settings.PRINCIPALS_OFFLINE.total_seconds():
            raise Unavailable
        if self.attended or silent < 2 * FOLLOW_SECONDS:
            return
        try:
            self.follow()
        except DatabaseError as error:
            if silent > settings.PRINCIPALS_OFFLINE.total_seconds():
                raise Unavailable from error

    def _of(self, key: bytes, load: Callable[[], Principal]) -> Principal:
        self._keep_up()
        principal = self._by_digest.get(key) or self._load(key, load)
        if principal.expires_at is not None or principal.rights_until is not None:
            principal = principal.at(timezone.now())
        return principal

    def _load(self, key: bytes, load: Callable[[], Principal]) -> Principal:
        generation = self._generation
        if self.attended and time.monotonic() - self._followed > AWAY_SECONDS:
            raise Unavailable  # the database is away: strangers need not wait to hear it
        try:
            principal = load()
        except DatabaseError as error:
            raise Unavailable from error
        with self._lock:
            if len(self._by_digest) >= MOST_KNOWN:
                self._forget_some()
            if generation == self._generation:  # nothing was revoked while we read
                self._by_digest[key] = principal
        return principal

    def _forget_some(self) -> None:
        """Those whose credential has ended (JWTs come and go), or, where there are too many others,
        everyone."""
        now = timezone.now()
        kept = {
            key: one for key, one in self._by_digest.items() if not one.expires_at or one.expires_at > now
        }
        self._by_digest = kept if len(kept) < MOST_KNOWN else {}


def _of_jwt(secret: str, shown: bytes | None) -> Principal:
    """Of a JWT that is believed, and names a user there is; one that is bound to a certificate comes with
    that one, and it is not revoked."""
    try:
        claimed = believed.claimed(secret)
    except Unbelieved as error:
        log.info("jwt_unbelieved", reason=str(error))
        raise Unidentified from error
    _must_come_with(claimed.certificate, shown)
    revoked = Certificate.objects.filter(fingerprint=claimed.certificate, revoked_at__isnull=False)
    named = claimed.named
    user = User.objects.select_related("tenant").filter(username=named.username, tenant=named.tenant).first()
    if user is None or (claimed.certificate and revoked.exists()):
        raise Unidentified
    return Principal.of(
        _active(user, "jwt"),
        authentication="jwt",
        expires_at=claimed.expires_at,
        bound_to=claimed.certificate,
    )


def _must_come_with(bound_to: str | None, shown: bytes | None) -> None:
    if bound_to is None:
        return
    try:
        if shown is not None and fingerprint(certificates.read(shown)) == bound_to:
            return
    except certificates.Unmapped:
        pass
    raise Unidentified


def _of_token(digest: bytes) -> Principal:
    token = Token.objects.select_related("user__tenant").filter(digest=digest).first()
    if token is None or token.revoked_at is not None:
        raise Unidentified
    return Principal.of(_active(token.user, "token"), authentication="token", expires_at=token.expires_at)


def _of_certificate(shown: bytes) -> Principal:
    """Of a certificate that names an active user, was issued by a CA that speaks for that user's tenant,
    and is not revoked."""
    try:
        certificate = certificates.read(shown)
        named = certificates.Grammar.of_settings().named(certificate)
    except certificates.Unmapped as error:
        log.info("certificate_unmapped", reason=str(error))
        raise Unidentified from error
    issuers = Issuer.objects.filter(tenant=named.tenant)
    user = User.objects.select_related("tenant").filter(username=named.username, tenant=named.tenant).first()
    revoked = Certificate.objects.filter(fingerprint=fingerprint(certificate), revoked_at__isnull=False)
    if (
        user is None
        or not certificates.good_at(certificate, timezone.now())
        or not issuers.have_signed(certificate)
        or revoked.exists()
    ):
        raise Unidentified
    principal = Principal.of(
        _active(user, "certificate"), authentication="certificate", expires_at=certificate.not_valid_after_utc
    )
    Certificate.note(certificate, user)
    return principal


def _active(user: User, authentication: str) -> User:
    if not user.is_active:
        raise Unidentified
    if user.tenant is not None and user.tenant.status != Tenant.Status.ACTIVE:
        raise Suspended(user, authentication)
    return user


principals = Principals()
