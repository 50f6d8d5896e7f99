"""One collection, watched: an endless stream of its events, from a list's resourceVersion on.

ended at its time          watch again from the last version seen (bookmarks move it)
cut off, half a line       the same: whole lines were taken, and nothing after them
429, 503                   the same, after a pause: busy is no reason to list
no connection              two more tries within half a second, then Unreachable
410                        Relist("expired")
silent past its deadline   Relist("silent")
nonsense, ERROR            Relist("broken"), as when it ends at once again and again
anything else              its BackendError
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.errors import BackendError, Broken, Busy, Expired, NotFound, TimedOut, Unreachable
from adapters.ims.kubernetes.discovery import Collection
from adapters.kube import Cut, Session, Silent, pause

_GRACE_SECONDS = 10.0
_TRIES = 5
#: So many tries in a row, the one that was cut off included, before the API server counts as away.
_LOST = 3
_KINDS = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}


class Relist(Broken):
    """Only a new list helps; `reason` is one of `Batch.reason`."""

    def __init__(self, source: str, reason: str, detail: str) -> None:
        super().__init__(source, detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the raw object as it is, or (`gone`) was last, at `version`."""

    table: str
    raw: Any
    version: int
    gone: bool


class Reflector:
    """Follows one collection. `seconds` is how long the API server may keep one stream open."""

    def __init__(self, session: Session, collection: Collection, version: int, *, seconds: float) -> None:
        self._session, self._collection, self._seconds = session, collection, seconds
        self._version = version
        self._tries = 0
        self._what = f"watch {collection.plural}"

    async def events(self) -> AsyncGenerator[Event, None]:
        """The changes, in order. Ends only by raising."""
        while True:
            started, before = time.monotonic(), self._version
            trouble: BackendError | None = None
            try:
                async with aclosing(self._stream()) as stream:
                    async for event in stream:
                        yield event
            except BackendError as error:
                trouble = error
            if self._version > before or time.monotonic() - started > 1:
                self._tries = 0
            await asyncio.sleep(self._wait(trouble))

    def _wait(self, trouble: BackendError | None) -> float:
        """How long to wait before watching on after a stream that ended in trouble, or (None) in order; or
        raises."""
        self._tries += 1
        match trouble:
            case Silent():
                raise self._relist("silent", "it says nothing and does not end") from trouble
            case Expired():
                raise self._relist("expired", "it no longer knows where we were") from trouble
            case NotFound():  # its API is gone: a new list finds out what is left
                raise self._relist("broken", "it says there is none") from trouble
            case None | Cut() if self._tries > _TRIES:
                raise self._relist("broken", "it ends at once, again and again") from trouble
            case None | Cut():
                return 0.05 * 2**self._tries if self._tries > 1 else 0
            case Busy() if self._tries <= _TRIES:
                return pause(trouble, self._tries)
            case TimedOut():
                raise trouble
            case Unreachable() if self._tries <= _LOST:
                return 0.15 * self._tries
        raise trouble

    async def _stream(self) -> AsyncGenerator[Event, None]:
        # So that not all streams end together.
        # So that not all streams end together.
        seconds = self._seconds * random.uniform(0.75, 1.0)  # noqa: S311
        query = {
            **dict(self._collection.query),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self._version),
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        lines = self._session.lines(
            self._collection.path, query, what=self._what, seconds=seconds + _GRACE_SECONDS
        )
        async with aclosing(lines):
            async for line in lines:
                event = self._event(line)
                if event:
                    yield event

    def _event(self, line: bytes) -> Event | None:
        """The event of a line; None for a bookmark, which only moves the version."""
        try:
            said = orjson.loads(line)
            kind, raw = said["type"], said["object"]
            if kind == "ERROR":
                raise self._relist("expired" if raw.get("code") == 410 else "broken", "it reports an error")
            version = int(raw["metadata"]["resourceVersion"])
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._relist("broken", "it sends nonsense") from error
        if kind not in _KINDS:
            raise self._relist("broken", "it sends an event of an unknown type")
        self._version = max(version, self._version)
        if kind == "BOOKMARK":
            return None
        return Event(self._collection.table, raw, version, gone=kind == "DELETED")

    def _relist(self, reason: str, detail: str) -> Relist:
        return Relist(self._session.source, reason, f"asked to {self._what}, {detail}")
