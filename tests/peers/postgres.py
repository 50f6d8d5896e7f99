"""A PostgreSQL server of the test run, from Debian's package (15 or newer), with the product's two logins.

`netweave_owner` owns databases and migrates; `netweave_app` may connect, and migrations grant it the rest.
"""

import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from tests.peers.process import Den, PeerFailedError, PeerMissingError, Process, free_port, unprivileged

OWNER = "netweave_owner"
APP = "netweave_app"
OLDEST = 15

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: nothing in /dev/shm outlives a kill -9
    # Nobody pulls a plug here. synchronous_commit stays on: what is committed survives kill -9.
    "fsync": "off",
    "full_page_writes": "off",
}


def _programs() -> Path:
    """Debian's directory of the newest PostgreSQL; PeerMissingError where none is recent enough."""
    found = {
        int(match[1]): path
        for path in Path("/usr/lib/postgresql").glob("*/bin")
        if (match := re.match(r"(\d+)", path.parent.name)) and (path / "postgres").exists()
    }
    newest = max(found, default=0)
    if newest < OLDEST:
        msg = f"PostgreSQL {OLDEST} or newer is not installed: apt-get install postgresql"
        raise PeerMissingError(msg)
    return found[newest]


class Postgres:
    """Port, logins, URLs exist from the start; `start()` makes the server. Its data lives until `close()`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._passwords = {user: secrets.token_hex(8) for user in ("postgres", OWNER, APP)}
        self._programs = _programs()
        self._den = Den("postgres")
        self._data = self._den.path / "data"
        as_user = unprivileged("postgres")
        if as_user:
            shutil.chown(self._den.path, "postgres")
        settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": self.port}.items()]
        command: list[str | Path] = [*as_user, self._programs / "postgres", "-D", self._data, *settings]
        self._as_user = as_user
        self._server = Process("postgres", command, den=self._den)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def owner_url(self, db: str) -> str:
        return self._url(OWNER, db)

    def app_url(self, db: str) -> str:
        return self._url(APP, db)

    def connect(self, db: str = "postgres") -> psycopg.Connection:
        """An autocommit connection of the superuser, to arrange things and to break them."""
        return psycopg.connect(self._url("postgres", db), autocommit=True, connect_timeout=5)

    def create(self, db: str, *, template: str = "template1") -> str:
        """Makes a database of the owner, a copy of `template`, to which the application may connect.

        Returns the owner's URL.
        """
        name, owner, app = sql.Identifier(db), sql.Identifier(OWNER), sql.Identifier(APP)
        with self.connect() as connection:
            like = sql.Identifier(template)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(name, owner, like))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, app))
        return self.owner_url(db)

    def drop(self, db: str) -> None:
        """Removes a database and whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(db)))

    @property
    def alive(self) -> bool:
        return self._server.alive

    def start(self) -> None:
        """Starts the server, or starts it again on the same port and data; returns when it answers."""
        fresh = not self._data.exists()
        if fresh:
            self._initialise()
        for attempt in range(10):
            self._server.start()
            try:
                self._server.wait_ready(self._answers)
                break
            except PeerFailedError as error:
                # After kill -9 a backend that was busy outlives its postmaster for a moment.
                if attempt == 9 or "still in use" not in str(error):
                    raise
        if fresh:
            with self.connect() as connection:
                for user, may in ((OWNER, "CREATEDB"), (APP, "NOCREATEDB")):
                    create = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
                    password = sql.Literal(self._passwords[user])
                    connection.execute(create.format(sql.Identifier(user), sql.SQL(may), password))

    def stop(self) -> None:
        """An orderly end ("fast": clients are disconnected). The data stays."""
        self._server.stop(signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end by themselves."""
        self._server.kill()

    def pause(self) -> None:
        """No new connection is answered; open ones go on, as their backends are processes of their own."""
        self._server.pause()

    def resume(self) -> None:
        self._server.resume()

    def close(self) -> None:
        """Stops the server and removes its data."""
        self.stop()
        self._free_shared_memory()
        self._den.close()

    def _url(self, user: str, db: str) -> str:
        return f"postgresql://{user}:{self._passwords[user]}@127.0.0.1:{self.port}/{db}"

    def _initialise(self) -> None:
        password = self._den.path / "password"
        password.write_text(self._passwords["postgres"])
        if self._as_user:
            shutil.chown(password, "postgres")
        how = [
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-sync",
        ]
        where = ["--locale=C.UTF-8", f"--pgdata={self._data}"]
        done = subprocess.run(
            [*self._as_user, self._programs / "initdb", *how, *where],
            cwd=self._den.path,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"initdb failed\n{done.stdout}{done.stderr}"
            raise PeerFailedError(msg)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _free_shared_memory(self) -> None:
        """A killed postmaster leaves its small System V segment; postmaster.pid, line 7, names it."""
        left = self._data / "postmaster.pid"
        lines = left.read_text().splitlines() if left.exists() else []
        if len(lines) > 6 and (words := lines[6].split()):
            subprocess.run(["ipcrm", "-m", words[-1]], check=False, capture_output=True)
