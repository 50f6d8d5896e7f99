"""The subscriptions as the journal tells them, and every change of one: the journal first, then Redis.

    write ─► lock ─► Endpoint, Lanes, quota, Journal, audit ─► commit ─► Redis ─┬► the answer
                                                                                └► away: taken back, 503

The lock is held shared by the fan-out: what commits before it is in its matcher; what commits after it was
born after the changes it matches.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import IntegrityError, connection, transaction
from django.db.models import Max, Q

from o2ims.models import Source
from subscriptions import store
from subscriptions.models import LANES, Delivery, Endpoint, Journal, Lane
from subscriptions.statements import Ask
from subscriptions.subscription import Subscription
from tenancy import quotas

SUBSCRIBING = 0x6E77_7375  # the advisory lock

Told = Callable[[], None]
"""Has the audit trail tell it, in the transaction."""


class Duplicate(Exception):
    """There is a subscription of the same callback and filter already; `id` is its."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"is the same as subscription {id_}")
        self.id = id_


class Ended(Exception):
    """The subscription has just ended, or has changed since it was read."""


@contextmanager
def changing() -> Iterator[None]:
    """Keeps the fan-out and other changes away until the transaction ends."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SUBSCRIBING])
        yield


def lock_shared(ask: Ask) -> None:
    """Keeps changes away until the transaction ends."""
    ask("SELECT pg_advisory_xact_lock_shared(%s)", [SUBSCRIBING])


def add(subscription: Subscription, told: Told) -> Subscription:
    """A new subscription, which hears of what happens from now on. Raises `Duplicate`, `quotas.Exceeded` and
    `store.Away`: then there is none."""
    store.catch_up()  # before anything is written: away is away
    with changing():
        made = begin(subscription)
        told()
    _store_or(lambda: _undo_add(made))
    return made


def begin(subscription: Subscription, sequence: int = 0) -> Subscription:
    """Writes a new one, within `changing`; as it was born. Where it comes back (an import), its numbers go on
    after `sequence` and whatever is left of its life before. Raises `Duplicate` and `quotas.Exceeded`."""
    born = {str(pk): at for pk, at in Source.objects.values_list("pk", "last_sequence")}
    subscription = replace(subscription, born=born)
    tenant = subscription.tenant or ""
    same = Endpoint.objects.filter(Q(key=subscription.key) | Q(pk=subscription.id))
    there = same.values_list("pk", flat=True).first()
    if there is not None:
        raise Duplicate(str(there))
    if subscription.tenant:
        quotas.use(subscription.tenant, quotas.SUBSCRIPTIONS)
    left = Delivery.objects.filter(subscription=subscription.id)
    sequence = max(sequence, left.aggregate(last=Max("sequence"))["last"] or 0)
    left.delete()  # as retention would, which does not know that it has ended once
    endpoint = Endpoint.objects.create(
        pk=subscription.id, tenant=tenant, key=subscription.key, sequence=sequence
    )
    Lane.objects.bulk_create(Lane(endpoint=endpoint, number=number, tenant=tenant) for number in range(LANES))
    _append(subscription)
    return subscription


def change(subscription: Subscription, was: Subscription, told: Told) -> None:
    """`subscription` instead of what it `was`. Raises `Duplicate`, `Ended` and `store.Away`: then it is as it
    was."""
    store.catch_up()
    with changing():
        if current(subscription.id) != was:
            raise Ended
        try:
            with transaction.atomic():
                Endpoint.objects.filter(pk=subscription.id).update(key=subscription.key)
        except IntegrityError as error:
            other = Endpoint.objects.filter(key=subscription.key).values_list("pk", flat=True).first()
            raise Duplicate(str(other)) from error
        _append(subscription)
        told()
    _store_or(lambda: _undo_change(was))


def end(subscription: Subscription, told: Told) -> None:
    """The subscription ends: nothing is sent any more. Raises `Ended`, and `store.Away`: then it goes on.
    Where Redis goes away in between, it has ended: what guards it has forgotten it."""
    store.catch_up()
    with changing():
        if not _remove(subscription):
            raise Ended
        told()
    try:
        store.catch_up()
    except store.Away:
        return  # the next one who reads it brings it up


def end_all(tenant: str, told: Callable[[Subscription], None]) -> None:
    """All of a tenant end, in the caller's transaction; Redis has to be brought up after it. Each is told."""
    with changing():
        for id_ in Endpoint.objects.filter(tenant=tenant).order_by("pk").values_list("pk", flat=True):
            subscription = current(str(id_))
            if subscription is not None and _remove(subscription):
                told(subscription)


def current(id_: str) -> Subscription | None:
    """The subscription as it is now, by the journal."""
    row = Journal.objects.filter(subscription=id_).order_by("-version").first()
    return None if row is None or row.data is None else Subscription.of(row.data)


def kept(ids: Iterable[str]) -> list[Subscription]:
    """The subscriptions of these ids that are there, in their order, as the journal has them."""
    return [one for id_ in ids if (one := current(id_)) is not None]


def everything(since: int) -> tuple[int, list[tuple[str, Subscription | None]]]:
    """The newest version, and what has changed after version `since`: the ids with what they are now."""
    wanted = store.newest()
    if wanted == since:
        return wanted, []
    rows = Journal.objects.filter(version__gt=since, version__lte=wanted)
    newest = rows.order_by("subscription", "-version").distinct("subscription")
    return wanted, [
        (str(row.subscription), None if row.data is None else Subscription.of(row.data)) for row in newest
    ]


def _append(subscription: Subscription) -> None:
    Journal.objects.create(
        subscription=subscription.id, tenant=subscription.tenant or "", data=subscription.data()
    )


def _remove(subscription: Subscription) -> bool:
    """Takes it out; whether it was there. Its deliveries go later (`subscriptions/retention.py`)."""
    endpoint = Endpoint.objects.select_for_update().filter(pk=subscription.id).first()
    if endpoint is None:
        return False
    # Locked before its lanes, and they in their order, as by everybody.
    list(Lane.objects.select_for_update().filter(endpoint=endpoint).order_by("pk"))
    endpoint.delete()
    if subscription.tenant:
        quotas.give_back(subscription.tenant, quotas.SUBSCRIPTIONS)
    Journal.objects.create(subscription=subscription.id, tenant=subscription.tenant or "", data=None)
    return True


def _store_or(undo: Callable[[], None]) -> None:
    try:
        store.catch_up()
    except store.Away:
        undo()
        raise


def _undo_add(subscription: Subscription) -> None:
    with changing():
        _remove(subscription)


def _undo_change(was: Subscription) -> None:
    with changing():
        if Endpoint.objects.filter(pk=was.id).update(key=was.key):
            _append(was)
