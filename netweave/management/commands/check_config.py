"""`manage.py check_config FILE`: is this configuration one the gateway would take?"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from adapters.configuration import ConfigurationError, load
from adapters.registry import IMS


class Command(BaseCommand):
    """Checks a gateway.yaml without reaching out to any backend."""

    help = "Checks a gateway.yaml; says the line that is wrong and exits with 2."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per backend, or the fault."""
        try:
            configuration = load(options["file"])
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"O-Cloud {configuration.o_cloud.id}")
        for backend in configuration.backends:
            state = "enabled" if backend.enabled else "disabled"
            known = (
                ""
                if backend.kind in IMS
                else f": this release has no type {backend.kind}; it will be a failed source"
            )
            self.stdout.write(f"{backend.name}: {backend.kind}, {state}{known}")
