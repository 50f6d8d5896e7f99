"""A Redis server of the test run, by the machine's redis-server or valkey-server; nothing goes to disk."""

import shutil
import socket
from pathlib import Path
from typing import Self

from redis import Redis as Client
from redis.exceptions import RedisError

from tests.peers.process import Den, PeerMissingError, Process, free_port


def _program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        msg = "redis-server is not installed: apt-get install redis-server"
        raise PeerMissingError(msg)
    return found


class Redis:
    """`url` exists from the start; `start()` makes the server, after `kill()` an empty one on its port. With
    `of` it is that one's replica; `settings` are further words of its command line; `program` is another
    server than the machine's."""

    def __init__(self, *settings: str, of: "Redis | None" = None, program: Path | None = None) -> None:
        program = program or Path(_program())
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._den = Den("redis")
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._den.path)]
        keeps_nothing = ["--save", "", "--appendonly", "no"]
        follows = ["--replicaof", "127.0.0.1", str(of.port), "--repl-diskless-sync-delay", "0"] if of else []
        self._server = Process("redis", [program, *where, *keeps_nothing, *follows, *settings], den=self._den)

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

    def restart(self) -> None:
        """It dies, and an empty one is there."""
        self.kill()
        self.start()

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

    def info(self, name: str) -> str:
        """One line of what it says of itself."""
        lines = self._ask("INFO").decode().splitlines()
        return next((line.partition(":")[2] for line in lines if line.startswith(f"{name}:")), "")

    def close(self) -> None:
        self.stop()
        self._den.close()

    def _ask(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(f"{command}\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            return answer.removesuffix(b"+OK\r\n")  # of QUIT

    def _answers(self) -> bool:
        try:
            return self._ask("PING").startswith(b"+PONG")
        except OSError:
            return False


class Sentinel:
    """One Sentinel that watches `master` by the name `mymaster`; two have to agree that it is gone. With a
    password nobody is told anything who does not have it."""

    def __init__(self, master: Redis, *, password: str = "") -> None:
        self._password = password
        self.port = free_port()
        self._den = Den("sentinel")
        file = self._den.path / "sentinel.conf"
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self._den.path}",
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 2",
            "sentinel down-after-milliseconds mymaster 1000",
            "sentinel failover-timeout mymaster 5000",
        ]
        lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"] if password else []
        file.write_text("\n".join(lines) + "\n")
        self._server = Process("sentinel", [_program(), file, "--sentinel"], den=self._den)

    def __enter__(self) -> Self:
        self._server.start()
        self._server.wait_ready(lambda: self.says("num-slaves") is not None)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._den.close()

    def says(self, name: str) -> str | None:
        """One fact that it knows of its master; None where it does not answer."""
        client = Client(
            port=self.port, password=self._password or None, socket_timeout=2, decode_responses=True
        )
        try:
            known = client.sentinel_master("mymaster")
            return str(known[name]) if isinstance(known, dict) else None
        except RedisError:
            return None
        finally:
            client.close()
