"""`manage.py`: the embedded servers stand around whatever command runs, and end with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import netweave
from tests.netweave.processes import processes_in

ROOT = Path(netweave.__file__).parent.parent
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def environment(state: Path) -> dict[str, str]:
    embedded = {"NETWEAVE_EMBEDDED": "1", "NETWEAVE_STATE": str(state), "LOG_LEVEL": "WARNING"}
    return {**ENVIRONMENT, **embedded, "SECRET_KEY": "of-a-test", "DATABASE_URL": "postgresql://a.stranger/x"}


def manage(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(
        command, cwd="/", env=environment(state), capture_output=True, text=True, timeout=60, check=False
    )
    assert processes_in(state) == []
    return done


def test_commands_work_on_servers_of_their_own_and_keep_what_they_wrote(state: Path) -> None:
    assert manage(state, "migrate", "--verbosity", "0").returncode == 0
    assert manage(state, "add_tenant", "acme").stdout == "tenant acme added\n"
    assert manage(state, "add_tenant", "acme").stdout == "tenant acme exists already\n"


def test_a_command_that_fails_says_so_and_leaves_nothing_running(state: Path) -> None:
    done = manage(state, "no_such_command")
    assert done.returncode == 1
    assert "no_such_command" in done.stderr


def test_servers_that_cannot_be_are_one_line(place: Path) -> None:
    (place / "file").touch()
    done = manage(place / "file", "check")
    assert done.returncode == 1
    assert done.stderr == f"{place / 'file'} is no directory\n"


def test_a_command_that_is_told_to_end_takes_its_servers_along(state: Path) -> None:
    wait = "import signal; print('waiting', flush=True); signal.pause()"
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--verbosity", "0", "--command", wait]
    for number, status in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)):
        with subprocess.Popen(command, env=environment(state), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            assert processes_in(state)
            process.send_signal(number)
            assert process.wait(timeout=30) == status
        assert processes_in(state) == []
