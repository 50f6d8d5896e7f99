"""`manage.py trust_issuer`: which CA may issue client certificates for a tenant's people."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy import certificates
from tenancy.models import Tenant
from tenancy.permissions import Action
from tenancy.refusals import Unfit
from tenancy.revocations import one_at_a_time
from tenancy.told import commanded, wire
from tenancy.trust import Issuer, fingerprint


class Command(BaseCommand):
    """Believes a CA about one tenant, or no longer."""

    help = "Believes the client certificates of a CA about one tenant's people (or the platform's)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path, help="the CA's certificate, as PEM")
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--tenant", default="", help="whose people it speaks for")
        whose.add_argument("--platform", action="store_true", help="it speaks for the platform's people")
        parser.add_argument("--remove", action="store_true", help="believe it no longer")

    def handle(self, *args: Any, **options: Any) -> None:
        """Makes or deletes the row."""
        tenant = None if options["platform"] else Tenant.objects.filter(pk=options["tenant"]).first()
        if tenant is None and not options["platform"]:
            raise CommandError(f"there is no tenant {options['tenant']}", returncode=2)
        try:
            pem = options["file"].read_text(encoding="ascii")
            found = certificates.read(pem.encode())
        except (OSError, ValueError, certificates.Unmapped) as error:
            raise CommandError(f"{options['file']}: {error}", returncode=2) from error
        known = Issuer.objects.filter(tenant=tenant, fingerprint=fingerprint(found)).first()
        if options["remove"]:
            if known is None:
                raise CommandError("it is not believed anyway", returncode=2)
            with one_at_a_time():
                before = wire(known)
                known.delete()
                commanded("trust_issuer", Action.DELETE, known, before=before)
            return
        if known is not None:
            return
        try:
            issuer = Issuer(tenant=tenant, pem=pem)
            with one_at_a_time():
                issuer.save()
                commanded("trust_issuer", Action.CREATE, issuer)
        except Unfit as error:
            raise CommandError(f"{options['file']} {error.detail}", returncode=2) from error
        self.stdout.write(f"{issuer}")
