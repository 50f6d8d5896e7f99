"""A TCP server that takes connections and never says a word: even TLS gets nowhere with it."""

import json
import socket
import tempfile
import threading
from pathlib import Path
from typing import Self

from tests.contract.hostile import kubeconfig


class Silent:
    """`seen` is how many connections it took; it holds them until its end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="silent-")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def seen(self) -> int:
        """Connections that were taken."""
        return len(self._held)

    def kubeconfig(self) -> Path:
        """A kubeconfig file that leads here."""
        path = Path(self._folder.name) / "kubeconfig"
        cluster = {"server": f"https://127.0.0.1:{self._listener.getsockname()[1]}"}
        path.write_text(json.dumps(kubeconfig(cluster, {"token": "SECRET"})))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._thread.join(10)
        for held in (self._listener, *self._held):
            held.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                self._held.append(self._listener.accept()[0])
            except OSError:
                return
