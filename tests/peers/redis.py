"""A Redis server of the test run, by the machine's redis-server or valkey-server; nothing goes to disk."""

import shutil
import socket
from typing import Self

from tests.peers.process import Den, PeerMissingError, Process, free_port


class Redis:
    """`url` exists from the start; `start()` makes the server, after `kill()` an empty one on its port."""

    def __init__(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            msg = "redis-server is not installed: apt-get install redis-server"
            raise PeerMissingError(msg)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._den = Den("redis")
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._den.path)]
        keeps_nothing = ["--save", "", "--appendonly", "no"]
        self._server = Process("redis", [program, *where, *keeps_nothing], den=self._den)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._server.alive

    def start(self) -> None:
        self._server.start()
        self._server.wait_ready(self._answers)

    def stop(self) -> None:
        """An orderly end; memory is gone all the same."""
        self._server.stop()

    def kill(self) -> None:
        self._server.kill()

    def pause(self) -> None:
        self._server.pause()

    def resume(self) -> None:
        self._server.resume()

    def clean(self) -> None:
        """Forgets every key of every database, and starts a server that a test has killed."""
        self.resume()
        if not self.alive:
            self.start()
        assert self._ask("FLUSHALL").startswith(b"+OK")

    def close(self) -> None:
        self.stop()
        self._den.close()

    def _ask(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100)

    def _answers(self) -> bool:
        try:
            return self._ask("PING").startswith(b"+PONG")
        except OSError:
            return False
