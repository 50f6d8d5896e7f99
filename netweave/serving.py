"""The servers of one process: the API on P, the same with TLS on P + 1, operations on P + 2, and an orderly
end.

SIGTERM or Ctrl-C: leases are released and `/readyz` says no at once, calls are taken for `DRAIN` more,
those in flight are finished, exit 0.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
import uvloop
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from adapters.configuration import ConfigurationError
from adapters.errors import BackendError
from netweave import health, tls
from netweave.connections import Bounded, OverTls
from netweave.runtime import runtime
from o2ims import locks
from o2ims.gateway import gateway

log = structlog.get_logger()

GRACE_SECONDS = 10
#: How often TLS's files are looked at.
LOOK_SECONDS = 1.0
LAST_SECONDS = 24.0
# A list of a backend is a million objects. By its defaults Python would walk them again and again while it is
# made, a quarter of a relist's time, for the few others that die in cycles. A web process keeps to the
# defaults: its requests end in cycles, with their answers in them.
_COLLECTIONS = (50_000, 20, 50)


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: one process runs several."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _TlsServer(_Server):
    """Listens with TLS; when the files change, on the same socket with a new context. Open connections go on,
    but for those whose certificate the new revocation list names."""

    def __init__(
        self, config: uvicorn.Config, files: tls.Files, revoked: tls.Revoked, listener: socket.socket
    ) -> None:
        super().__init__(config)
        self._files, self._revoked, self._digest = files, revoked, files.digest()
        self._listener = listener.dup()  # the other ends with the server that listens on it

    async def renew(self) -> None:
        """Looks at the files until cancelled."""
        while True:
            self._files.measure()
            await asyncio.sleep(LOOK_SECONDS)
            digest = self._files.digest()
            if digest != self._digest:
                self._digest = digest
                await self._again()

    async def _again(self) -> None:
        try:
            context, revoked = self._files.context(), self._files.revoked()
        except ImproperlyConfigured as error:
            log.warning("tls_refused", error=str(error))  # half written, perhaps: what there was goes on
            return
        self._revoked.certificates = revoked
        loop = asyncio.get_running_loop()
        new = await loop.create_server(self._protocol, sock=self._listener.dup(), ssl=context)
        for old in self.servers:
            old.close()
        self.servers = [new]
        for connection in list(self.server_state.connections):
            if isinstance(connection, OverTls) and connection.certificate in revoked:
                connection.shutdown()
        log.info("tls_renewed")

    def _protocol(self) -> asyncio.Protocol:
        return OverTls(self._revoked, self.config, self.server_state, self.lifespan.state)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that a busy port is one clear line before anything has begun. Raises
    `CommandError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}", returncode=2) from error
    listener.set_inheritable(True)
    return listener


def check_configuration() -> None:
    """Stops a start with a configuration that cannot be used. Raises `CommandError` that names the line."""
    try:
        gateway.current()
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=2) from error


def check_lease() -> None:
    """Stops the start of a worker that is to hold Leases and cannot say who it is. Raises `CommandError`."""
    try:
        locks.configured().close()
    except BackendError as error:
        raise CommandError(str(error), returncode=2) from error


def tls_files() -> tls.Files:
    """The files that the settings name. Raises `CommandError` where they cannot be used."""
    if not settings.TLS_CERTIFICATE or not settings.TLS_KEY:
        raise CommandError("TLS_CERTIFICATE and TLS_KEY must name files to serve with TLS", returncode=2)
    files = tls.Files(
        certificate=Path(settings.TLS_CERTIFICATE),
        key=Path(settings.TLS_KEY),
        client_ca=Path(settings.TLS_CLIENT_CA) if settings.TLS_CLIENT_CA else None,
        crl=Path(settings.TLS_CRL) if settings.TLS_CRL else None,
        clients=settings.TLS_CLIENTS,
        minimum=settings.TLS_MINIMUM,
    )
    try:
        files.context()
        files.revoked()
    except ImproperlyConfigured as error:
        raise CommandError(str(error), returncode=2) from error
    return files


def run(
    *,
    api: socket.socket | None,
    secure: tuple[socket.socket, tls.Files] | None = None,
    operations: socket.socket,
    web: bool,
    worker: bool,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serves until told to stop: plain HTTP on `api`, TLS on `secure`. `ready` is called once `/readyz`
    says so (for a worker: once it works)."""
    if not web:
        gc.set_threshold(*_COLLECTIONS)
    uvloop.run(_run(api, secure, operations, web=web, worker=worker, ready=ready))


async def _run(
    api: socket.socket | None,
    secure: tuple[socket.socket, tls.Files] | None,
    operations: socket.socket,
    *,
    web: bool,
    worker: bool,
    ready: Callable[[], None] | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers: list[tuple[_Server, socket.socket]] = [(_server(health.operations), operations)]
    renewing: list[asyncio.Task[None]] = []
    if web:
        from netweave.asgi import application  # noqa: PLC0415 - a worker serves no API

        if api is not None:
            servers.append((_server(application), api))
        if secure is not None:
            over_tls = _tls_server(application, *secure)
            servers.append((over_tls, secure[0]))
            renewing.append(asyncio.create_task(over_tls.renew()))
    runtime.start(web=web, worker=worker)
    serving = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    if ready is not None:
        await _until_ready(stop, web=web)
        if not stop.is_set():
            ready()
    await stop.wait()
    log.info("stopping")
    runtime.stopping = True
    _end_at_the_latest()
    await runtime.stop_collecting()
    if web:  # whoever balances the load needs a moment to notice that we are not ready
        await asyncio.sleep(settings.DRAIN.total_seconds())
    for task in renewing:
        task.cancel()
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*serving, return_exceptions=True)
    await runtime.stop()
    log.info("stopped")


def _end_at_the_latest() -> None:
    """Whatever still hangs then (a backend's call in a thread, say) does not keep the process: leases run
    out by themselves."""
    last = threading.Timer(LAST_SECONDS, os._exit, (0,))
    last.daemon = True
    last.start()


async def _until_ready(stop: asyncio.Event, *, web: bool) -> None:
    while web and not stop.is_set() and health.readiness()[0] != 200:  # noqa: ASYNC110 - many small causes
        await asyncio.sleep(0.05)


def _server(app: object) -> _Server:
    return _Server(_config(app, Bounded))


def _tls_server(app: object, listener: socket.socket, files: tls.Files) -> _TlsServer:
    revoked = tls.Revoked(files.revoked())
    protocol = partial(OverTls, revoked)
    config = _config(app, protocol, ssl_context_factory=lambda _config, _default: files.context())
    return _TlsServer(config, files, revoked, listener)


def _config(app: object, protocol: Callable[..., Bounded], **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=protocol,  # type: ignore[arg-type]
        ws="websockets-sansio",  # netweave/live.py, to which nobody has anything to say
        ws_max_size=1024,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=1000,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,
    )
