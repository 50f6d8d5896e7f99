"""`manage.py check_backends`: can each backend be reached and read, does it let us in, what can it do?"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters.configuration import Backend, ConfigurationError
from adapters.errors import BackendError, MissingExtra, Refused, named
from o2ims.collector import read
from o2ims.gateway import gateway


class Command(BaseCommand):
    """Asks every backend of the configuration, lists it once, and says what it says."""

    help = (
        "Asks each backend and lists it once: reachable, allowed, abilities, missing extra, objects, time."
        " Exits with 1 if one fails."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per backend."""
        try:
            backends = gateway.current().backends
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        failed = [backend.name for backend in backends if backend.enabled and not self._check(backend)]
        for backend in backends:
            if not backend.enabled:
                self.stdout.write(f"{backend.name}: disabled")
        if failed:
            raise CommandError(f"not usable: {', '.join(failed)}", returncode=1)

    def _check(self, backend: Backend) -> bool:
        started = time.monotonic()
        try:
            metadata, objects = read(backend)
        except MissingExtra as error:
            self.stdout.write(f"{backend.name}: missing extra: {error.detail}")
        except Refused as error:
            self.stdout.write(
                f"{backend.name}: reachable, not allowed: {named(error)}: {error.detail}"
                f" ({self._took(started)})"
            )
        except BackendError as error:
            self.stdout.write(f"{backend.name}: {named(error)}: {error.detail} ({self._took(started)})")
        else:
            abilities = ", ".join(sorted(metadata.can)) or "none"
            version = f" {metadata.version}" if metadata.version else ""
            said = f"reachable, allowed, {metadata.kind}{version}, abilities: {abilities}"
            self.stdout.write(f"{backend.name}: {said} ({objects} objects, {self._took(started)})")
            return True
        return False

    @staticmethod
    def _took(started: float) -> str:
        return f"{(time.monotonic() - started) * 1000:.0f} ms"
