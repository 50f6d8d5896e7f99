"""A process with the embedded servers of a state directory, until it is told to end: `python -m … STATE`."""

import json
import signal
import sys
from pathlib import Path

from netweave import embedded
from netweave import environment as env

NAMES = ("DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL")

if __name__ == "__main__":
    with embedded.environment(Path(sys.argv[1])):
        print(json.dumps({name.lower(): env.text(name) for name in NAMES}), flush=True)  # noqa: T201
        signal.pause()
