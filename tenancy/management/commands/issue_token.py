"""`manage.py issue_token`: a bearer token, shown once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenancy.models import Token, User
from tenancy.permissions import Action
from tenancy.revocations import one_at_a_time
from tenancy.told import commanded


class Command(BaseCommand):
    """Issues a token and prints it, alone on its line; it is kept nowhere."""

    help = "Issues a bearer token for a user and prints it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--days", type=int, default=90, help="days it is good for (90; 0: for ever)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the secret."""
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}", returncode=2)
        expires = timezone.now() + timedelta(days=options["days"]) if options["days"] > 0 else None
        with one_at_a_time():
            token, secret = Token.issue(user, name=options["name"], expires_at=expires)
            commanded("issue_token", Action.CREATE, token)
        self.stdout.write(secret)
