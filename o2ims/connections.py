"""This process's open adapters, for writes: one a backend, made at the first use and again when its
configuration changes. What collects a source has an adapter of its own."""

import threading

from adapters.base import ImsAdapter, Options
from adapters.configuration import Backend
from adapters.registry import ims_adapter


def connect(backend: Backend) -> ImsAdapter:
    """A new adapter of one configured backend, not connected. Raises `Misconfigured`."""
    options = Options(name=backend.name, key=backend.ids, config=backend.config, tenant=backend.tenant)
    return ims_adapter(backend.kind, options)


class Connections:
    """The open adapters by backend. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Backend, ImsAdapter]] = {}

    def to(self, backend: Backend) -> ImsAdapter:
        """The adapter of `backend` as it is configured now. Raises `Misconfigured`."""
        with self._lock:
            known = self._open.get(backend.key)
            if known is not None and known[0] == backend:
                return known[1]
            adapter = connect(backend)
            self._open[backend.key] = backend, adapter
        if known is not None:
            known[1].close()
        return adapter

    def close(self) -> None:
        """Lets go of all of them."""
        with self._lock:
            known, self._open = self._open, {}
        for _, adapter in known.values():
            adapter.close()


connections = Connections()
