"""`manage.py add_tenant`: a tenant, made once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy.models import Tenant
from tenancy.permissions import Action
from tenancy.revocations import one_at_a_time
from tenancy.told import commanded


class Command(BaseCommand):
    """Adds a tenant; one that exists is left as it is."""

    help = "Adds a tenant. Its id is the value of the label o2ims.oran.org/tenant on what belongs to it."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("id", help="lower-case letters, digits and hyphens")
        parser.add_argument("--name", default="", help="for people")

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what is there now."""
        if Tenant.objects.filter(pk=options["id"]).exists():
            self.stdout.write(f"tenant {options['id']} exists already")
            return
        tenant = Tenant(id=options["id"], name=options["name"] or options["id"])
        try:
            tenant.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages), returncode=2) from error
        with one_at_a_time():
            tenant.save()
            commanded("add_tenant", Action.CREATE, tenant)
        self.stdout.write(f"tenant {tenant.id} added")
