"""`manage.py worker`: the process that collects."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from netweave import eviction, exposure, serving


class Command(BaseCommand):
    """Follows the sources; any number may run, each source has one owner at a time."""

    help = "Collects the sources of the configuration; operations (/metrics, /livez) on --ops-port."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--ops-port", type=int, default=8092, help="/metrics, /livez, /readyz (8092)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Works until SIGTERM or Ctrl-C."""
        exposure.refuse(options["host"], plain=False)
        operations = serving.bind(options["host"], options["ops_port"])
        eviction.refuse()
        serving.check_configuration()
        serving.check_lease()
        serving.run(api=None, operations=operations, web=False, worker=True)
