"""What a running process does besides answering: it follows the change log, the revocations and the
configuration.

follow   every second, and at once when a collector wakes us: mirror, principals; reads go to the audit trail
tidy     every minute: tombstones, old changes and operations (worker only)
settle   every second: writes whose outcome nobody told, and whose turn it is in groups of sources (worker
         only)
seal     every second: what has come to the audit trail (worker only)
fan out  at once when woken, and every second: changes become deliveries (worker only)
send     deliveries that are due (worker only)
collect  one collector a source (worker only), started anew when the configuration changes
"""

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import structlog
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError
from django.db import connections
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from o2ims import locks, operations, retention, turns
from o2ims.announcement import WAKE_GROUP
from o2ims.collector import Collector
from o2ims.gateway import gateway
from o2ims.mirror import mirror
from o2ims.models import Operation, Source
from o2ims.threads import in_thread
from subscriptions import retention as events
from subscriptions.dispatch import Outgoing
from tenancy import sealing
from tenancy.audit import waiting
from tenancy.principals import principals

log = structlog.get_logger()

Loop = Callable[[], Awaitable[None]]

FOLLOW_SECONDS = 1.0
END_SECONDS = 8.0
TIDY_SECONDS = 60.0
NOTE_SECONDS = 30.0
PARTITIONS_SECONDS = 3600.0
RECONFIGURE_SECONDS = 2.0
SETTLERS = 4


class Runtime:
    """The background tasks of one process."""

    def __init__(self) -> None:
        self.stopping = False
        self.web = False
        self.database = "unknown"
        self._wake = asyncio.Event()
        self._outgoing: Outgoing | None = None
        self._tasks: dict[Loop, asyncio.Task[None]] = {}
        self._noted = time.monotonic()
        # Apart from the collectors' threads: a backend that hangs must not keep them from anything.
        self._settling = ThreadPoolExecutor(SETTLERS, thread_name_prefix="settle")

    def start(self, *, web: bool, worker: bool) -> None:
        """Starts what a web process, a worker, or both in one need. Needs a running event loop."""
        self.web = principals.attended = web
        loops: list[Loop] = [self._listen]
        if web:
            loops.append(self._follow)
        if worker:
            self._outgoing = Outgoing(_name())
            loops += [self._collect, self._tidy, self._settle, self._seal]
            loops += [self._outgoing.fan_out, self._outgoing.send]
        self._wake = asyncio.Event()
        self._tasks = {loop: asyncio.create_task(self._supervise(loop), name=loop.__name__) for loop in loops}

    async def stop_collecting(self) -> None:
        """Lets go of every source and every lane, so that another worker can have them at once."""
        web = (self._follow, self._listen)
        await _end([task for loop, task in self._tasks.items() if loop not in web])

    async def stop(self) -> None:
        """Ends everything."""
        self.stopping = True
        await _end(self._tasks.values())
        if self.web:
            with suppress(DatabaseError, PoolTimeout):
                await in_thread(waiting.flush, all_of_it=True)

    async def _supervise(self, loop: Loop) -> None:
        while True:
            try:
                await loop()
            except Exception:  # the outer loop of each: what it could not handle must not end the process
                log.exception("loop_failed", loop=loop.__qualname__)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _follow(self) -> None:
        while True:
            try:
                await in_thread(self._follow_once)
                self._say("up")
            except (DatabaseError, PoolTimeout) as error:
                self._say("down", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    def _follow_once(self) -> None:
        principals.follow()
        mirror.follow()
        gateway.refresh()
        waiting.flush()
        if time.monotonic() - self._noted > NOTE_SECONDS:
            self._noted = time.monotonic()
            principals.note_use()

    def _say(self, database: str, **facts: str) -> None:
        if database != self.database:
            self.database = database
            log.info("database", state=database, **facts)

    async def _listen(self) -> None:
        """Wakes the follower when a collector has recorded something. Without Redis, it looks every second
        anyway."""
        layer = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(WAKE_GROUP, channel)
            while True:
                await layer.receive(channel)
                self._wake.set()
                if self._outgoing is not None:
                    self._outgoing.wake()
        except (RedisError, OSError) as error:
            log.warning("wake_ups_lost", error=type(error).__name__)

    async def _collect(self) -> None:
        with closing(await in_thread(locks.configured)) as held:
            await self._collect_under(held)

    async def _collect_under(self, held: locks.Locks) -> None:
        while True:
            configuration = gateway.current()
            try:
                await in_thread(Source.objects.follow, configuration)
            except (DatabaseError, PoolTimeout) as error:
                log.warning("sources_unsaved", error=type(error).__name__)
                await asyncio.sleep(FOLLOW_SECONDS)
                continue
            owner = _name()
            collectors = [
                asyncio.create_task(
                    self._supervise(Collector(backend, owner, held.of(backend, owner)).run),
                    name=f"collect {backend.name}",
                )
                for backend in configuration.backends
                if backend.enabled
            ]
            try:
                while gateway.current() is configuration:
                    await asyncio.sleep(RECONFIGURE_SECONDS)
                    await in_thread(gateway.refresh)
            finally:
                await _end(collectors)

    async def _settle(self) -> None:
        while True:
            try:
                await in_thread(turns.take_turns)
                for operation in await in_thread(operations.due):
                    self._settling.submit(settled, operation)
            except (DatabaseError, PoolTimeout) as error:
                self._say("down", error=type(error).__name__)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _seal(self) -> None:
        days = 0.0
        while True:
            try:
                if time.monotonic() > days:
                    await in_thread(sealing.make_partitions)
                    days = time.monotonic() + PARTITIONS_SECONDS
                await in_thread(sealing.seal)
            except (DatabaseError, PoolTimeout) as error:
                self._say("down", error=type(error).__name__)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _tidy(self) -> None:
        while True:
            try:
                await in_thread(events.tidy)
                await in_thread(retention.tidy, needed=events.needed())
                self._say("up")
            except (DatabaseError, PoolTimeout) as error:
                self._say("down", error=type(error).__name__)
            await asyncio.sleep(TIDY_SECONDS)


def settled(operation: Operation) -> None:
    """Settles one operation, in a thread of the pool."""
    try:
        operations.settle(operation)
    except (DatabaseError, PoolTimeout) as error:
        log.warning("operation_unsettled", operation=str(operation.pk), error=type(error).__name__)
    except Exception:  # the outer loop: what is due stays due
        log.exception("operation_unsettled", operation=str(operation.pk))
    finally:
        connections.close_all()


def _name() -> str:
    """Of an owner: who it is, for people, and once only."""
    return f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_SECONDS)


runtime = Runtime()
