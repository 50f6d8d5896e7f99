"""What the tests of the peers' owners share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.process import wait_until


def processes_of(folder: Path) -> list[str]:
    """Command lines that mention a folder: servers that run in it, and sitters that watch over it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder for the dens of one test, in which no file and no process may be left."""
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    folder.chmod(0o711)  # a server that gives up root must reach its den
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    monkeypatch.undo()
    wait_until(lambda: not processes_of(folder), seconds=10, what="the end of all processes")
    left = list(folder.iterdir())
    shutil.rmtree(folder)
    assert left == []
