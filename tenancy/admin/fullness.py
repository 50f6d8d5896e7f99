"""How full quotas are: which of them are nearly used up, and a bar that shows it."""

from decimal import Decimal

from django.db.models import F, Q, QuerySet
from django.utils.html import format_html

from tenancy.quotas import Quota, default

NEARLY = Decimal("0.8")


def nearly_full(quotas: QuerySet[Quota]) -> QuerySet[Quota]:
    """Those of which more than 80 % are taken."""
    taken = F("used") + F("held")
    found = Q(limit__isnull=False) & Q(limit__lt=taken / NEARLY)
    for name, _ in Quota._meta.get_field("name").choices or ():
        usual = default(str(name))
        if usual is not None:
            found |= Q(limit__isnull=True, name=name, used__gt=usual * NEARLY - F("held"))
    return quotas.filter(found)


def is_nearly_full(quota: Quota) -> bool:
    """The same of one of them."""
    limit = quota.in_force
    return limit is not None and quota.taken > limit * NEARLY


def bar_of(quota: Quota) -> str:
    """How much of it is taken: a bar and the numbers, or, where there is no limit, a number."""
    limit, taken = quota.in_force, quota.taken
    numbers = [f"{amount.normalize():f}" for amount in (taken, limit) if amount is not None]
    if not limit:
        return " of ".join(numbers)
    share = min(Decimal(1), taken / limit)
    full = "full" if taken >= limit else "nearly" if share > NEARLY else "roomy"
    return format_html(
        '<svg class="quota quota-{}" width="120" height="10" role="img" aria-label="{}">'
        '<rect width="120" height="10"/><rect class="taken" width="{}" height="10"/></svg> {}',
        full,
        " of ".join(numbers),
        int(120 * share),
        " of ".join(numbers),
    )
