"""Every owner of a real peer starts it, breaks it, brings it back, and leaves neither process nor file."""

import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from tests.peers.chromium import Chromium
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.process import Den, PeerFailedError, PeerMissingError, Process, free_port, wait_until
from tests.peers.redis import Redis


@pytest.mark.usefixtures("nothing_left")
class TestProcess:
    def test_a_server_that_dies_at_once_shows_its_log(self) -> None:
        den = Den("test")
        server = Process("grumpy", ["/bin/sh", "-c", "echo no such luck; exit 3"], den=den)
        server.start()
        with pytest.raises(PeerFailedError, match=r"grumpy ended with 3\nno such luck"):
            server.wait_ready(lambda: False)
        den.close()

    def test_a_server_that_will_not_end_is_killed(self) -> None:
        den = Den("test")
        server = Process(
            "stubborn", ["/bin/sh", "-c", "trap '' TERM; touch up; sleep 60 & wait; wait"], den=den
        )
        server.start()
        server.wait_ready((den.path / "up").exists)
        server.stop(seconds=0.2)
        assert not server.alive
        den.close()

    def test_a_paused_server_can_be_stopped(self) -> None:
        den = Den("test")
        server = Process("asleep", ["/bin/sleep", "60"], den=den)
        server.start()
        server.pause()
        server.stop()
        assert not server.alive
        den.close()

    def test_a_server_started_by_a_thread_outlives_it(self) -> None:
        den = Den("test")
        server = Process("child", ["/bin/sleep", "60"], den=den)
        thread = threading.Thread(target=server.start)
        thread.start()
        thread.join()
        assert server.alive
        server.stop()
        den.close()

    def test_nothing_is_left_of_a_run_that_was_killed(self, nothing_left: Path) -> None:
        run = """
            import time
            from tests.peers.postgres import Postgres
            from tests.peers.redis import Redis
            servers = [Redis(), Postgres()]
            for server in servers: server.start()
            servers[0].pause()
            print("up", flush=True)
            time.sleep(60)
        """
        script = "\n".join(line.strip() for line in run.splitlines())
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            assert len(list(nothing_left.iterdir())) == 2
            child.kill()
        wait_until(lambda: not list(nothing_left.iterdir()), seconds=15, what="the end of both dens")

    def test_ports_are_free_given_once_and_below_those_of_clients(self) -> None:
        ports = [free_port() for _ in range(50)]
        assert len(set(ports)) == 50
        first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        assert max(ports) < first_of_clients


class TestMissing:
    def test_a_binary_nobody_built_says_how_to(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("NETWEAVE_PEERS", str(tmp_path))
        with pytest.raises(PeerMissingError, match=r"python -m tests\.peers\.build"):
            ControlPlane()

    def test_a_program_nobody_installed_says_so(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(PeerMissingError, match="apt-get install redis-server"):
            Redis()
        with pytest.raises(PeerMissingError, match="apt-get install chromium"):
            Chromium()


class TestPostgres:
    def test_the_application_may_only_connect(self, postgres: Postgres) -> None:
        owner = postgres.create("rights")
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("CREATE TABLE thing (id int)")
        with psycopg.connect(postgres.app_url("rights"), autocommit=True) as connection:
            for forbidden in (
                "SELECT * FROM thing",
                "CREATE TABLE mine (id int)",
                "CREATE TEMP TABLE mine (id int)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(forbidden)
        postgres.drop("rights")

    def test_a_wrong_password_is_refused(self, postgres: Postgres) -> None:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://netweave_app:guess@127.0.0.1:{postgres.port}/postgres")

    def test_what_was_committed_survives_kill_9(self, postgres: Postgres) -> None:
        with psycopg.connect(postgres.create("durable"), autocommit=True) as connection:
            connection.execute("CREATE TABLE thing (id int)")
            connection.execute("INSERT INTO thing VALUES (7)")
            postgres.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        postgres.start()
        with psycopg.connect(postgres.owner_url("durable")) as connection:
            assert connection.execute("SELECT id FROM thing").fetchall() == [(7,)]
        postgres.drop("durable")

    def test_a_paused_server_does_not_answer(self, postgres: Postgres) -> None:
        postgres.pause()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            psycopg.connect(postgres.app_url("postgres"), connect_timeout=2)
        postgres.resume()
        postgres.connect().close()

    @pytest.mark.usefixtures("postgres", "nothing_left")
    def test_nothing_is_left_even_after_kill_9(self) -> None:
        with Postgres() as server:
            server.kill()
            segment = (server._data / "postmaster.pid").read_text().splitlines()[6].split()[-1]
            assert segment in segments()
        assert segment not in segments()


def segments() -> set[str]:
    """Ids of this machine's System V shared memory."""
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


class TestRedis:
    def test_kill_9_and_start_gives_an_empty_server_on_the_same_port(self, redis_server: Redis) -> None:
        assert redis_server._ask("SET key value") == b"+OK\r\n"
        redis_server.kill()
        with pytest.raises(ConnectionRefusedError):
            redis_server._ask("PING")
        redis_server.start()
        assert redis_server._ask("DBSIZE") == b":0\r\n"

    def test_clean_brings_back_what_a_test_killed_or_paused(self, redis_server: Redis) -> None:
        redis_server.pause()
        redis_server.clean()
        redis_server.kill()
        redis_server.clean()
        assert redis_server._ask("DBSIZE") == b":0\r\n"


async def test_chromium_shows_a_page(chromium: Chromium) -> None:
    async with chromium.browser() as browser:
        page = await browser.new_page()
        await page.goto("data:text/html,<title>hello</title>")
        assert await page.title() == "hello"
