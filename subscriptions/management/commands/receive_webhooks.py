"""`manage.py receive_webhooks`: a listener that shows and verifies notifications, for who writes another."""

import asyncio
import re
import signal
import ssl
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from aiohttp import web
from django.core.management.base import BaseCommand, CommandError, CommandParser

from subscriptions.listener import Behaviour, Notice, application
from subscriptions.signing import headers

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%?")
_TIME = re.compile(r"([0-9]{1,5}(?:\.[0-9]+)?)(ms|s)?")


def share(text: str) -> float:
    """`30%` (or `30`) as 0.3."""
    found = _SHARE.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise ArgumentTypeError(f"{text!r} is no percentage, such as 30%")
    return float(found[1]) / 100


def duration(text: str) -> float:
    """`2s`, `250ms` or `2` as seconds."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no time, such as 2s or 250ms")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def status(text: str) -> int:
    """An HTTP status that can be answered."""
    if not (text.isascii() and text.isdecimal() and 200 <= int(text) <= 599):
        raise ArgumentTypeError(f"{text!r} is no status from 200 to 599")
    return int(text)


def secret(text: str) -> str:
    """A signing secret."""
    try:
        headers([text], "id", 0, b"")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return text


class Command(BaseCommand):
    """Listens until it is interrupted; needs no database and no Redis."""

    help = "Listens for notifications, verifies and prints each; answers 204, or fails and dawdles as asked."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """How to listen, verify and answer."""
        parser.add_argument("--port", type=int, required=True, help="0 for any that is free")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--secret", type=secret, action="append", default=[], help="whsec_…; may be repeated"
        )
        parser.add_argument("--fail", type=share, help="the share of notifications to refuse, such as 30%%")
        parser.add_argument("--status", type=status, help="what to refuse with (503); alone, everything is")
        parser.add_argument("--slow", type=duration, default=0.0, help="wait before each answer, such as 2s")
        parser.add_argument("--tls-cert", type=Path, help="a certificate (PEM): listen with TLS")
        parser.add_argument("--tls-key", type=Path, help="its key")
        parser.add_argument("--json", action="store_true", help="print JSON lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen, until SIGINT or SIGTERM."""
        refuses = 1.0 if options["status"] else 0.0
        behaviour = Behaviour(
            secrets=tuple(options["secret"]),
            fail=refuses if options["fail"] is None else options["fail"],
            status=options["status"] or 503,
            slow=options["slow"],
        )
        tls = self._tls(options["tls_cert"], options["tls_key"])
        as_json = options["json"]

        def tell(notice: Notice) -> None:
            self._say(notice.json() if as_json else notice.line())

        asyncio.run(self._listen(application(behaviour, tell), options["host"], options["port"], tls=tls))

    async def _listen(
        self, application: web.Application, host: str, port: int, *, tls: ssl.SSLContext | None
    ) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, host, port, ssl_context=tls)
        try:
            await site.start()
            address, given = runner.addresses[0][:2]
            shown = f"[{address}]" if ":" in address else address
            self.stderr.write(f"listening on {'https' if tls else 'http'}://{shown}:{given}/")
            self.stderr.flush()
            await stopped.wait()
        except OSError as error:
            raise CommandError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        finally:
            await runner.cleanup()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    @staticmethod
    def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
        if certificate is None:
            if key is not None:
                raise CommandError("--tls-key needs --tls-cert")
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise CommandError(f"the certificate cannot be used: {error}") from error
        return context
