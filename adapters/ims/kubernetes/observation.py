"""A cluster, observed: everything, then what changes, then everything again when only that helps.

survey ─► full Batch ─► reflectors ─┐
                        probe ──────┴─► queue ─► cluster ─► Batch …
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from adapters.errors import BackendError, Broken, Busy, Refused, TimedOut
from adapters.ims.kubernetes.cluster import Changes
from adapters.ims.kubernetes.reflector import Event, Reflector, Relist
from adapters.ims.kubernetes.survey import Survey
from adapters.kube import Session
from adapters.types import Batch

_log = structlog.get_logger()

#: After a first event, how long others may join its batch.
_DEBOUNCE_SECONDS = 0.02
_BATCH_LIMIT = 500
_QUEUE_LIMIT = 2 * _BATCH_LIMIT
#: The API server is asked for a sign of life this often, and given this long for it, twice.
_PROBE_SECONDS = 2.5
_PROBE_LIMIT = 3.0
_PROBE_PAUSE = 0.5
#: More relists in a row than this, each sooner after the last than that, and the collector's backoff takes
#: over.
_RELISTS = 5
_QUIET_SECONDS = 30.0

#: An event; a moment at which the API server answered; or why a task ended.
_Item: TypeAlias = Event | float | Exception


@dataclass(frozen=True, slots=True)
class Observation:
    """`survey` reads the whole cluster; `stream_seconds` is how long one watch request may last."""

    source: str
    session: Session
    survey: Callable[[], Awaitable[Survey]]
    stream_seconds: float

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """See `ImsAdapter.watch`. Ends only by raising."""
        reason, relists = "start", 0
        while True:
            started = time.monotonic()
            try:
                async with aclosing(self._until_relist(reason)) as batches:
                    async for batch in batches:
                        yield batch
            except Relist as relist:
                relists = 1 if time.monotonic() - started > _QUIET_SECONDS else relists + 1
                if relists > _RELISTS:
                    raise Broken(self.source, f"cannot be watched: {relist.detail}") from relist
                _log.info(
                    "watch needs a new list", source=self.source, reason=relist.reason, detail=relist.detail
                )
                reason = relist.reason
                await asyncio.sleep(0.1 * 2**relists if relists > 1 else 0)

    async def _until_relist(self, reason: str) -> AsyncGenerator[Batch, None]:
        async with aclosing(self._survey(first=reason == "start")) as steps:
            async for step in steps:
                if isinstance(step, Batch):
                    yield step
                else:
                    found = step
        # In a thread: to map 10,000 nodes takes as long as many other things may wait for this event loop.
        changes = await asyncio.to_thread(found.cluster.drain)
        checkpoint = str(found.version)
        yield Batch(
            objects=changes.objects,
            full=True,
            reason=reason,
            checkpoint=checkpoint,
            skipped=changes.skipped,
            unmapped=changes.unmapped,
        )
        queue: asyncio.Queue[_Item] = asyncio.Queue(_QUEUE_LIMIT)
        reflectors = [
            Reflector(self.session, collection, found.version, seconds=self.stream_seconds)
            for collection in found.collections
        ]
        tasks = [asyncio.create_task(_pump(reflector, queue)) for reflector in reflectors]
        tasks.append(asyncio.create_task(_probe(self.session, queue)))
        try:
            while True:
                items = await _some(queue)
                alive = False
                for item in items:
                    match item:
                        case Event():
                            found.cluster.take(item.table, item.raw, item.version, gone=item.gone)
                            checkpoint = str(item.version)
                        case float():
                            alive = alive or time.monotonic() - item < _PROBE_LIMIT
                for batch in _batches(found.cluster.drain(), checkpoint, alive=alive):
                    yield batch
                if isinstance(items[-1], Exception):
                    raise items[-1]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _survey(self, *, first: bool) -> AsyncGenerator[Batch | Survey, None]:
        """The survey, last; before it, unless it is the first, a sign of life while the API server gives
        one."""
        task = asyncio.ensure_future(self.survey())
        said = time.monotonic()
        try:
            while not (await asyncio.wait({task}, timeout=_PROBE_SECONDS))[0]:
                if not first and self.session.answered > said:
                    said = time.monotonic()
                    yield Batch()
            yield task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _pump(reflector: Reflector, queue: asyncio.Queue[_Item]) -> None:
    try:
        async with aclosing(reflector.events()) as events:
            async for event in events:
                await queue.put(event)
    except Exception as error:  # noqa: BLE001 - raised again by who reads the queue, after the events before it
        await queue.put(error)


async def _probe(session: Session, queue: asyncio.Queue[_Item]) -> None:
    failed: BackendError | None = None
    while True:
        started = time.monotonic()
        try:
            await session.get("/version", what="read its version", limit=_PROBE_LIMIT)
            failed = None
        except Busy:
            failed = None  # it answered
        except BackendError as error:
            if failed or isinstance(error, Refused):
                await queue.put(error)
                return
            failed = error
            await asyncio.sleep(0 if isinstance(error, TimedOut) else _PROBE_PAUSE)
            continue
        await queue.put(time.monotonic())
        await asyncio.sleep(started + _PROBE_SECONDS - time.monotonic())


async def _some(queue: asyncio.Queue[_Item]) -> list[_Item]:
    """At least one item, and what comes soon after it; an exception is the last one."""
    items = [await queue.get()]
    if isinstance(items[0], Event):
        await asyncio.sleep(_DEBOUNCE_SECONDS)
    while len(items) < _BATCH_LIMIT and not isinstance(items[-1], Exception) and not queue.empty():
        items.append(queue.get_nowait())
    return items


def _batches(changes: Changes, checkpoint: str, *, alive: bool) -> list[Batch]:
    """In as few batches as the limit allows, what came before what went."""
    all_ = [*changes.objects, *changes.gone]
    if not all_ and not changes.skipped:
        return [Batch(checkpoint=checkpoint)] if alive else []
    border, found = len(changes.objects), []
    for start in range(0, max(1, len(all_)), _BATCH_LIMIT):
        end = start + _BATCH_LIMIT
        found.append(
            Batch(
                objects=changes.objects[start:end],
                gone=changes.gone[max(0, start - border) : max(0, end - border)],
                checkpoint=checkpoint,
                skipped=changes.skipped if start == 0 else 0,
            )
        )
    return found
