"""`manage.py recount_quotas`: counts again what tenants use and hold, and sets right what is not so."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from o2ims.models import Item, Operation
from subscriptions.models import Endpoint
from tenancy.quotas import NAMES, SUBSCRIPTIONS, Quota

Sums = dict[tuple[str, str], Decimal]


class Command(BaseCommand):
    """Nothing is stopped for it: writes to quotas wait a moment."""

    help = "Counts again what tenants use of their quotas; says what was wrong, and repairs it."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each that was wrong."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE tenancy_quota IN SHARE ROW EXCLUSIVE MODE")
            used = _sums(Item.objects.filter(deleted_at__isnull=True).values_list("tenant", "takes"))
            for tenant in Endpoint.objects.exclude(tenant="").values_list("tenant", flat=True):
                used[tenant, SUBSCRIPTIONS] += 1
            held = _sums(Operation.objects.exclude(held=[]).values_list("tenant", "held"))
            wrong = self._repaired(used, held)
        self.stdout.write(f"{wrong or 'nothing'} was wrong.")

    def _repaired(self, used: Sums, held: Sums) -> int:
        wrong = 0
        there = {(quota.tenant_id, quota.name): quota for quota in Quota.objects.all()}
        for key in sorted({*there, *used, *held}):
            quota = there.get(key) or Quota(tenant_id=key[0], name=key[1])
            if (quota.used, quota.held) == (used[key], held[key]):
                continue
            wrong += 1
            self.stdout.write(
                f"{key[0]} {key[1]}: used {quota.used:f}, is {used[key]:f};"
                f" held {quota.held:f}, is {held[key]:f}"
            )
            quota.used, quota.held = used[key], held[key]
            quota.save()
        return wrong


def _sums(rows: Any) -> Sums:
    found: Sums = defaultdict(Decimal)
    for tenant, amounts in rows.iterator(chunk_size=5000):
        for name, amount in zip(NAMES, amounts, strict=False) if tenant else ():
            found[tenant, name] += Decimal(str(amount))
    return found
