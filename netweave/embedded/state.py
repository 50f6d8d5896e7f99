"""The state directory: who owns the embedded servers now, their ports and passwords, and where their files
lie.

| File | Mode | |
|---|---|---|
| `lock` | 0600 | held with flock by the process that owns the servers, for as long as it lives |
| `embedded.json` | 0600 | ports, passwords, and the directory with the servers' files; kept for good |
| `running.json` | 0600 | the URLs and the owner's process id, while the servers are up: for others who attach
|
"""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from netweave.embedded.account import EmbeddedError


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True)
class Remembered:
    """What one start tells the next. `base` is where the servers' files lie, if not in the state
    directory.
    """

    base: str = ""
    postgres_port: int = 0
    redis_port: int = 0
    superuser_password: str = field(default_factory=_password)
    owner_password: str = field(default_factory=_password)
    application_password: str = field(default_factory=_password)
    redis_password: str = field(default_factory=_password)


class StateDirectory:
    """Files of one state directory. Nothing here starts or stops anything."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None
        self._remembered = self.path / "embedded.json"
        self._running = self.path / "running.json"

    def make(self) -> None:
        """Make the directory where there is none; raises `EmbeddedError`.

        It is private; root's lets others pass (but not look), for the account that the servers run as. What
        is secret in it has a mode of its own.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            if os.geteuid() == 0:
                self.path.chmod(0o711)
        except FileExistsError:
            if not self.path.is_dir():
                raise EmbeddedError(f"{self.path} is no directory") from None
        except OSError as error:
            raise EmbeddedError(f"{self.path}: {error.strerror}") from error

    def lock(self) -> bool:
        """Become the owner, if nobody is. A process that was killed has let go."""
        # Python opens files so that no child inherits them: a server must never hold our lock.
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    @property
    def locked(self) -> bool:
        """Whether we are the owner."""
        return self._lock is not None

    def unlock(self) -> None:
        """Stop being the owner."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remembered(self) -> Remembered | None:
        """What the last start wrote; None if there was none. Raises `EmbeddedError` for a file that is not
        ours.
        """
        found = self._read(self._remembered)
        if found is None:
            return None
        try:
            return Remembered(**found)
        except TypeError as error:
            raise EmbeddedError(f"{self._remembered}: {error}") from error

    def remember(self, remembered: Remembered) -> None:
        """Write it for the next start."""
        write_private(self._remembered, asdict(remembered))

    def running(self) -> dict[str, str] | None:
        """The URLs of the servers that a live owner has started."""
        found = self._read(self._running)
        if found is None or not _alive(found.get("pid", 0)):
            return None
        return dict(found["urls"])

    def announce(self, urls: dict[str, str]) -> None:
        """Tell others that the servers are up."""
        write_private(self._running, {"pid": os.getpid(), "urls": urls})

    def withdraw(self) -> None:
        """The servers are down, or not up yet."""
        self._running.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove our files; not the lock, which two processes could then hold, each their own."""
        for path in (self._remembered, self._running):
            path.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise EmbeddedError(f"{path}: {error}") from error
        if not isinstance(found, dict):
            raise EmbeddedError(f"{path}: not written by netweave")
        return found


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a file by JSON that only we can read, in one step: a reader sees the old or the new."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    temporary.replace(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
