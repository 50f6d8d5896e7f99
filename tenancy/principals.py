"""Who is asking, kept per process, and forgotten within seconds of a revocation.

A look-up by token costs one query the first time and none after. The revocation log is followed like the
change log: any new row empties the cache. While the database is away, cached principals live on for
`PRINCIPALS_OFFLINE`; strangers get `Unavailable`.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Max
from django.utils import timezone

from tenancy.models import Revocation, Tenant, Token
from tenancy.scope import TenantScope

FOLLOW_SECONDS = 1.0
AWAY_SECONDS = 10.0


class Unidentified(Exception):
    """The credential is unknown, expired or revoked."""


class Suspended(Exception):
    """The credential is good, and its tenant is not active."""


class Unavailable(Exception):
    """Who this is cannot be found out now."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An identified caller. `tenant` is None for the platform's people."""

    user_id: str
    name: str
    tenant: str | None
    authentication: str
    expires_at: datetime | None
    #: Until roles come: a tenant's people may change what is theirs, of the platform's only its admins.
    writes: bool

    is_authenticated = True  # what DRF asks of a user

    @property
    def scope(self) -> TenantScope:
        """What it may see. Until roles come, people of no tenant read everything."""
        return TenantScope.everything() if self.tenant is None else TenantScope.of(self.tenant)


class Principals:
    """The cache. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_digest: dict[bytes, Principal] = {}
        self._used: set[bytes] = set()
        self._position: int | None = None
        self._generation = 0
        self._followed = 0.0
        #: Whether somebody calls `follow` every second, so that no request needs to.
        self.attended = False

    def of_token(self, secret: str) -> Principal:
        """The principal of a bearer token. Raises `Unidentified`, `Suspended` or `Unavailable`."""
        digest = Token.digest_of(secret)
        self._keep_up()
        principal = self._by_digest.get(digest) or self._load(digest)
        if principal.expires_at is not None and principal.expires_at <= timezone.now():
            raise Unidentified
        self._used.add(digest)
        return principal

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
        """Writes down when the tokens seen since the last call were used."""
        with self._lock:
            used, self._used = self._used, set()
        if used:
            Token.objects.filter(digest__in=used).update(last_used_at=timezone.now())

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

    def _load(self, digest: bytes) -> Principal:
        generation = self._generation
        if self.attended and time.monotonic() - self._followed > AWAY_SECONDS:
            raise Unavailable  # the database is away: strangers need not wait to hear it
        try:
            token = Token.objects.select_related("user__tenant").filter(digest=digest).first()
        except DatabaseError as error:
            raise Unavailable from error
        if token is None or token.revoked_at is not None or not token.user.is_active:
            raise Unidentified
        user = token.user
        if user.tenant is not None and user.tenant.status != Tenant.Status.ACTIVE:
            raise Suspended
        writes = user.tenant_id is not None or user.is_superuser
        principal = Principal(str(user.pk), user.username, user.tenant_id, "token", token.expires_at, writes)
        with self._lock:
            if generation == self._generation:  # nothing was revoked while we read
                self._by_digest[digest] = principal
        return principal


principals = Principals()
