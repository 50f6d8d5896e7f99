"""Who the embedded servers run as, and where that account's files can lie.

Postgres refuses to run as root. So root lends it `nobody`, and everything it touches must be reachable by
`nobody`: the binaries, which may lie in root's home, are copied if it cannot run them where they are; the
data lies in the state directory if everyone may pass it and its parents, and otherwise (a state directory
below /root) in /var/lib/netweave, or below the temporary directory where /var/lib cannot be written. No
permission of a directory we did not make is changed.
"""

import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EVERYONE = "nobody"
_ELSEWHERE = Path("/var/lib/netweave")


class EmbeddedError(Exception):
    """The embedded servers cannot run. The message is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that the servers run as; both None: as we do."""

    uid: int | None = None
    gid: int | None = None

    def options(self) -> dict[str, Any]:
        """What `subprocess` needs to start a process as this account, away from the terminal's signals."""
        # None of the PG… variables of the person at the terminal may reach it.
        common = {"cwd": "/", "umask": 0o077, "start_new_session": True, "env": _environment()}
        if self.uid is None:
            return common
        return {**common, "user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, command: Sequence[str | Path], *, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with its output; after `seconds` it is killed and
        `subprocess.TimeoutExpired` raised.
        """
        return subprocess.run(  # noqa: S603 - our own binaries, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **self.options(),
        )

    def own(self, path: Path) -> None:
        """Make `path` this account's."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def unprivileged() -> Account:
    """`nobody` if we are root, else ourselves."""
    if os.geteuid() != 0:
        return Account()
    try:
        entry = pwd.getpwnam(_EVERYONE)
    except KeyError:
        raise EmbeddedError(
            f"root cannot run Postgres itself, and there is no user {_EVERYONE} to lend it"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def base_for(state_dir: Path, account: Account) -> Path:
    """The directory, made by us, below which the servers' files can lie; the state directory itself where
    that will do.
    """
    if account.uid is None:
        return state_dir
    if _passable(state_dir):
        return state_dir
    name = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    for parent in (_ELSEWHERE, Path(tempfile.gettempdir()) / "netweave"):
        if (base := _made(parent, name)) is not None:
            return base
    raise EmbeddedError(f"{state_dir}: {_EVERYONE} cannot reach it, and {_ELSEWHERE} cannot be written")


def _passable(directory: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (directory, *directory.parents))


def _made(parent: Path, name: str) -> Path | None:
    base = parent / name
    for each in (parent, base):
        try:
            each.mkdir(mode=0o711, exist_ok=True)
            each.chmod(0o711)
        except OSError:
            return None
        # Below /tmp somebody else may have been there first, with a directory or a link of theirs.
        found = each.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return None
    return base if _passable(base) else None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
