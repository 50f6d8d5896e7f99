"""`manage.py migrate`: Django's, as the owner of the database rather than the application's login."""

from django.core.management.base import CommandParser
from django.core.management.commands import migrate


class Command(migrate.Command):
    """Connects with MIGRATE_DATABASE_URL; the role of DATABASE_URL gets its grants in the migrations."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's own, with another default database."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
