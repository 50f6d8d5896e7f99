"""Forgetting what is old in the audit trail, as the owner of the database: by whole days, only what is
sealed. The seals stay; that it was pruned is an entry itself."""

import re
from datetime import UTC, datetime, time

from django.db import connections, transaction
from django.db.models import Max

from tenancy.audit import Deed, append
from tenancy.proof import PRUNE
from tenancy.refusals import Refused
from tenancy.trail import AuditEntry, AuditSeal, moment

OWNER = "owner"
_DAY = re.compile(r"tenancy_auditentry_(\d{8})\Z")


class NotSealed(Refused):
    """Some of it is not sealed yet."""


def prune(before: datetime, deed: Deed) -> int:
    """Removes the entries of all days (UTC) before that of `before`. Returns how many; raises `NotSealed`."""
    day = datetime.combine(before.astimezone(UTC).date(), time(), UTC)
    with transaction.atomic(using=OWNER):
        old = AuditEntry.objects.using(OWNER).filter(timestamp__lt=day)
        sealed = AuditSeal.objects.using(OWNER).aggregate(through=Max("to_id"))["through"] or 0
        if old.filter(id__gt=sealed).exists():
            raise NotSealed(f"Not everything before {day.date()} is sealed yet: is a worker running?")
        count = old.count()
        for partition in _partitions():
            if _DAY.match(partition) and partition < f"tenancy_auditentry_{day:%Y%m%d}":
                with connections[OWNER].cursor() as cursor:
                    cursor.execute(f"DROP TABLE {connections[OWNER].ops.quote_name(partition)}")
        old.delete()  # what the default partition has
        AuditSeal.objects.using(OWNER).filter(last_at__lt=day).update(entries=None)
        pruned = {"before": moment(day), "entries": count}
        append([deed.entry(PRUNE, "Audit", after=pruned)], using=OWNER)
    return count


def _partitions() -> list[str]:
    with connections[OWNER].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
            " WHERE inhparent = 'tenancy_auditentry'::regclass"
        )
        return [name for (name,) in cursor.fetchall()]
