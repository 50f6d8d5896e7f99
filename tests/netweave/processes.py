"""Which processes a state directory has, and whether anybody listens on a port."""

import socket
from pathlib import Path
from urllib.parse import urlsplit


def processes_in(directory: Path) -> list[int]:
    """The live processes whose working directory is below it: Postgres and Redis go to their data."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = (entry / "cwd").readlink()
            except OSError:  # gone meanwhile, a zombie, or not ours to see
                continue
            if where.is_relative_to(directory):
                found.append(int(entry.name))
    return found


def listening(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0
