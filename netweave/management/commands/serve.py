"""`manage.py serve`: the web process."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from netweave import eviction, exposure, serving


class Command(BaseCommand):
    """Serves the API on --port, with --tls also on --port + 1, operations on --port + 2."""

    help = (
        "Serves the API on --port, with --tls the same over TLS on --port + 1, and operations (/metrics,"
        " /livez, /readyz) on --port + 2."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8080, help="plain HTTP (8080)")
        parser.add_argument(
            "--tls",
            action="store_true",
            help="listen with TLS too, with the files that TLS_CERTIFICATE, … name",
        )
        parser.add_argument(
            "--tls-only", action="store_true", help="listen with TLS, and not with plain HTTP"
        )
        parser.add_argument("--with-worker", action="store_true", help="collect in this process too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves until SIGTERM or Ctrl-C."""
        host, port = options["host"], options["port"]
        exposure.refuse(host, plain=not options["tls_only"])
        eviction.refuse()
        serving.check_configuration()
        if options["with_worker"]:
            serving.check_lease()
        with_tls = options["tls"] or options["tls_only"]
        files = serving.tls_files() if with_tls else None
        api = None if options["tls_only"] else serving.bind(host, port)
        secure = (serving.bind(host, port + 1), files) if files else None
        operations = serving.bind(host, port + 2)

        def ready() -> None:
            addresses = [f"http://{host}:{port}"] if api else []
            addresses += [f"https://{host}:{port + 1}"] if secure else []
            self.stdout.write(f"ready {' '.join(addresses)}")
            self.stdout.flush()

        serving.run(
            api=api,
            secure=secure,
            operations=operations,
            web=True,
            worker=options["with_worker"],
            ready=ready,
        )
