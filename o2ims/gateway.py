"""The configuration in force: `gateway.yaml` as it last was good. A changed file replaces it; a bad one is
refused and said."""

import threading
from pathlib import Path

import structlog
from django.conf import settings

from adapters.configuration import Backend, Configuration, ConfigurationError, load

log = structlog.get_logger()


class Gateway:
    """One process's reading of the file. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._current: Configuration | None = None

    def current(self) -> Configuration:
        """What is in force. The first call reads the file, and raises `ConfigurationError` if it cannot be
        used."""
        if self._current is None:
            with self._lock:
                if self._current is None:
                    self._stamp = self._look()
                    self._current = load(self._path())
        return self._current

    def backend(self, key: str) -> Backend | None:
        """The enabled backend of that key in what is in force, or None."""
        backends = self.current().backends
        return next((backend for backend in backends if backend.enabled and backend.key == key), None)

    def refresh(self) -> bool:
        """Reads the file again if it has changed. True if another configuration is in force now."""
        stamp = self._look()
        with self._lock:
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            try:
                new = load(self._path())
            except ConfigurationError as error:
                log.warning("configuration_refused", error=str(error))
                return False
            changed = new != self._current
            self._current = new if changed else self._current
        if changed:
            log.info("configuration_loaded", path=str(self._path()), backends=len(new.backends))
        return changed

    @staticmethod
    def _path() -> Path:
        return Path(settings.GATEWAY_CONFIG)

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._path().stat()  # follows the link that a mounted ConfigMap swaps
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


gateway = Gateway()
