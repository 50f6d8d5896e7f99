"""Deliveries as they are shown: with the very notification that is sent."""

from collections.abc import Sequence
from typing import Any

import orjson

from subscriptions.event import Event, events
from subscriptions.models import Delivery
from subscriptions.notification import Writer, test_body, test_id, webhook_id
from subscriptions.representation import delivery
from subscriptions.subscription import Subscription


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


def _id(what: Event, to: Subscription) -> str:
    return webhook_id(what.source, what.sequence, to.id)
