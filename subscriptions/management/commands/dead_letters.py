"""`manage.py dead_letters`: what was given up, and why."""

from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandParser

from subscriptions.models import Delivery


class Command(BaseCommand):
    """One line for each, the newest first."""

    help = "Lists the deliveries that were given up."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--subscription", default="", help="only those of this one")
        parser.add_argument("--limit", type=int, default=1000)
        parser.add_argument("--json", action="store_true", help="JSON Lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """The lines."""
        rows = Delivery.objects.filter(state=Delivery.State.DEAD).select_related("change").order_by("-id")
        if options["subscription"]:
            rows = rows.filter(subscription=options["subscription"])
        for row in rows[: options["limit"]]:
            facts = {
                "subscription": str(row.subscription),
                "sequence": row.sequence,
                "endedAt": row.ended_at,
                "outcome": row.outcome,
                "status": row.status,
                "event": f"{row.change.type} {row.change.kind} {row.change.object_id}"
                if row.change
                else "test",
            }
            line = orjson.dumps(facts).decode() if options["json"] else _line(facts)
            self.stdout.write(line)


def _line(facts: dict[str, Any]) -> str:
    status = f" {facts['status']}" if facts["status"] else ""
    return (
        f"{facts['endedAt']:%Y-%m-%dT%H:%M:%SZ} {facts['subscription']} {facts['sequence']}"
        f" {facts['outcome']}{status} {facts['event']}"
    )
