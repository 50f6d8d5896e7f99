"""`manage.py add_user`: somebody who may call the API, or sign in to the admin site."""

import sys
from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy.models import Tenant, User


class Command(BaseCommand):
    """Adds a user of a tenant (`alice@acme`) or, with --admin or --auditor, one of the platform's."""

    help = "Adds a user. With --password-stdin, platform people can sign in to /admin/."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("username", help="alice@acme for a tenant's user, root for one of the platform's")
        parser.add_argument("--tenant", help="the tenant's id (default: what follows the @)")
        parser.add_argument("--email", default="")
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--admin", action="store_true", help="platform admin: may do everything at /admin/")
        kind.add_argument(
            "--auditor", action="store_true", help="platform auditor: may read everything at /admin/"
        )
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what was added."""
        username = options["username"]
        platform = options["admin"] or options["auditor"]
        tenant = None if platform else self._tenant(options["tenant"] or username.partition("@")[2])
        user = User(
            username=username,
            tenant=tenant,
            email=options["email"],
            is_staff=platform,
            is_superuser=options["admin"],
        )
        user.set_unusable_password()
        if options["password_stdin"]:
            user.set_password(sys.stdin.readline().rstrip("\n"))
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages), returncode=2) from error
        user.save()
        if options["auditor"]:
            user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        self.stdout.write(f"user {username} added" + (f" to tenant {tenant}" if tenant else ""))

    @staticmethod
    def _tenant(id_: str) -> Tenant:
        if not id_:
            raise CommandError(
                "name the tenant: alice@acme, or --tenant acme; or --admin, --auditor", returncode=2
            )
        tenant = Tenant.objects.filter(pk=id_).first()
        if tenant is None:
            raise CommandError(f"there is no tenant {id_}; add_tenant makes one", returncode=2)
        return tenant
