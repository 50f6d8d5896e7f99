"""The sealer: within a second, what has been committed to the trail is vouched for by a signed seal.

Whichever process comes first seals. Ids below the one that the sequence had reached while nobody was
appending are all there are ever going to be: so a seal covers a range of ids, whole.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from tenancy.audit import APPENDING
from tenancy.trail import FIELDS, AuditEntry, AuditSeal, digest, packed

SEALING = 0x6E77_7365  # the advisory lock of the one that seals
AT_ONCE = 10_000
PATIENCE = "200ms"  # for those who are appending; what waits behind us waits as long
DERIVED = "secret-key"


class Keys:
    """The keys that seals are signed with, and were: by their ids. Ed25519 (RFC 8032)."""

    def __init__(self, seeds: Mapping[str, bytes]) -> None:
        self._keys = {id_: Ed25519PrivateKey.from_private_bytes(seed) for id_, seed in seeds.items()}
        self.current = next(iter(self._keys))

    @classmethod
    def of_settings(cls) -> "Keys":
        """Those of `AUDIT_KEYS` (the first one signs); without any, one that is made of `SECRET_KEY`."""
        return _keys(tuple(settings.AUDIT_KEYS), settings.SECRET_KEY)

    def sign(self, statement: bytes) -> bytes:
        """By the current key."""
        return self._keys[self.current].sign(statement)

    def signed(self, seal: AuditSeal) -> bool:
        """Whether one of our keys has signed this seal."""
        key = self._keys.get(seal.key)
        try:
            if key is not None:
                key.public_key().verify(bytes(seal.signature), seal.statement())
        except InvalidSignature:
            return False
        return key is not None

    def public(self) -> dict[str, str]:
        """The public keys, base64, by their ids: for who checks seals elsewhere."""
        return {id_: _public(key.public_key()) for id_, key in self._keys.items()}


def _public(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


@lru_cache(maxsize=1)
def _keys(given: tuple[tuple[str, bytes], ...], secret: str) -> Keys:
    derived = hashlib.blake2b(secret.encode(), digest_size=32, person=b"audit seals").digest()
    return Keys(dict(given) or {DERIVED: derived})


def seal() -> int:
    """Seals what is committed and unsealed, unless somebody else is at it. Returns how many entries."""
    sealed = 0
    while (through := _settled_id()) is not None:
        count = _seal_once(through)
        sealed += count
        if count < AT_ONCE:
            break
    return sealed


def make_partitions() -> None:
    """The coming days' partitions, and today's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenancy_audit_partitions()")


def _settled_id() -> int | None:
    """The id below and at which no entry can come in any more; None if there is nothing new, or somebody
    is at it for too long: then the next time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT last_value > coalesce((SELECT max(to_id) FROM tenancy_auditseal), 0)"
            " FROM tenancy_auditentry_id_seq WHERE is_called"
        )
        if cursor.fetchone() != (True,):
            return None
        try:
            with transaction.atomic():
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [APPENDING])
                cursor.execute("SELECT last_value FROM tenancy_auditentry_id_seq")
                return int(cursor.fetchone()[0])
        except OperationalError:
            return None


def _seal_once(through: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALING])
        if cursor.fetchone() != (True,):
            return 0
        last = AuditSeal.objects.defer("entries").order_by("-number").first()
        rows = _entries(last.to_id if last else 0, through)
        if rows:
            _sealed(last, rows, rows[-1][0] if len(rows) == AT_ONCE else through).save(force_insert=True)
        return len(rows)


def _entries(after: int, through: int) -> Sequence[tuple[Any, ...]]:
    rows = AuditEntry.objects.filter(id__gt=after, id__lte=through).order_by("id")
    return list(rows.values_list(*FIELDS)[:AT_ONCE])


def _sealed(last: AuditSeal | None, rows: Sequence[tuple[Any, ...]], through: int) -> AuditSeal:
    keys = Keys.of_settings()
    entries = packed((row[0], row[1], digest(row)) for row in rows)
    times = [row[1] for row in rows]
    made = AuditSeal(
        number=last.number + 1 if last else 1,
        from_id=last.to_id if last else 0,
        to_id=through,
        count=len(rows),
        first_at=min(times),
        last_at=max(times),
        entries=entries,
        digest=hashlib.sha256(entries).digest(),
        previous=last.hash() if last else bytes(32),
        sealed_at=timezone.now(),
        key=keys.current,
    )
    made.signature = keys.sign(made.statement())
    return made
