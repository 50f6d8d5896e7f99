"""A web process that is there again as soon as it was killed: this one loads all that it needs, and forks it.
Called with its port and a file, which gets the pid of the one that serves."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "netweave.settings"

import django

django.setup()

from django.urls import get_resolver

from netweave import serving

port, file = int(sys.argv[1]), Path(sys.argv[2])
_ = get_resolver().url_patterns


def serve() -> None:
    serving.run(
        api=serving.bind("127.0.0.1", port),
        operations=serving.bind("127.0.0.1", port + 2),
        web=True,
        worker=False,
    )


def end(*_: Any) -> None:
    os.kill(child, signal.SIGKILL)
    os._exit(0)


while True:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        serve()
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    file.write_text(str(child))
    os.waitpid(child, 0)
