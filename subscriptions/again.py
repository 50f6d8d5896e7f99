"""What has ended and is to be sent once more, of many subscriptions: counted first, then done one
subscription after the other, each in its own transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from subscriptions import endpoint
from subscriptions.models import Delivery, Endpoint

MOST = 100_000  # at once


@dataclass(frozen=True, slots=True)
class Many:
    """How many deliveries, of which subscriptions (by id), are meant; `waiting` of the selection are not,
    for they are tried anyway."""

    of: dict[str, int]
    waiting: bool

    @property
    def deliveries(self) -> int:
        """All of them."""
        return sum(self.of.values())

    @property
    def words(self) -> str:
        """What will happen."""
        what = "1 notification" if self.deliveries == 1 else f"{self.deliveries} notifications"
        whom = "1 subscriber" if len(self.of) == 1 else f"{len(self.of)} subscribers"
        return f"Send {what} again to {whom}"


def chosen(subscription: str, conditions: Mapping[str, Any]) -> QuerySet[Delivery]:
    """Those deliveries of one subscription."""
    return Delivery.objects.filter(subscription=subscription, **conditions)


def counted(rows: QuerySet[Delivery]) -> Many:
    """How many of `rows` have ended, of subscriptions that have not."""
    ended = rows.exclude(state=Delivery.State.WAITING).filter(subscription__in=Endpoint.objects.values("pk"))
    counts = ended.order_by().values_list("subscription").annotate(Count("pk"))
    waiting = rows.filter(state=Delivery.State.WAITING).exists()
    return Many({str(id_): count for id_, count in counts}, waiting)


def send(many: Many, rows: QuerySet[Delivery], told: Callable[[str, int], None]) -> tuple[int, int]:
    """Sends them again; `told` is called with each subscription and its number, in its transaction. Returns
    how many went, and to how many subscriptions: one that has ended meanwhile is passed over."""
    deliveries = subscriptions = 0
    for id_ in sorted(many.of):
        try:
            deliveries += endpoint.replay(id_, rows, lambda count, to=id_: told(to, count))  # type: ignore[misc]
        except endpoint.NoEndpoint:
            continue
        subscriptions += 1
    return deliveries, subscriptions
