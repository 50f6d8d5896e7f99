"""The embedded Redis: `redis-server` or `valkey-server` from the PATH, else fakeredis' TCP server in a thread
of ours.

The real one keeps everything on disk and asks for a password. The fake one knows neither: it answers whoever
is on this machine and forgets when the process ends (subscriptions come back from their journal in Postgres).
"""

import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from netweave.embedded.account import Account, EmbeddedError
from netweave.embedded.port import LOOPBACK, free_port
from netweave.embedded.state import Remembered

if TYPE_CHECKING:
    from fakeredis import TcpFakeServer

_START_SECONDS = 30.0


class RealRedis:
    """A `redis-server` (or `valkey-server`) with its files below `base`."""

    def __init__(self, binary: str, base: Path, account: Account, remembered: Remembered) -> None:
        self._binary = binary
        self._home = base / "redis"
        self._account = account
        self._remembered = remembered
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._remembered.redis_password}@{LOOPBACK}:{self._remembered.redis_port}/0"

    def start(self) -> None:
        """Adopt the running server, or start it. Raises `EmbeddedError`."""
        if self.adopt():
            return
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._account.own(self._home)
        for _ in range(3):  # the port may be taken between our look and its start
            self._remembered.redis_port = free_port(self._remembered.redis_port)
            if self._launched():
                return
        raise EmbeddedError(f"{self._binary} does not start; see {self._home / 'log'}")

    def adopt(self) -> bool:
        """Whether our server is running already: one that takes our password."""
        return bool(self._remembered.redis_port) and self._answers()

    def stop(self) -> None:
        """Stop our server, if it runs; it writes everything to its file first."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=_START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        elif self.adopt():
            with self._client() as client:
                client.shutdown()
            end = time.monotonic() + _START_SECONDS
            while self._answers() and time.monotonic() < end:
                time.sleep(0.02)

    def erase(self) -> None:
        """Remove its files; the server must be down."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _launched(self) -> bool:
        # By its standard input, so that the password is in no list of processes.
        configuration = "\n".join(
            [
                f"bind {LOOPBACK}",
                f"port {self._remembered.redis_port}",
                f"requirepass {self._remembered.redis_password}",
                f'dir "{self._home}"',
                f'logfile "{self._home / "log"}"',
                "appendonly yes",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
            ]
        )
        process = subprocess.Popen(  # noqa: S603 - a binary from the PATH, as announced; no shell
            [self._binary, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._account.options(),
        )
        self._process = process
        assert process.stdin is not None
        process.stdin.write(configuration.encode())
        process.stdin.close()
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.02)
        process.kill()
        process.wait()
        self._process = None
        return False

    def _client(self) -> "redis.Redis":
        return redis.Redis(
            host=LOOPBACK,
            port=self._remembered.redis_port,
            password=self._remembered.redis_password,
            socket_connect_timeout=1,
            socket_timeout=10,
            retry=Retry(NoBackoff(), retries=0),  # by default it would try ten times, for seconds
        )

    def _answers(self) -> bool:
        with self._client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # refused, a stranger's, or still reading its file
                return False


class FakeRedis:
    """fakeredis' server in a thread: no INFO, CONFIG, WAIT or ROLE, no password, no memory of the last
    run.
    """

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered
        self._server: TcpFakeServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self._remembered.redis_port}/0"

    def start(self) -> None:
        """Listen. Raises `EmbeddedError`."""
        try:
            from fakeredis import TcpFakeServer  # noqa: PLC0415 - only where there is no real one
        except ImportError as error:
            raise EmbeddedError(
                "neither redis-server nor valkey-server is on the PATH, and fakeredis is not installed: "
                "pip install 'fakeredis[lua]'"
            ) from error
        self._remembered.redis_port = free_port(self._remembered.redis_port)
        self._server = TcpFakeServer((LOOPBACK, self._remembered.redis_port))
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.05,), name="embedded-redis", daemon=True)
        self._thread.start()

    def adopt(self) -> bool:
        """It ends with its process: there is never one to adopt."""
        return False

    def stop(self) -> None:
        """Close it, and wait for its threads."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.shutdown()
            server.server_close()
            thread.join()

    def erase(self) -> None:
        """There is nothing to remove."""


def redis_for(base: Path, account: Account, remembered: Remembered) -> RealRedis | FakeRedis:
    """The Redis that this machine can have."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        return FakeRedis(remembered)
    return RealRedis(binary, base, account, remembered)
