"""What is forgotten in time: tombstones after an hour, changes and operations after a week."""

import structlog
from django.conf import settings
from django.db.models import Exists, Q
from django.db.models.functions import Now

from o2ims.models import Change, Item, Operation

log = structlog.get_logger()

BATCH = 5000


def tidy(needed: Q | Exists | None = None) -> int:
    """Deletes what is old enough, in small transactions; no Change that is still `needed`. Returns how many
    rows."""
    tombstones = Item.objects.filter(deleted_at__lt=Now() - settings.TOMBSTONE_RETENTION)
    deleted, _ = tombstones.delete()
    over = Operation.objects.filter(ended_at__lt=Now() - settings.CHANGE_RETENTION)
    deleted += over.delete()[0]
    while True:
        old = Change.objects.filter(at__lt=Now() - settings.CHANGE_RETENTION)
        old = old if needed is None else old.exclude(needed)
        ids = list(old.values_list("id", flat=True)[:BATCH])
        count, _ = Change.objects.filter(id__in=ids).delete()
        deleted += count
        if count < BATCH:
            break
    if deleted:
        log.info("tidied", rows=deleted)
    return deleted
