"""`manage.py subscriptions`: compares Redis with the journal, repairs it, and moves subscriptions between
gateways."""

import sys
import uuid
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from subscriptions import comparison, journal, keyring, store
from subscriptions.callback import Forbidden, check_url
from subscriptions.models import Endpoint
from subscriptions.policies import Terms
from subscriptions.registry import interest
from subscriptions.subscription import Subscription
from subscriptions.told import told, wire
from tenancy.audit import Deed
from tenancy.models import Tenant
from tenancy.permissions import Action
from tenancy.refusals import Exceeded


class Command(BaseCommand):
    """verify: does Redis hold what the journal says; repair: makes it so; export, import: JSON Lines, the
    secrets sealed under `SUBSCRIPTION_KEYS`."""

    help = "Verifies, repairs, exports or imports the subscriptions."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("verify", help="exit code 1 where Redis is not what the journal says")
        parts.add_parser("repair", help="makes Redis what the journal says")
        parts.add_parser("export", help="all of them, to standard output")
        parts.add_parser(
            "import", help="those of standard input that are not there; they hear from now on, and are well"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One of the four. Raises `CommandError`."""
        try:
            getattr(self, f"_{options['what']}")()
        except store.Away as error:
            raise CommandError(f"Redis cannot be used: {error}") from error

    def _verify(self) -> None:
        found = comparison.differences()
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(f"{len(found)} differences; `subscriptions repair` makes them good.")
        self.stdout.write(f"Redis holds what the journal says, at version {store.newest()}.")

    def _repair(self) -> None:
        self.stdout.write(f"Redis is at version {store.rebuild()}.")

    def _export(self) -> None:
        reached = dict(Endpoint.objects.values_list("pk", "sequence"))
        for row in store.latest(store.newest()):
            line = {**(row.data or {}), "sequence": reached.get(row.subscription, 0)}
            self.stdout.write(orjson.dumps(line).decode())

    def _import(self) -> None:
        found = [_read(number, line) for number, line in enumerate(sys.stdin, 1)]  # all of them, or none
        made = sum(self._imported(subscription, sequence) for subscription, sequence in found)
        store.catch_up()
        self.stdout.write(f"{made} subscriptions are new.")

    def _imported(self, subscription: Subscription, sequence: int) -> bool:
        if subscription.tenant and not Tenant.objects.filter(pk=subscription.tenant).exists():
            self.stderr.write(f"{subscription.id}: there is no tenant {subscription.tenant}")
            return False
        deed = Deed.of_command("subscriptions import")
        try:
            with journal.changing():
                journal.begin(subscription, sequence)
                deed.tell(told(deed, Action.CREATE, subscription, after=wire(subscription)))
        except (journal.Duplicate, Exceeded) as error:
            self.stderr.write(f"{subscription.id}: {error}")
            return False
        return True


def _read(number: int, line: str) -> tuple[Subscription, int]:
    """The subscription of a line, and the newest `o2-sequence` that it had. Raises `CommandError`."""
    try:
        data = orjson.loads(line)
        sequence = int(data.pop("sequence", 0))
        found = Subscription.of(data)
        uuid.UUID(found.id)
        check_url(found.callback, Terms.of(found.tenant).policy)
        interest(found)
        found.signing_secrets(timezone.now())
    except keyring.Unreadable as error:
        text = f"line {number}: its secret {error}, which SUBSCRIPTION_KEYS does not name"
        raise CommandError(text) from error
    except Forbidden as error:
        raise CommandError(f"line {number}: its callback {error.reason}") from error
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise CommandError(f"line {number} is no subscription: {error!r}") from error
    return found, sequence
