"""Places for state directories."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweave.embedded import Embedded


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everyone may pass, as a home in /home or /srv is; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="netweave-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    Embedded(path / "state").erase()
    shutil.rmtree(path)


@pytest.fixture
def state(place: Path) -> Path:
    return place / "state"
