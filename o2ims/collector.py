"""Follows one source: lists and watches its backend (or polls it), and has what it sees recorded.

    wait for the locks ─► check ─► watch ─► full list ─► changes … ─► list again every COMPARE_INTERVAL
                 ▲                   │
                 └── backoff ◄── any error: the source is down, its objects stay as they were

Whatever goes wrong in between is mended by the next full list; nothing is inferred from a list that did not
end well.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models.functions import Now

from adapters.base import ImsAdapter
from adapters.configuration import Backend
from adapters.errors import BackendError, TimedOut, named
from adapters.types import Ability, Batch, InventoryObject, Metadata
from api import requests
from o2ims import metrics
from o2ims.announcement import announce
from o2ims.connections import connect
from o2ims.lease import RENEW_DEADLINE, RETRY_SECONDS, Lease, Lost
from o2ims.locks import Lock
from o2ims.models import Change, Source
from o2ims.record import Cause, Fenced, Key, Record
from o2ims.sighting import Origin, Sighting, sight
from o2ims.threads import in_thread

log = structlog.get_logger()
_R = TypeVar("_R")

SILENCE_SECONDS = 15.0
CHECK_SECONDS = 30.0
SETTLE_SECONDS = 2.0
LIST_SECONDS = 120.0
RETRY_AFTER_MOST = 300.0
BACKOFF_FIRST, BACKOFF_MOST, QUIET_SECONDS = 0.8, 30.0, 120.0
HOLD_SHARE, HOLD_COUNT = 0.3, 50


class Vanished(Exception):
    """A complete list lacks so many objects that we do not believe it yet."""


class Collector:
    """Collects one source for as long as it runs; does nothing while another process does."""

    def __init__(self, backend: Backend, owner: str, lock: Lock | None = None) -> None:
        self._backend = backend
        self._owner = owner
        self._lock = lock or Lock()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"adapter {backend.name}")
        self._contact = False
        self._latency_ms: int | None = None
        self._held = 0.0
        self._backoff = BACKOFF_FIRST

    async def run(self) -> None:
        """Until cancelled: waits for both locks, follows the source, and lets go."""
        source_id = await self._source_id()
        while True:
            try:
                if (lease := await self._taken(source_id)) is not None:
                    await self._hold(lease)
            finally:
                await asyncio.shield(self._lock.release())
            await asyncio.sleep(RETRY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - not for secrets

    async def _taken(self, source_id: int) -> Lease | None:
        try:
            if await self._lock.take(source_id):
                return await in_thread(Lease.acquire, source_id, self._owner)
        except DatabaseError as error:
            log.warning("lease_unavailable", source=self._backend.name, error=type(error).__name__)
        return None

    async def _source_id(self) -> int:
        while True:
            try:
                return await in_thread(lambda: Source.objects.get(key=self._backend.key).pk)
            except DatabaseError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _hold(self, lease: Lease) -> None:
        log.info("source_taken", source=self._backend.name, epoch=lease.epoch)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lock.keep())
                group.create_task(self._renew(lease))
                group.create_task(self._follow(lease))
        except* (Lost, Fenced):
            log.warning("source_lost", source=self._backend.name, epoch=lease.epoch)
        finally:
            metrics.forget(self._backend.name)
            await asyncio.shield(self._release(lease))

    async def _release(self, lease: Lease) -> None:
        try:
            await in_thread(lease.release)
        except DatabaseError:
            log.warning("release_failed", source=self._backend.name)  # it runs out by itself

    async def _renew(self, lease: Lease) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            contact, self._contact = self._contact, False
            try:
                async with asyncio.timeout(RENEW_DEADLINE):
                    await in_thread(self._renew_once, lease, contact=contact)
                renewed = time.monotonic()
            except (DatabaseError, TimeoutError) as error:
                self._contact = contact or self._contact
                if time.monotonic() - renewed > RENEW_DEADLINE:
                    raise Lost from error

    @staticmethod
    def _renew_once(lease: Lease, *, contact: bool) -> None:
        lease.renew()
        if contact:
            Source.objects.filter(pk=lease.source_id, epoch=lease.epoch).update(contact_at=Now())

    async def _follow(self, lease: Lease) -> None:
        while True:
            started = time.monotonic()
            try:
                await self._collect(lease)
                again_in = 0.0
            except Vanished as vanished:
                await self._say(lease, Source.State.HOLDING, vanished)
                again_in = settings.HOLD_DELAY.total_seconds()
            except (BackendError, DatabaseError) as error:
                await self._say(lease, Source.State.DOWN, error)
                asked = min(getattr(error, "retry_after", None) or 0.0, RETRY_AFTER_MOST)
                again_in = max(self._next_backoff(started), asked)
            except (Lost, Fenced):
                raise
            except Exception as error:  # the outer loop: a bug in one adapter must not end the others' work
                log.exception("source_failed", source=self._backend.name)
                await self._say(lease, Source.State.DOWN, error)
                again_in = self._next_backoff(started)
            await asyncio.sleep(again_in)

    def _call(self, call: Callable[[], _R]) -> Awaitable[_R]:
        """A blocking call of the adapter, in a thread of this source's own: one that hangs delays no other
        source."""
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _next_backoff(self, started: float) -> float:
        if time.monotonic() - started > QUIET_SECONDS:
            self._backoff = BACKOFF_FIRST
        pause = self._backoff * random.uniform(0.1, 1.0)  # noqa: S311 - not for secrets
        self._backoff = min(self._backoff * 2, BACKOFF_MOST)
        return pause

    async def _collect(self, lease: Lease) -> None:
        """Follows the backend until something goes wrong."""
        adapter = connect(self._backend)
        try:
            asked = time.monotonic()
            await self._within(CHECK_SECONDS, self._call(adapter.check))
            self._took(asked)
            metadata = adapter.metadata()
            record = Record(lease.source_id, lease.epoch, Origin.of(self._backend, adapter))
            abilities = sorted(str(ability) for ability in metadata.can)
            watched = Ability.REAL_TIME_EVENTS in metadata.can
            fresh = SILENCE_SECONDS + (5 if watched else self._backend.poll.total_seconds())
            said = {"version": metadata.version, "abilities": abilities, "latency_ms": self._latency_ms}
            await in_thread(record.settle, fresh_seconds=fresh, **said)
            self._contact = True
            if watched:
                await self._watch(adapter, record)
            else:
                await self._poll(adapter, record)
        finally:
            adapter.close()

    async def _poll(self, adapter: ImsAdapter, record: Record) -> None:
        while True:
            since = await in_thread(record.sequence)
            asked = time.monotonic()
            objects = await self._within(LIST_SECONDS, self._call(lambda: tuple(adapter.everything())))
            self._took(asked)
            await self._take(record, Batch(objects=objects, full=True, reason="poll"), since)
            await asyncio.sleep(self._backend.poll.total_seconds())

    async def _watch(self, adapter: ImsAdapter, record: Record) -> None:
        batches = adapter.watch(await in_thread(record.checkpoint))
        asked: float | None = time.monotonic()
        try:
            compare_at = time.monotonic() + jittered(settings.COMPARE_INTERVAL)
            limit = LIST_SECONDS
            since = await in_thread(record.sequence)
            while True:
                batch = await self._next(batches, limit)
                if batch.full and asked is not None:
                    self._took(asked)
                    limit, asked = SILENCE_SECONDS, None
                await self._take(record, batch, since)
                told = batch.full or batch.objects or batch.gone or batch.checkpoint
                if compare := time.monotonic() > compare_at:
                    batches = await self._compare(adapter, record, batches)
                    compare_at = time.monotonic() + jittered(settings.COMPARE_INTERVAL)
                if told or compare:  # after a mere sign of life a list may have begun already
                    since = await in_thread(record.sequence)
        finally:
            await batches.aclose()

    async def _compare(
        self, adapter: ImsAdapter, record: Record, watched: AsyncGenerator[Batch, None]
    ) -> AsyncGenerator[Batch, None]:
        """Lists everything anew beside the running watch, lets that one catch up, and repairs what then
        still differs. Returns the new watch, which is followed from here on."""
        since = await in_thread(record.sequence)
        successor, asked = adapter.watch(""), time.monotonic()
        try:
            while not (listing := await self._next(successor, LIST_SECONDS)).full:
                pass  # it says that the backend is there, while the list is being read
            self._took(asked)
            until = time.monotonic() + SETTLE_SECONDS
            with suppress(TimeoutError):
                while (left := until - time.monotonic()) > 0:
                    async with asyncio.timeout(left):
                        batch = await anext(watched)
                    await self._take(record, batch, since)
            repairs = await self._take(record, replace(listing, reason="compare"), since)
        except BaseException:
            await successor.aclose()
            raise
        finally:
            await watched.aclose()
        metrics.REPAIRS.labels(self._backend.name).inc(len(repairs))
        return successor

    async def _next(self, batches: AsyncGenerator[Batch, None], limit: float) -> Batch:
        batch = await self._within(limit, anext(batches))
        self._contact = True
        return batch

    def _took(self, asked: float) -> None:
        """The backend has answered what it was asked then."""
        self._latency_ms = round((time.monotonic() - asked) * 1000)

    async def _within(self, seconds: float, call: Awaitable[_R]) -> _R:
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError as error:
            raise TimedOut(self._backend.name, f"silent for {seconds:.0f} s") from error

    async def _take(self, record: Record, batch: Batch, since: int) -> list[Change]:
        if not (batch.objects or batch.gone or batch.full):
            return []
        trace = requests.traceparent("")
        cause = Cause(request_id=trace[3:35], traceparent=trace)
        sightings, unmapped = await in_thread(self._sight, record.origin, batch.objects)
        skipped = len(unmapped) + batch.skipped
        metrics.SKIPPED.labels(self._backend.name).inc(skipped)
        ends: list[tuple[Key, str]] = []
        if batch.full:  # before anything of a list is recorded that is not to be believed
            seen = {s.key for s in sightings} | record.keys_of(*unmapped, *batch.unmapped)
            as_of = self._as_of(record, batch)
            # First: from here on no own write begins what the list lacks, and one that just did is missing.
            await in_thread(record.settle, listed_version=as_of)
            ends = await self._missing(record, seen, since, as_of)
        changes = await in_thread(record.sightings, sightings, cause, since=since if batch.full else None)
        if batch.full:
            changes += await in_thread(record.gone, ends, cause, since=since)
            await self._listed(record, batch, skipped)
        else:
            changes += await in_thread(
                record.gone, [(record.key_of(g), g.version) for g in batch.gone], cause
            )
            await in_thread(record.settle, checkpoint=batch.checkpoint)
        await announce(self._backend.name, changes, cause.request_id)
        return changes

    async def _missing(self, record: Record, seen: set[Key], since: int, as_of: str) -> list[tuple[Key, str]]:
        """What a complete list lacks is gone, unless that is so much that it must be said twice."""
        missing, living = await in_thread(record.missing, seen, since, as_of=as_of)
        lately = time.monotonic() - self._held < 3 * settings.HOLD_DELAY.total_seconds() + LIST_SECONDS
        if len(missing) > HOLD_COUNT and len(missing) > HOLD_SHARE * living and not (self._held and lately):
            self._held = time.monotonic()
            raise Vanished(
                f"{self._backend.name}: {len(missing)} of {living} objects are missing from a complete list"
            )
        self._held = 0.0
        return missing

    async def _listed(self, record: Record, batch: Batch, skipped: int) -> None:
        name = self._backend.name
        newly = await in_thread(self._newly, Source.State.UP)
        await in_thread(
            record.settle,
            checkpoint=batch.checkpoint,
            listed_at=Now(),
            contact_at=Now(),
            latency_ms=self._latency_ms,
            state=Source.State.UP,
            error="",
            error_class="",
            skipped=skipped,
            **newly,
        )
        metrics.RELISTS.labels(name, batch.reason).inc()
        metrics.SOURCE_UP.labels(name).set(1)
        metrics.SOURCE_HOLDING.labels(name).set(0)
        metrics.failing(name, "")
        log.info(
            "source_listed", source=name, reason=batch.reason, objects=len(batch.objects), skipped=skipped
        )

    @staticmethod
    def _as_of(record: Record, batch: Batch) -> str:
        """The version as of which a complete list is, '' where there is none to compare with."""
        comparable = record.origin.ordered and batch.checkpoint.isdecimal() and len(batch.checkpoint) <= 40
        return batch.checkpoint if comparable else ""

    def _sight(self, origin: Origin, things: tuple[InventoryObject, ...]) -> tuple[list[Sighting], list[str]]:
        """What was seen, and the native ids of what cannot be stored: they are there all the same."""
        seen: list[Sighting] = []
        unmapped: list[str] = []
        for thing in things:
            try:
                seen.append(sight(origin, thing))
            except (ValueError, TypeError) as error:
                unmapped.append(thing.native_id)
                log.warning(
                    "object_skipped", source=self._backend.name, native_id=thing.native_id, error=str(error)
                )
        return seen, unmapped

    def _newly(self, state: Source.State) -> dict[str, object]:
        """What else to write when the state is a new one."""
        was = Source.objects.values_list("state", flat=True).get(key=self._backend.key)
        return {} if was == state else {"state_since": Now()}

    async def _say(self, lease: Lease, state: Source.State, error: Exception) -> None:
        """Writes down why the source is not up. The text is for the operator; callers get the class."""
        name = self._backend.name
        metrics.SOURCE_UP.labels(name).set(0)
        metrics.SOURCE_HOLDING.labels(name).set(1 if state is Source.State.HOLDING else 0)
        metrics.failing(name, named(error))
        log.warning("source_state", state=str(state), source=name, error_class=named(error), error=str(error))
        text = str(error) if isinstance(error, BackendError | Vanished) else "an internal error; see the log"
        try:
            facts = {"state": state, "error": text, "error_class": named(error)[:40], "error_at": Now()}
            if state is Source.State.DOWN:
                facts["latency_ms"] = None
            newly = await in_thread(self._newly, state)
            update = Source.objects.filter(pk=lease.source_id, epoch=lease.epoch).update
            await in_thread(lambda: update(**facts, **newly))
        except DatabaseError:
            log.warning("state_unsaved", source=name, state=str(state))


def check(backend: Backend) -> Metadata:
    """Asks one backend whether it is there and lets us in. Returns what it said; raises `BackendError`."""
    adapter = connect(backend)
    try:
        adapter.check()
        return adapter.metadata()
    finally:
        adapter.close()


def read(backend: Backend) -> tuple[Metadata, int]:
    """Asks as `check` does, and lists everything once, which tells what a few questions do not. Returns what
    the backend said, and how many objects it has; raises `BackendError`."""
    adapter = connect(backend)
    try:
        adapter.check()
        return adapter.metadata(), sum(1 for _ in adapter.everything())
    finally:
        adapter.close()


def jittered(interval: timedelta) -> float:
    """About `interval`, in seconds, so that sources do not list in step."""
    return interval.total_seconds() * random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
