"""A TCP proxy that misbehaves on demand, in front of any peer.

    with FaultProxy(redis.port) as proxy:
        proxy.fault = Slow(0.5)

    Pass()            what a wire does
    Refuse()          new connections are reset before a byte is exchanged
    Reset(after)      RST once `after` bytes have come from the peer
    Truncate(after)   an orderly end in the middle: the connection closes after `after` bytes from the peer
    HalfClose(after)  the same towards the client, while its own bytes still go through
    Slow(seconds)     every piece from the peer comes that much later
    Silence()         connections stay open, and nothing comes back

The fault may change at any time; open connections follow it from their next piece of data on.
"""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Pass:
    pass


@dataclass(frozen=True, slots=True)
class Refuse:
    pass


@dataclass(frozen=True, slots=True)
class Reset:
    after: int = 0


@dataclass(frozen=True, slots=True)
class Truncate:
    after: int = 0


@dataclass(frozen=True, slots=True)
class HalfClose:
    after: int = 0


@dataclass(frozen=True, slots=True)
class Slow:
    seconds: float


@dataclass(frozen=True, slots=True)
class Silence:
    pass


Fault = Pass | Refuse | Reset | Truncate | HalfClose | Slow | Silence

_PIECE = 65536


class FaultProxy:
    """Listens on a free loopback port (`port`) from `start()` to `close()`; talks to the port `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.fault: Fault = Pass()
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)

    def close(self) -> None:
        """Ends every connection and the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def drop(self) -> None:
        """Resets every connection that is open now; new ones are served."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._drop()

    async def _drop(self) -> None:
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        peer: asyncio.StreamWriter | None = None
        try:
            if isinstance(self.fault, Refuse):
                _make_reset(client)
                return
            answers, peer = await asyncio.open_connection("127.0.0.1", self.target)
            up = asyncio.create_task(_pump(reader, peer))
            try:
                await self._answer(answers, client)
                if isinstance(self.fault, HalfClose):
                    await up
            finally:
                up.cancel()
        except OSError:
            _make_reset(client)
        except asyncio.CancelledError:
            _make_reset(client)  # drop() and close(): the server's own callback must not see the cancellation
        finally:
            self._open.discard(task)
            for writer in filter(None, (peer, client)):
                writer.transport.abort() if writer is peer else writer.close()

    async def _answer(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Carries the peer's bytes to the client as the fault of the moment allows, to either one's end."""
        sent = 0
        while piece := await answers.read(_PIECE):
            while isinstance(self.fault, Silence):  # noqa: ASYNC110  (the fault is set by another thread)
                await asyncio.sleep(0.02)
            fault = self.fault
            if isinstance(fault, Slow):
                await asyncio.sleep(fault.seconds)
            if isinstance(fault, Reset | Truncate | HalfClose):
                piece = piece[: max(0, fault.after - sent)]
            client.write(piece)
            await client.drain()
            sent += len(piece)
            if isinstance(fault, Reset | Truncate | HalfClose) and sent >= fault.after:
                if isinstance(fault, Reset):
                    _make_reset(client)
                if isinstance(fault, HalfClose):
                    client.write_eof()
                return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


def _make_reset(writer: asyncio.StreamWriter) -> None:
    """The coming close will send RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
