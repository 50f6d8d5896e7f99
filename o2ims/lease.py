"""Who collects a source now. A lease only saves work: what keeps a second collector or a paused old one
harmless is the epoch, which rises with each new owner and is checked inside every transaction of
`o2ims/record.py`. Times are Postgres's. What else a worker holds meanwhile is in `o2ims/locks.py`.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from o2ims.models import Source

DURATION = timedelta(seconds=8)
RENEW_DEADLINE = 5.0
RETRY_SECONDS = 1.0


class Lost(Exception):
    """The lease is somebody else's now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One source in one owner's hands."""

    source_id: int
    owner: str
    epoch: int

    @staticmethod
    def is_free(source_id: int) -> bool:
        """Whether `acquire` would have it now."""
        return _free(source_id).exists()

    @classmethod
    def acquire(cls, source_id: int, owner: str) -> "Lease | None":
        """Takes the source if nobody holds it: one conditional UPDATE."""
        taken = _free(source_id).update(owner=owner, epoch=F("epoch") + 1, lease_expires_at=Now() + DURATION)
        if not taken:
            return None
        row = Source.objects.filter(pk=source_id, owner=owner).values_list("epoch", flat=True).first()
        return None if row is None else cls(source_id, owner, row)

    def renew(self) -> None:
        """Holds on for another `DURATION`. Raises `Lost`."""
        held = Source.objects.filter(
            pk=self.source_id, owner=self.owner, epoch=self.epoch, retired_at__isnull=True
        )
        if not held.update(lease_expires_at=Now() + DURATION):
            raise Lost

    def release(self) -> None:
        """Lets go at once, so that the next owner need not wait."""
        Source.objects.filter(pk=self.source_id, owner=self.owner, epoch=self.epoch).update(
            owner="", lease_expires_at=None
        )


def _free(source_id: int) -> QuerySet[Source]:
    free = Q(owner="") | Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now())
    return Source.objects.filter(free, pk=source_id, retired_at__isnull=True)
