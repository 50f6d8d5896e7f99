"""The audit trail as rows: what happened, and the seals over it.

    AuditEntry   one deed each, unchained, in a table that is partitioned by day
    AuditSeal    over all entries whose ids are in (from_id, to_id]: their digests, and the seal before,
    signed

The application may insert and select, and nothing else. How an entry comes about is in `tenancy/audit.py`,
how it is sealed and proved in `tenancy/sealing.py` and `tenancy/proof.py`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from struct import Struct
from typing import Any

import orjson
from django.db import models
from django.utils import timezone

from tenancy.permissions import Resource


class Result(models.TextChoices):
    """How it ended: done, refused for who asked, or not done for any other reason."""

    SUCCESS = "success"
    DENIED = "denied"
    ERROR = "error"


class AuditEntry(models.Model):
    """One deed. Names and labels are kept as they were; JSON (`before`, `after`) as the text that was
    written."""

    timestamp = models.DateTimeField("time", default=timezone.now)
    tenant = models.CharField(max_length=63, blank=True, help_text="Whose object, else whose person.")
    user_id = models.UUIDField("user id", null=True)
    actor = models.CharField(max_length=150, blank=True)
    authentication = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=16, blank=True)
    path = models.TextField(blank=True)
    action = models.CharField(max_length=20)
    kind = models.CharField(max_length=30, blank=True)
    object_id = models.CharField("id of the object", max_length=200, blank=True)
    label = models.CharField("object", max_length=300, blank=True)
    result = models.CharField(max_length=7, choices=Result.choices)
    status = models.PositiveSmallIntegerField(null=True)
    request_id = models.CharField("request id", max_length=64, blank=True)
    before = models.TextField(null=True)  # noqa: DJ001 - nothing is not ''
    after = models.TextField(null=True)  # noqa: DJ001
    reason = models.TextField(blank=True)

    resource = Resource.AUDIT

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.label}".strip()

    def facts(self) -> list[Any]:
        """Every column's value, in the order of `FIELDS`: what a seal vouches for."""
        return [getattr(self, name) for name in FIELDS]


#: Every column, in the order in which it is hashed: never to be changed, only added to at the end.
FIELDS = (
    "id", "timestamp", "tenant", "user_id", "actor", "authentication", "address", "method", "path", "action",
    "kind", "object_id", "label", "result", "status", "request_id", "before", "after", "reason",
)  # fmt: skip


def digest(facts: Iterable[Any]) -> bytes:
    """SHA-256 over an entry's columns, as JSON in the order of `FIELDS`; times in UTC to the microsecond."""
    return hashlib.sha256(orjson.dumps(list(facts), default=str, option=orjson.OPT_UTC_Z)).digest()


class AuditSeal(models.Model):
    """That these entries, and no others, were there: signed, and chained to the seal before.

    `entries` is one `Sealed` after the other, in the order of ids; NULL once all of them are pruned: what is
    signed (`statement`) still holds without it.
    """

    number = models.BigIntegerField(primary_key=True)
    from_id = models.BigIntegerField(help_text="Its entries' ids are greater.")
    to_id = models.BigIntegerField()
    count = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    entries = models.BinaryField(null=True)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of entries.")
    previous = models.BinaryField(max_length=32, help_text="SHA-256 of the statement of the seal before.")
    sealed_at = models.DateTimeField()
    key = models.CharField(max_length=40, help_text="Which key has signed.")
    signature = models.BinaryField(max_length=64)

    resource = Resource.AUDIT

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"seal {self.number}"

    def statement(self) -> bytes:
        """What is signed."""
        return orjson.dumps(
            {
                "number": self.number,
                "fromId": self.from_id,
                "toId": self.to_id,
                "count": self.count,
                "firstAt": moment(self.first_at),
                "lastAt": moment(self.last_at),
                "digest": bytes(self.digest).hex(),
                "previous": bytes(self.previous).hex(),
                "sealedAt": moment(self.sealed_at),
                "key": self.key,
            }
        )

    def hash(self) -> bytes:
        """By which the next seal, and an auditor's note of the newest, refer to this one."""
        return hashlib.sha256(self.statement()).digest()


def moment(at: datetime) -> str:
    """A time as it is signed, hashed and exported: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_SEALED = Struct(">qq32s")


def packed(sealed: Iterable[tuple[int, datetime, bytes]]) -> bytes:
    """Entries (id, time, digest) as a seal keeps them: 48 bytes each."""
    return b"".join(_SEALED.pack(id_, _micros(at), hashed) for id_, at, hashed in sealed)


def unpacked(entries: bytes) -> Iterator[tuple[int, datetime, bytes]]:
    """What `packed` packed."""
    for id_, micros, hashed in _SEALED.iter_unpack(entries):
        yield (
            id_,
            datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000),
            hashed,
        )


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
