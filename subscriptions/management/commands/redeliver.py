"""`manage.py redeliver`: sends once more what has ended, under the same ids."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from subscriptions import endpoint
from subscriptions.models import Delivery
from tenancy.audit import Deed
from tenancy.permissions import Action, Resource


class Command(BaseCommand):
    """Of one subscription, or (only dead letters) of all."""

    help = "Sends deliveries once more: dead letters, or what a subscriber has lost."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("subscription", nargs="?", default="", help="its id; without: --dead of all")
        parser.add_argument("--dead", action="store_true", help="dead letters only")
        parser.add_argument(
            "--after", type=int, default=None, help="only those with a greater o2-sequence; 0: all"
        )
        parser.add_argument("--until", type=int, default=None, help="only those up to this o2-sequence")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each subscription. Raises `CommandError`."""
        if not options["subscription"] and not options["dead"]:
            raise CommandError("Name a subscription, or say --dead for the dead letters of all.")
        if not options["dead"] and options["after"] is None and options["until"] is None:
            raise CommandError("Say which: --dead, --after, --until. --after 0 is everything.")
        rows = Delivery.objects.filter(sequence__gt=options["after"] or 0)
        if options["until"] is not None:
            rows = rows.filter(sequence__lte=options["until"])
        rows = rows.filter(state=Delivery.State.DEAD) if options["dead"] else rows
        ids = self._ids(options["subscription"], rows)
        if not ids:
            self.stdout.write("There are no dead letters.")
        for id_ in ids:
            deed = Deed.of_command("redeliver")
            waiting = rows.filter(subscription=id_, state=Delivery.State.WAITING).count()

            def told(count: int, id_: str = id_, deed: Deed = deed) -> None:
                after = {"replayed": count}
                deed.tell(deed.entry(Action.UPDATE, Resource.SUBSCRIPTION, id_, after=after))

            try:
                count = endpoint.replay(id_, rows, told)
            except endpoint.NoEndpoint as error:
                raise CommandError(f"There is no subscription {id_}.") from error
            words = "1 delivery is on its way" if count == 1 else f"{count} deliveries are on their way"
            also = f"; of those meant, {waiting} waited already" if waiting else ""
            self.stdout.write(f"{id_}: {words}{also}.")

    @staticmethod
    def _ids(wanted: str, rows: Any) -> list[str]:
        if not wanted:
            found = rows.order_by("subscription").values_list("subscription", flat=True).distinct()
            return [str(id_) for id_ in found]
        try:
            return [str(uuid.UUID(wanted))]
        except ValueError as error:
            raise CommandError(f"{wanted!r} is no id of a subscription.") from error
