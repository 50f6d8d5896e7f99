"""The embedded servers of one state directory: one process owns them, others attach.

Whoever holds the lock of the state directory owns the servers and stops them. A process that finds it held
attaches to what the owner has announced, and never stops it. When an owner was killed, the next one adopts
what still runs.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from netweave.embedded.account import Account, EmbeddedError, base_for, unprivileged
from netweave.embedded.postgres import Postgres
from netweave.embedded.redis import FakeRedis, RealRedis, redis_for
from netweave.embedded.state import Remembered, StateDirectory

_ATTACH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers are: the application's login, the owner's login, and Redis."""

    database_url: str
    migrate_database_url: str
    redis_url: str


class Embedded:
    """Postgres and Redis in `state_dir` (made if it is not there). As a context manager it starts and
    stops.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state = StateDirectory(state_dir)
        self._postgres: Postgres | None = None
        self._redis: RealRedis | FakeRedis | None = None

    @property
    def owner(self) -> bool:
        """Whether we started (or adopted) the servers and will stop them."""
        return self._state.locked

    def start(self) -> Urls:
        """Start the servers, or attach to those of another process. Raises `EmbeddedError`."""
        self._state.make()
        end = time.monotonic() + _ATTACH_SECONDS
        while not self._state.lock():
            if (urls := self._state.running()) is not None:
                return Urls(**urls)
            if time.monotonic() > end:
                raise EmbeddedError(
                    f"{self._state.path} belongs to another process, whose servers do not come up"
                )
            time.sleep(0.05)
        try:
            return self._started()
        except BaseException:  # Ctrl-C too: what is half started is stopped
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the servers if we own them, else do nothing. May be called twice."""
        if not self._state.locked:
            return
        self._state.withdraw()
        with ExitStack() as last_first:  # each is stopped, whatever becomes of the other
            last_first.callback(self._state.unlock)
            for server in (self._postgres, self._redis):
                if server is not None:
                    last_first.callback(server.stop)
        self._redis = self._postgres = None

    def erase(self) -> None:
        """Remove the servers' files, passwords and data. Raises `EmbeddedError` if a process is using
        them.
        """
        if not self._state.path.exists():
            return
        if not self._state.lock():
            raise EmbeddedError(f"{self._state.path} is in use: stop netweave there first")
        try:
            if (remembered := self._state.remembered()) is not None:
                postgres, redis = self._servers(unprivileged(), remembered)
                for server in (redis, postgres):
                    if server.adopt():
                        server.stop()
                    server.erase()
                if remembered.base:
                    with suppress(OSError):  # not empty: then it is not only ours
                        Path(remembered.base).rmdir()
            self._state.forget()
        finally:
            self._state.unlock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _started(self) -> Urls:
        self._state.withdraw()  # a killed owner's
        account = unprivileged()
        remembered = self._state.remembered()
        if remembered is None:
            base = base_for(self._state.path, account)
            # Left out where it is the state directory, which may be moved.
            remembered = Remembered(base="" if base == self._state.path else str(base))
            self._state.remember(remembered)  # before anything is made with these passwords
        self._postgres, self._redis = postgres, redis = self._servers(account, remembered)
        postgres.start()
        redis.start()
        self._state.remember(remembered)
        application, owner = postgres.urls()
        urls = Urls(database_url=application, migrate_database_url=owner, redis_url=redis.url)
        self._state.announce(asdict(urls))
        return urls

    def _servers(self, account: Account, remembered: Remembered) -> tuple[Postgres, RealRedis | FakeRedis]:
        base = Path(remembered.base or self._state.path)
        return Postgres(base, account, remembered), redis_for(base, account, remembered)


@contextmanager
def environment(state_dir: Path) -> Iterator[Embedded]:
    """Around a command: the servers run, and the process's environment says where. Call it before Django
    loads.

    SIGTERM becomes a SystemExit, so that a command ends in order; while the servers are stopped, no signal
    interrupts that.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    embedded = Embedded(state_dir)
    try:
        urls = embedded.start()
        for name, value in asdict(urls).items():
            os.environ[name.upper()] = value
            os.environ.pop(f"{name.upper()}_FILE", None)  # it would win over the variable
        yield embedded
    finally:
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        embedded.stop()
        signal.signal(signal.SIGINT, interrupt or signal.default_int_handler)
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
