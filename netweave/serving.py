"""The servers of one process: the API on P, operations on P + 2, and an orderly end.

SIGTERM or Ctrl-C: leases are released and `/readyz` says no at once, calls are taken for `DRAIN` more,
those in flight are finished, exit 0.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import structlog
import uvicorn
import uvloop
from django.conf import settings
from django.core.management.base import CommandError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.configuration import ConfigurationError
from netweave import health
from netweave.runtime import runtime
from o2ims.gateway import gateway

log = structlog.get_logger()

GRACE_SECONDS = 10
HEAD_LIMIT = 64 * 1024
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)
LAST_SECONDS = 24.0


class _Bounded(HttpToolsProtocol):
    """Ends a connection whose request line and headers grow beyond `HEAD_LIMIT`: by itself uvicorn keeps
    them all."""

    _head = 0
    _in_head = True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._in_head = 0, True

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: one process runs several."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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


def run(
    *,
    api: socket.socket | None,
    operations: socket.socket,
    web: bool,
    worker: bool,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serves until told to stop. `ready` is called once `/readyz` says so (for a worker: once it works)."""
    uvloop.run(_run(api, operations, web=web, worker=worker, ready=ready))


async def _run(
    api: socket.socket | None,
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
    servers = [(_server(health.operations, access=False), operations)]
    if api is not None:
        from netweave.asgi import application  # noqa: PLC0415 - a worker serves no API

        servers.append((_server(application, access=False), api))
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


def _server(app: object, *, access: bool) -> _Server:
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=_Bounded,
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=access,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            limit_concurrency=1000,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
