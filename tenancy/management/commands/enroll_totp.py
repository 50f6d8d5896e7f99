"""`manage.py enroll_totp`: the second factor of somebody who signs in to the admin site."""

from typing import Any

import qrcode
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy import second_factor
from tenancy.models import User
from tenancy.permissions import Action
from tenancy.revocations import one_at_a_time
from tenancy.told import commanded, wire


class Command(BaseCommand):
    """Makes a key for an authenticator app, and backup codes; both are shown this once."""

    help = (
        "Makes the key of one of the platform's people for an authenticator app, as an otpauth: address and"
        " as a QR code, and backup codes. They are shown this once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("username")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="end the key and the codes that there are, and their sessions",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what to put into the app."""
        username = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"there is no user {username}", returncode=2)
        if user.tenant_id is not None:
            raise CommandError(
                f"{username} is of tenant {user.tenant_id}: only the platform's people sign in", returncode=2
            )
        if second_factor.enrolled(user) and not options["replace"]:
            raise CommandError(f"{username} has a second factor: --replace ends it", returncode=2)
        with one_at_a_time():
            address, codes = second_factor.enrol(user)
            commanded("enroll_totp", Action.UPDATE, user, before=wire(user))
        self.stdout.write(f"For the app of {username}, to scan or to type:\n{address}\n")
        picture = qrcode.QRCode(border=2)
        picture.add_data(address)
        picture.print_ascii(out=self.stdout, invert=True)
        self.stdout.write("Backup codes, each good once, to keep apart from the app:")
        self.stdout.write("\n".join(f"  {code}" for code in codes))
