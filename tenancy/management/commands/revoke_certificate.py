"""`manage.py revoke_certificate`: a client certificate is good no longer, on open connections either."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy import certificates
from tenancy.models import User
from tenancy.permissions import Action
from tenancy.revocations import one_at_a_time
from tenancy.told import commanded, wire
from tenancy.trust import Certificate, fingerprint


class Command(BaseCommand):
    """Refuses one certificate that was used here."""

    help = "Refuses a client certificate for good, on running processes within seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("certificate", help="its SHA-256 fingerprint, or a file that holds it as PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Marks the row."""
        given = options["certificate"]
        if Path(given).is_file():
            given = self._noted(Path(given))
        row = Certificate.objects.filter(fingerprint=given.replace(":", "").lower()).first()
        if row is None:
            raise CommandError("it was not used here, and names nobody", returncode=2)
        with one_at_a_time():
            before = wire(row)
            row.revoke()
            commanded("revoke_certificate", Action.DELETE, row, before=before)
        self.stdout.write(f"revoked: {row}")

    def _noted(self, path: Path) -> str:
        """The fingerprint of a certificate that has a row now, also if it was never used."""
        try:
            found = certificates.read(path.read_bytes())
            if not Certificate.objects.filter(fingerprint=fingerprint(found)).exists():
                named = certificates.Grammar.of_settings().named(found)
                for user in User.objects.filter(username=named.username, tenant=named.tenant):
                    Certificate.note(found, user)
        except certificates.Unmapped as error:
            raise CommandError(f"{path}: {error}", returncode=2) from error
        return fingerprint(found)
