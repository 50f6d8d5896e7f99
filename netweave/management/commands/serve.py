"""`manage.py serve`: the web process."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from netweave import serving


class Command(BaseCommand):
    """Serves the API on --port, operations on --port + 2."""

    help = "Serves the API on --port and operations (/metrics, /livez, /readyz) on --port + 2."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8080, help="plain HTTP (8080)")
        parser.add_argument("--with-worker", action="store_true", help="collect in this process too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves until SIGTERM or Ctrl-C."""
        host, port = options["host"], options["port"]
        serving.check_configuration()
        api = serving.bind(host, port)
        operations = serving.bind(host, port + 2)

        def ready() -> None:
            self.stdout.write(f"ready http://{host}:{port}")
            self.stdout.flush()

        serving.run(api=api, operations=operations, web=True, worker=options["with_worker"], ready=ready)
