#!/usr/bin/env python
"""netweave's command line: Django's commands, with NETWEAVE_EMBEDDED=1 inside servers of our own."""

import os
import sys


def main() -> int:
    """Run the command of `sys.argv`; the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this by hand may have any
        sys.stderr.write(f"netweave needs Python 3.11 or newer; this is {sys.version.split()[0]}\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netweave.settings")
    if sys.argv[1:2] == ["demo"]:  # the one command that begins before there is anything to connect to
        from netweave.demo import main as demo  # noqa: PLC0415 - an older Python could not read it

        return demo(sys.argv[2:])
    if sys.argv[1:2] == ["receive_webhooks"]:  # for subscribers, who have no gateway of their own
        return _receive()
    return run()


def _receive() -> int:
    """The one command that needs no setting."""
    from django.conf import settings  # noqa: PLC0415 - as above

    settings.configure()
    from subscriptions.management.commands.receive_webhooks import Command  # noqa: PLC0415

    Command().run_from_argv(sys.argv)
    return 0


def run() -> int:
    """One of Django's commands, within the embedded servers if they are asked for."""
    from pathlib import Path  # noqa: PLC0415 - as above

    from netweave import embedded, environment  # noqa: PLC0415

    if not environment.flag("NETWEAVE_EMBEDDED"):
        return _command()
    try:
        with embedded.environment(Path(environment.text("NETWEAVE_STATE", ".netweave"))):
            return _command()
    except embedded.EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _command() -> int:
    """Django's own handling, after one look at the settings: what is wrong with them is one line, not a
    traceback."""
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - as above
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    from netweave.loading import load  # noqa: PLC0415

    try:
        load()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
