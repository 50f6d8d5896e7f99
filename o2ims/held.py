"""What writes under way hold of quotas, and when they let go of it: with their outcome, or as soon as what
they make is seen, since from then on it is used.
"""

from collections.abc import Collection, Iterable

from django.db.models import QuerySet

from o2ims.models import Operation
from o2ims.sighting import Sighting
from tenancy import quotas


def let_go(rows: QuerySet[Operation], *, beside: Collection[str] = ()) -> None:
    """Nothing of it is held any more, in the caller's transaction, which is to change the quotas of the
    tenants `beside` too: all are locked at once, in their order."""
    holding = rows.exclude(held=[])
    tenants = set(holding.values_list("tenant", flat=True))
    if not tenants:
        return
    quotas.lock(tenants | set(beside))
    for tenant, held in holding.select_for_update().values_list("tenant", "held"):
        quotas.release(tenant, held)
    holding.update(held=[])


def arrived(source: int, new: Iterable[Sighting], *, beside: Collection[str]) -> None:
    """What is seen for the first time may be what a write is making: its place is used now, and not held
    besides. It is known by the name that it was given."""
    names: dict[str, list[str]] = {}
    for sighting in new:
        names.setdefault(sighting.kind, []).append(sighting.body["name"])
    for kind, given in names.items():
        making = Operation.objects.filter(
            source_id=source,
            kind=kind,
            action=Operation.Action.CREATE,
            state=Operation.State.STARTED,
            native_name__in=given,
        )
        let_go(making, beside=beside)
