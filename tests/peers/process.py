"""One server process of a test run: in a private directory, on a free loopback port, stopped by its own pid.

    Den ── a directory under the temporary folder, and its sitter
     └─ Process ── one server in it: start, stop, kill, pause, resume; its log and pid lie there

Nothing stays behind even when the run is killed with SIGKILL. The sitter is a shell that waits for the end
of a pipe only the run holds, stops what the den's pid files name, and removes the den. (PR_SET_PDEATHSIG
would not do: it fires when the *thread* that started a child ends, and tests restart servers from threads.)
"""

import os
import pwd
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_SITTER = """
trap '' HUP INT TERM
read -r _
[ -d "$1" ] || exit 0
pids=$(cat "$1"/*.pid 2>/dev/null)
for pid in $pids; do kill -INT "$pid"; kill -CONT "$pid"; done
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    alive=; for pid in $pids; do kill -0 "$pid" && alive=1; done
    [ -n "$alive" ] || break
    sleep 0.2
done
for pid in $pids; do kill -KILL "$pid"; done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"""


class PeerMissingError(Exception):
    """The software of a peer is not on this machine; the message says how to get it."""


class PeerFailedError(Exception):
    """A peer is there but did not do what it was told; the message ends with its log."""


def unprivileged(user: str) -> list[str]:
    """The start of a command line that gives up root for `user` (Postgres refuses root); else nothing."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", "--"]


_given: set[int] = set()


def free_port() -> int:
    """A TCP port nobody uses, never given twice.

    Below the range the kernel takes client ports from: while a killed server is away, no connection can sit
    on its port (on loopback even the client's own one: it would connect to itself).
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    dice = random.SystemRandom()  # the seed of `random` is the same in every test worker
    while True:
        port = dice.randrange(10_000, low)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str, pause: float = 0.03) -> None:
    """Returns as soon as `ready()` holds; PeerFailedError after `seconds`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            msg = f"{what}: not within {seconds:.0f} s"
            raise PeerFailedError(msg)
        time.sleep(pause)


class Den:
    """A private directory that goes away with `close()`, or with this process."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"netweave-{name}-"))
        held, given = os.pipe()
        self._given = given  # not inheritable: no server holds it
        self._sitter = subprocess.Popen(
            ["/bin/sh", "-c", _SITTER, "sitter", str(self.path)],
            stdin=held,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        os.close(held)

    def close(self) -> None:
        """Lets the sitter remove the directory, as it would without us; returns when it has."""
        os.close(self._given)
        self._sitter.wait(timeout=20)
        assert not self.path.exists(), f"{self.path} could not be removed"


class Process:
    """A server in a den. Its signals go to the one pid that `start()` made, and to no other."""

    def __init__(self, name: str, command: Sequence[str | Path], *, den: Den) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self.log = den.path / f"{name}.log"
        self._pid_file = den.path / f"{name}.pid"
        self._den = den
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    def start(self, *more: str) -> None:
        """Starts the server, with further words on its command line; returns at once."""
        assert not self.alive, f"{self.name} is running already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self.command, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._den.path,
                start_new_session=True,  # Ctrl-C in the terminal is for the run, which then stops its servers
            )
        self._pid_file.write_text(f"{self._child.pid}\n")

    def wait_ready(self, ready: Callable[[], bool], *, seconds: float = 60) -> None:
        """Waits for `ready()`; PeerFailedError with the log's end when the server dies or takes longer."""

        def ready_or_dead() -> bool:
            return not self.alive or ready()

        try:
            wait_until(ready_or_dead, seconds=seconds, what=f"{self.name} ready")
        except PeerFailedError as error:
            msg = f"{error}\n{self.tail()}"
            raise PeerFailedError(msg) from None
        if not self.alive:
            msg = f"{self.name} ended with {self._child and self._child.returncode}\n{self.tail()}"
            raise PeerFailedError(msg)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20) -> None:
        """Asks the server to end, and ends it when it does not in time. Harmless when it is not running."""
        self.send(number)
        self.send(signal.SIGCONT)
        self._reap(seconds)

    def kill(self) -> None:
        """SIGKILL: the server gets no chance to say goodbye."""
        self.send(signal.SIGKILL)
        self._reap(20)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers; returns when every thread has stopped."""
        self.send(signal.SIGSTOP)
        wait_until(lambda: not self.alive or self._stopped(), seconds=10, what=f"the pause of {self.name}")

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def _stopped(self) -> bool:
        """Is every thread stopped? (In /proc the state comes after the command, which may hold anything.)"""
        threads = [stat.read_text() for stat in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        return all(thread.rpartition(") ")[2].startswith("T") for thread in threads)

    def _reap(self, seconds: float) -> None:
        if self._child is None:
            return
        try:
            self._child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(timeout=20)
        self._pid_file.unlink(missing_ok=True)
