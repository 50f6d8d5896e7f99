"""What a worker does for subscriptions: it fans out, and keeps up to `SLOTS` sends under way.

    claim ─► ready (up to `AHEAD`) ─► under way (up to `SLOTS`) ─► ended ─► complete

A slot is free again once what came of its send is committed: a process that dies leaves no more than `SLOTS`
deliveries of which nobody knows whether they arrived.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from psycopg_pool import PoolTimeout

from o2ims.threads import in_thread
from subscriptions import delivery, fanout, keyring, metrics, signing, store
from subscriptions.claim import Claim, Ended
from subscriptions.completion import Completion
from subscriptions.event import Event, Log
from subscriptions.notification import Writer, test_body, test_id, webhook_id
from subscriptions.outbox import Allowance, Outbox, Room
from subscriptions.policies import Policies
from subscriptions.registry import Registry
from subscriptions.schedule import Outcome, Schedule
from subscriptions.sessions import Sessions
from subscriptions.subscription import Subscription

log = structlog.get_logger()
_T = TypeVar("_T")
_R = TypeVar("_R")

SLOTS = 50
AHEAD = SLOTS  # claims that are ready when a slot is: no slot waits for the database
PER_ENDPOINT = 4  # of its lanes: all
PER_TENANT = SLOTS // 4
RENEW_SECONDS = 2.0
QUICK_SECONDS = 1.0
STALE_SECONDS = 1.0  # what is ready for longer is given back: who knows what has been ended meanwhile
POLL_SECONDS = 1.0
# Completing is a transaction: it is worth it for this many, or after this long.
MANY, GATHER_SECONDS = SLOTS // 2, 0.005
STUCK_SECONDS = 2 * delivery.ALL_SECONDS  # no send takes so long
END_SECONDS = 5.0  # what is under way has so long to end


class Ready(NamedTuple):
    """One delivery to send, with the change that is to be told (None: a test), and when (by the monotonic
    clock) the subscriptions were looked at."""

    claim: Claim
    what: Event | None
    at: float


class Dispatcher:
    """The sends of one worker. Needs a running event loop; `wake` may be called from any task."""

    def __init__(self, owner: str, registry: Registry) -> None:
        schedule = Schedule(scale=float(settings.DELIVERY_HASTE))
        self._outbox = Outbox(owner, Completion(schedule))
        self._registry = registry
        self._policies = Policies()
        self._allowed = Allowance(PER_ENDPOINT)
        self._log = Log()
        self._writer = Writer()
        self._ready: deque[Ready] = deque()
        self._unused: list[Claim] = []  # to be given back
        self._ahead = AHEAD
        self._under_way: dict[Claim, asyncio.Task[None]] = {}
        self._began: dict[Claim, float] = {}
        self._ending = False
        self._ended: list[Ended] = []
        self._news, self._over, self._many = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._renewed = time.monotonic()

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Sends until cancelled; then what is under way is given up, and told by who finds it."""
        async with Sessions(delivery.policy()) as self._to:
            try:
                async with asyncio.TaskGroup() as loops:
                    loops.create_task(self._claim())
                    loops.create_task(self._complete())
            finally:
                await self._end()

    async def _claim(self) -> None:
        """Takes what is due, as long as there is room, and starts to send it."""
        while True:
            soonest = POLL_SECONDS
            try:
                await self._give_back()
                room = self._room()
                if room.free:
                    soonest = await _whole(self._turn, room)
                    await self._to.arrange(self._policies.current)
                    self._start()
                await self._renew()
            except (DatabaseError, PoolTimeout) as error:
                soonest = POLL_SECONDS
                log.warning("deliveries_paused", error=type(error).__name__)
            await _wait(self._news, soonest)
            self._news.clear()

    async def _complete(self) -> None:
        """Tells the database what has ended, many at a time."""
        while True:
            await self._over.wait()
            if len(self._ended) < MANY:
                await _wait(self._many, GATHER_SECONDS)
            self._over.clear()
            self._many.clear()
            ended, self._ended = self._ended, []
            told = [one.claim for one in ended]
            try:
                await _whole(self._outbox.complete, ended)
            except (DatabaseError, PoolTimeout) as error:
                log.warning("completion_paused", error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
            finally:
                self._free(told, ended)
            self._ahead = AHEAD
            self._start()
            self._news.set()

    def _free(self, told: Sequence[Claim], rest: Sequence[Ended]) -> None:
        """What was told is not under way any more; the rest is told as soon as somebody listens."""
        left = {one.claim for one in rest}
        for claim in told:
            if claim not in left:
                self._under_way.pop(claim, None)
                self._began.pop(claim, None)
        if rest:
            self._ended = [*rest, *self._ended]
            self._over.set()

    def _room(self) -> Room:
        held = [*(one.claim for one in self._ready), *self._under_way]
        return Room(
            free=max(0, SLOTS + self._ahead - len(held)),
            endpoints=Counter(claim.subscription for claim in held),
            allowed=self._allowed,
            tenants=Counter(claim.tenant for claim in held),
            slow=Counter(claim.tenant for claim in held if self._allowed.is_slow(claim.subscription)),
            per_tenant=PER_TENANT,
        )

    def _turn(self, room: Room) -> float:
        """Claims what is due, and reads what is to be told. In how many seconds there is more."""
        claims, soonest = self._outbox.claim(room)
        self._unused += claims  # until all is known that sending them needs
        at = time.monotonic()
        if claims:
            self._policies.follow()
            if self._registry.version != store.newest():
                self._registry.follow()
        changes = self._log.read({claim.change for claim in claims if claim.change is not None})
        self._ready.extend(Ready(claim, changes.get(claim.change), at) for claim in claims)
        del self._unused[len(self._unused) - len(claims) :]
        return soonest

    def _start(self) -> None:
        """Begins to send what is ready, as far as there are slots."""
        while self._ready and len(self._under_way) < SLOTS and not self._is_stale(self._ready[0]):
            claim, what, _ = self._ready.popleft()
            self._under_way[claim] = task = asyncio.create_task(self._send(claim, what))
            self._began[claim] = time.monotonic()
            task.add_done_callback(partial(self._notice, claim))

    def _notice(self, claim: Claim, task: asyncio.Task[None]) -> None:
        """A send has ended, however: one that broke, or was stuck, is tried again like any that fails. A
        claim without an end would be held, and renewed, for good."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None or self._ending:
            return
        log.error("send_broken", subscription=claim.subscription, error=repr(error))
        self._ended.append(
            Ended(
                claim=claim, outcome=Outcome.BROKEN, status=None, milliseconds=0, answer="", retry_after=None
            )
        )
        self._over.set()

    @staticmethod
    def _is_stale(ready: Ready) -> bool:
        return time.monotonic() - ready.at > STALE_SECONDS

    async def _give_back(self) -> None:
        """Claims that cannot be sent, or not in time, are for whoever comes."""
        while self._ready and self._is_stale(self._ready[0]):
            self._unused.append(self._ready.popleft().claim)
        if self._unused:
            self._ahead = 0  # as long as no slot gets free, others may have them
            await _whole(self._outbox.release, self._unused)
            self._unused = []

    async def _send(self, claim: Claim, what: Event | None) -> None:
        subscription = self._registry.subscriptions.get(claim.subscription)
        answer = delivery.Answer(Outcome.GONE, None, 0.0)  # it has ended meanwhile
        if subscription is not None:
            try:
                body, headers = self._written(subscription, claim, what)
            except keyring.Unreadable as error:
                log.warning("secret_unreadable", subscription=claim.subscription, error=str(error))
                answer = delivery.Answer(Outcome.BROKEN, None, 0.0)
            except Exception:  # whatever it was: a claim without an end would be held for good
                log.exception("notification_unwritten", subscription=claim.subscription, change=claim.change)
                answer = delivery.Answer(Outcome.BROKEN, None, 0.0)
            else:
                session = self._to.of(subscription.tenant or "")
                answer = await delivery.post(session, subscription.callback, body, headers)
            quick = answer.outcome in {Outcome.DELIVERED, Outcome.REFUSED} and answer.seconds < QUICK_SECONDS
            self._allowed.learn(claim.subscription, quick=quick)
        if answer.outcome is Outcome.DELIVERED and what is not None and claim.number == 1:
            metrics.LATENCY.observe(max(0.0, time.time() - what.at))
        self._ended.append(
            Ended(
                claim=claim,
                outcome=answer.outcome,
                status=answer.status,
                milliseconds=round(answer.seconds * 1000),
                answer=answer.text,
                retry_after=answer.wait,
            )
        )
        self._over.set()
        if len(self._ended) >= MANY:
            self._many.set()

    def _written(self, to: Subscription, claim: Claim, what: Event | None) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of one attempt."""
        thin, traced = False, {}
        if what is None:
            message_id = test_id(to.id, claim.sequence)
            body = test_body(to, message_id)
        else:
            message_id = webhook_id(what.source, what.sequence, to.id)
            body, thin = self._writer.write(to, what, message_id)
            traced = {"X-Request-Id": what.request_id, "traceparent": what.traceparent}
        now = datetime.now(UTC)
        headers = {
            **signing.headers(to.signing_secrets(now), message_id, int(now.timestamp()), body),
            "Content-Type": "application/json",
            "o2-sequence": str(claim.sequence),
            **{name: value for name, value in traced.items() if value},
            **({"o2-thin": "true"} if thin else {}),
        }
        return body, headers

    async def _renew(self) -> None:
        if self._under_way and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            for claim, task in self._under_way.items():
                if self._renewed - self._began[claim] > STUCK_SECONDS:
                    task.cancel()
            await in_thread(self._outbox.renew, list(self._under_way))

    async def _end(self) -> None:
        """Whatever has come back is told; the rest is somebody else's after its claim ends."""
        self._ending = True
        tasks = list(self._under_way.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_SECONDS)
            for task in late:
                task.cancel()
        left = [claim for claim in self._under_way if claim not in {one.claim for one in self._ended}]
        with suppress(DatabaseError, PoolTimeout):
            await in_thread(self._outbox.complete, self._ended)
            await in_thread(self._outbox.let_go, left)
            await in_thread(self._outbox.release, [*self._unused, *(one.claim for one in self._ready)])


async def _whole(call: Callable[[_T], _R], given: _T) -> _R:
    """`call(given)` in a thread, to its end: who is cancelled meanwhile waits for it, so that nothing is
    written behind their back."""
    work = asyncio.ensure_future(in_thread(call, given))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work], timeout=END_SECONDS)
        raise


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Outgoing:
    """Both loops of one worker."""

    def __init__(self, owner: str) -> None:
        self.registry = Registry()
        self._woken = asyncio.Event()
        self._dispatcher = Dispatcher(owner, self.registry)

    def wake(self) -> None:
        """The change log has grown, or something is to be sent."""
        self._woken.set()
        self._dispatcher.wake()

    async def send(self) -> None:
        """Sends until cancelled."""
        await self._dispatcher.run()

    async def fan_out(self) -> None:
        """Follows the change log until cancelled: at once when woken, and every second anyway."""
        while True:
            self._woken.clear()
            try:
                left = 1
                while left:
                    left = await in_thread(fanout.fan_out, self.registry)
                    self._dispatcher.wake()
            except (DatabaseError, PoolTimeout) as error:
                log.warning("fan_out_paused", error=type(error).__name__, detail=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
