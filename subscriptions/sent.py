"""Deliveries as they are shown: with the very notification that is sent."""

from collections.abc import Sequence
from typing import Any

import orjson

from api.pages import LIMIT, PageError, PageRequest
from subscriptions.event import Event, events
from subscriptions.models import Delivery
from subscriptions.notification import Writer, test_body, test_id, webhook_id
from subscriptions.representation import delivery
from subscriptions.subscription import Subscription

AFTER, STATE = "after", "state"


class Sent:
    """`rows`, all of one subscription, with the changes they tell of."""

    def __init__(self, to: Subscription, rows: Sequence[Delivery]) -> None:
        self._to, self._rows, self._writer = to, rows, Writer()
        self._changes = events({row.change_id for row in rows if row.change_id is not None})

    def id_of(self, row: Delivery) -> str:
        """The `webhook-id` of a delivery."""
        what = self.change(row)
        return test_id(self._to.id, row.sequence) if what is None else _id(what, self._to)

    def change(self, row: Delivery) -> Event | None:
        """What a delivery tells of; None: nothing, it is a test."""
        return self._changes.get(row.change_id)

    def body(self, row: Delivery) -> bytes:
        """What is sent, byte for byte."""
        what = self.change(row)
        if what is None:
            return test_body(self._to, self.id_of(row))
        return self._writer.write(self._to, what, _id(what, self._to))[0]

    def wires(self) -> list[dict[str, Any]]:
        """The deliveries on the wire."""
        return [delivery(row, self.id_of(row), orjson.loads(self.body(row))) for row in self._rows]


def page(to: Subscription, wanted: PageRequest) -> tuple[Sequence[Delivery], bool]:
    """The wanted page of what is sent to `to`, by `o2-sequence`, and whether anything follows it. Raises
    `PageError`."""
    query = {name: values for name, values in wanted.query.items() if name != LIMIT}
    for name, values in query.items():
        if name not in {AFTER, STATE}:
            raise PageError(name, f"is not known here; there are {AFTER}, {STATE}, {LIMIT}")
        if len(values) > 1:
            raise PageError(name, "may be given once")
    after = query.get(AFTER, ["0"])[0]
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise PageError(AFTER, "must be a sequence: a whole number")
    state = query.get(STATE, [""])[0]
    if state and state not in Delivery.State.values:
        raise PageError(STATE, f"must be one of {', '.join(Delivery.State.values)}")
    rows = Delivery.objects.filter(subscription=to.id, sequence__gt=int(wanted.after or after))
    rows = rows.filter(state=state) if state else rows
    skip = (wanted.number - 1) * wanted.limit
    found = list(rows.order_by("sequence")[skip : skip + wanted.limit + 1])
    return found[: wanted.limit], len(found) > wanted.limit


def _id(what: Event, to: Subscription) -> str:
    return webhook_id(what.source, what.sequence, to.id)
