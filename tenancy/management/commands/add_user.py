"""`manage.py add_user`: somebody who may call the API, or sign in to the admin site."""

import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy.models import Binding, Role, Tenant, User
from tenancy.permissions import Action
from tenancy.refusals import Refused
from tenancy.revocations import one_at_a_time
from tenancy.roles import BUILT_IN, OF_TENANTS, OWNER, SYSTEM
from tenancy.told import commanded


class Command(BaseCommand):
    """Adds a user of a tenant (`alice@acme`) or, with a role of the platform, one of the platform's."""

    help = (
        "Adds a user, with roles. Without --role, the first user of a tenant becomes its Owner, who lets in "
        "the others, and later ones Viewer. With --password-stdin, the platform's people can sign in at "
        "/admin/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("username", help="alice@acme for a tenant's user, root for one of the platform's")
        parser.add_argument("--tenant", help="the tenant's id (default: what follows the @)")
        parser.add_argument("--email", default="")
        parser.add_argument(
            "--role",
            action="append",
            default=[],
            dest="roles",
            metavar="ROLE",
            help=f"may be repeated; of tenants: {', '.join(OF_TENANTS)} or one of its own; "
            f"of the platform: {', '.join(SYSTEM)}",
        )
        parser.add_argument("--admin", action="store_true", help="the same as --role PlatformAdmin")
        parser.add_argument("--auditor", action="store_true", help="the same as --role Auditor")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what was added."""
        username = options["username"]
        names = [
            *options["roles"],
            *(["PlatformAdmin"] if options["admin"] else []),
            *(["Auditor"] if options["auditor"] else []),
        ]
        platform = bool(set(names) & set(SYSTEM))
        tenant = None if platform else self._tenant(options["tenant"] or username.partition("@")[2])
        user = User(username=username, tenant=tenant, email=options["email"])
        user.set_unusable_password()
        if options["password_stdin"]:
            user.set_password(sys.stdin.readline().rstrip("\n"))
        try:
            user.full_clean(exclude=["password"])
            with one_at_a_time():
                roles = [self._role(name, tenant) for name in dict.fromkeys(names or [_usual(tenant)])]
                user.save()
                for role in roles:
                    Binding(user=user, role=role).save()
                commanded("add_user", Action.CREATE, user)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages), returncode=2) from error
        except Refused as error:
            raise CommandError(str(error), returncode=2) from error
        where = f" to tenant {tenant}" if tenant else ""
        self.stdout.write(f"user {username} added{where} as {', '.join(role.name for role in roles)}")

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

    @staticmethod
    def _role(name: str, tenant: Tenant | None) -> Role:
        if name in BUILT_IN:
            return Role.built_in(name)
        role = Role.objects.filter(tenant=tenant, name=name).first() if tenant else None
        if role is None:
            raise CommandError(f"there is no role {name}; {', '.join(BUILT_IN)} are built in", returncode=2)
        return role


def _usual(tenant: Tenant | None) -> str:
    """The role of somebody for whom none was named."""
    return "Viewer" if User.objects.filter(tenant=tenant).exists() else OWNER
