"""The demo: a whole gateway with nothing but Python, two tenants and something to look at.

    check  ─► the port is free, the clusters answer; else one line and exit 2, with nothing begun
    start  ─► embedded Postgres and Redis, migrations, cast, gateway.yaml, gateway and worker in this process
    say    ─► what to try, and `ready` once it is

`scripts/demo` makes the environment and runs `manage.py demo`, which comes here before Django loads.
Everything lies in the state directory; a second start finds it there.
"""

from netweave.demo.command import main

__all__ = ["main"]
