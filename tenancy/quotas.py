"""How much a tenant may have, has, and is about to have.

    Operation ─► take()  held + amount, if used + held + amount ≤ limit   (one conditional UPDATE a quota)
    record    ─► Usage   used ± amount, with the objects themselves       (however they came)
    outcome   ─► release() held - amount

What is over its limit only refuses new things. Lock order everywhere: a Source's row, then quotas in the
order of (tenant, name).
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection, models
from django.db.models import F

from tenancy.models import Tenant
from tenancy.permissions import Resource
from tenancy.refusals import Exceeded, Unsized

POOLS, RESOURCES, CORES, MEMORY, SUBSCRIPTIONS = (
    "maxResourcePools",
    "maxResources",
    "maxCpuCores",
    "maxMemoryGb",
    "maxSubscriptions",
)
#: Of what objects of the inventory take, in this order.
NAMES = (POOLS, RESOURCES, CORES, MEMORY)
ALL = (*NAMES, SUBSCRIPTIONS)
NOTHING = (0.0,) * len(NAMES)
Amounts = Sequence[float | None]


class Quota(models.Model):
    """One of a tenant's. Rows are made when first needed, also for a tenant that is only a label so far."""

    tenant = models.ForeignKey(Tenant, models.DO_NOTHING, db_constraint=False, related_name="quotas")
    name = models.CharField(max_length=30, choices=[(name, name) for name in ALL])
    limit = models.DecimalField(
        max_digits=15, decimal_places=3, null=True, blank=True, help_text="Empty: the platform's default."
    )
    used = models.DecimalField(max_digits=15, decimal_places=3, default=0, editable=False)
    held = models.DecimalField(max_digits=15, decimal_places=3, default=0, editable=False)

    resource: ClassVar[Resource] = Resource.QUOTA

    class Meta:
        ordering = ["tenant", "name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_quota_of_a_name")]

    def __str__(self) -> str:
        return f"{self.name} of {self.tenant_id}"

    @property
    def in_force(self) -> Decimal | None:
        """The limit that counts; None: there is none."""
        return default(self.name) if self.limit is None else self.limit

    @property
    def taken(self) -> Decimal:
        """What is used, and what writes under way hold."""
        return self.used + self.held


def default(name: str) -> Decimal | None:
    """The platform's limit where a tenant has none of its own."""
    found: Decimal | None = settings.DEFAULT_QUOTAS.get(name)
    return found


def limits(tenant: str) -> dict[str, Decimal]:
    """The limits that are in force for a tenant, by name."""
    own = {quota.name: quota.in_force for quota in Quota.objects.filter(tenant_id=tenant)}
    found = {name: own.get(name, default(name)) for name in ALL}
    return {name: limit for name, limit in found.items() if limit is not None}


def set_limit(tenant: str, name: str, limit: Decimal | None) -> None:
    """From now on; None: the platform's default."""
    Quota.objects.update_or_create(tenant_id=tenant, name=name, defaults={"limit": limit})


def take(tenant: str, amounts: Amounts) -> None:
    """Holds these amounts (in the order of `NAMES`; None: nobody can tell) for a write, in its transaction.
    Raises `Exceeded`, or `Unsized` where a limit is set on what nobody can tell."""
    for name, amount in sorted(zip(NAMES, amounts, strict=False)):
        if amount is None:
            if name in limits(tenant):
                raise Unsized(name)
            continue
        if amount > 0:
            _take(tenant, name, Decimal(str(amount)))


def use(tenant: str, name: str) -> None:
    """Uses one of `name` at once, in the transaction that makes it. Raises `Exceeded`."""
    _take(tenant, name, Decimal(1), column="used")


def give_back(tenant: str, name: str) -> None:
    """One of `name` is used no longer."""
    _shift("used", [(tenant, name, Decimal(-1))])


def release(tenant: str, amounts: Amounts) -> None:
    """What was held is not any more: it is used now, or was not needed."""
    held = {name: -Decimal(str(amount)) for name, amount in zip(NAMES, amounts, strict=False) if amount}
    _shift("held", [(tenant, name, amount) for name, amount in held.items()])


def lock(tenants: Iterable[str]) -> None:
    """Keeps others from these tenants' quotas until the transaction ends."""
    rows = Quota.objects.filter(tenant_id__in=set(tenants)).order_by("tenant_id", "name")
    list(rows.select_for_update().values_list("pk"))


class Usage:
    """What comes and goes in one transaction, by tenant."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Decimal] = {}

    def add(self, tenant: str, takes: Sequence[float]) -> None:
        """Something that takes this (in the order of `NAMES`) is `tenant`'s now; '' is nobody."""
        self._count(tenant, takes, 1)

    def subtract(self, tenant: str, takes: Sequence[float]) -> None:
        """Something that took this is `tenant`'s no longer."""
        self._count(tenant, takes, -1)

    def record(self) -> None:
        """Writes the sums, in the transaction of what made them."""
        _shift("used", [(*key, amount) for key, amount in self._sums.items()])

    def _count(self, tenant: str, takes: Sequence[float], sign: int) -> None:
        for name, amount in zip(NAMES, takes, strict=False) if tenant else ():
            if amount:
                key = (tenant, name)
                self._sums[key] = self._sums.get(key, Decimal(0)) + sign * Decimal(str(amount))


def _take(tenant: str, name: str, amount: Decimal, *, column: str = "held") -> None:
    usual = default(name)
    mine = Quota.objects.filter(tenant_id=tenant, name=name)
    if not mine.exists():
        Quota.objects.bulk_create([Quota(tenant_id=tenant, name=name)], ignore_conflicts=True)
    room = models.Q(limit__isnull=False, limit__gte=F("used") + F("held") + amount)
    if usual is None or usual >= amount:
        fits = {} if usual is None else {"used__lte": usual - amount - F("held")}
        room |= models.Q(limit__isnull=True, **fits)
    if mine.filter(room).update(**{column: F(column) + amount}):
        return
    found = mine.get()
    raise Exceeded(name, limit=found.in_force or Decimal(0), used=found.taken, requested=amount)


def _shift(column: str, rows: Iterable[tuple[str, str, Decimal]]) -> None:
    rows = sorted(row for row in rows if row[2])
    if not rows:
        return
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    other = "held" if column == "used" else "used"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO tenancy_quota AS q (tenant_id, name, {column}, {other}) VALUES {values}"  # noqa: S608 - names of ours
            f" ON CONFLICT (tenant_id, name) DO UPDATE SET {column} = q.{column} + EXCLUDED.{column}",
            [value for tenant, name, amount in rows for value in (tenant, name, amount, 0)],
        )


def shown(quotas: Iterable[Quota]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A tenant's limits (null: none) and usage, as JSON."""
    own = {quota.name: quota for quota in quotas}
    limit = {name: own[name].in_force if name in own else default(name) for name in ALL}
    usage = {name: own[name].taken if name in own else Decimal(0) for name in ALL}
    return {k: _number(v) for k, v in limit.items()}, {k: _number(v) for k, v in usage.items()}


def _number(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
