"""When the next attempt is made, when the last one was, and what an endpoint's answers make of it.

    attempt ─► Outcome ─► Schedule.wait     seconds until the next attempt at the same notification
                          Schedule.is_over  whether it is a dead letter instead
                          after             whether its endpoint is healthy, probing or suspended

    healthy ── 5 failures in a row ──► probing ── nothing but failures for 72 h ──► suspended
       ▲  ▲                               │                                             ▲
       │  └────────── a success ──────────┘            410, from either ────────────────┘
       └───────────── resumed by somebody (a new `Health()`) ── suspended

Pure: no clock, no dice and no database but those that are handed in.
"""

from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from random import Random

HOUR = 3600.0
FAILURES_BEFORE_PROBING = 5
TRIES_OF_REFUSED = 3
WAIT_OF_SLOW = 60.0
"""Seconds at least before the next attempt, where an endpoint was too slow or said that we are too fast."""

_MOST_DIGITS = 9


class Outcome(StrEnum):
    """How one attempt ended: the class of it that is kept and shown, which names no address and no banner."""

    DELIVERED = "delivered"  # 2xx
    REFUSED = "refused"  # 400, 413, 422: this notification, not the endpoint
    GONE = "gone"  # 410
    REDIRECTED = "redirected"  # 3xx, never followed
    LIMITED = "limited"  # 429
    FAILED = "failed"  # any other status
    TIMEOUT = "timeout"
    CONNECT = "connect"  # nobody there, or gone in the middle
    DNS = "dns"
    TLS = "tls"
    FORBIDDEN = "forbidden"  # the address is one where callbacks may not go
    TOO_LARGE = "too_large"  # the head of the answer passes every bound
    BROKEN = "broken"  # what came is no HTTP


class State(StrEnum):
    """Of an endpoint: everything is tried, only the head of its queue, or nothing."""

    HEALTHY = "healthy"
    PROBING = "probing"
    SUSPENDED = "suspended"


def outcome_of(status: int) -> Outcome:
    """What an HTTP status means for a notification."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    if status in {400, 413, 422}:
        return Outcome.REFUSED
    return {410: Outcome.GONE, 429: Outcome.LIMITED}.get(status, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to try. All times are seconds; `scale` divides each of them, so that 72 hours may pass in
    seconds.

    `steps[n]` is the wait after n failed attempts, and the last one is repeated; `last_for` is when a
    notification becomes a dead letter and an endpoint that only fails is suspended; `jitter` is the share by
    which a wait varies either way; `probe` is the least time between two attempts at a probing endpoint.
    """

    steps: tuple[float, ...] = (0, 5, 30, 120, 600, 1800, HOUR)
    last_for: float = 72 * HOUR
    jitter: float = 0.2
    probe: float = 60.0
    scale: float = 1.0

    def wait(self, attempts: int, outcome: Outcome, retry_after: float | None, random: Random) -> float:
        """Seconds until the next attempt, after `attempts` failed ones of which the last ended as `outcome`.

        `retry_after` is what the endpoint asked for (seconds, unscaled), or None: it is honoured from the
        step itself up to twice the step or an hour, whichever is more.
        """
        base = float(self.steps[min(attempts, len(self.steps) - 1)])
        least = WAIT_OF_SLOW if outcome in {Outcome.TIMEOUT, Outcome.LIMITED} else 0.0
        base = max(base, least)
        if retry_after is not None:
            return min(max(retry_after, base), max(2 * base, HOUR)) / self.scale
        return max(base * random.uniform(1 - self.jitter, 1 + self.jitter), least) / self.scale

    def is_over(self, outcome: Outcome, attempts: int, since_first_attempt: float) -> bool:
        """Whether a notification whose last attempt ended as `outcome` is a dead letter now.

        `attempts` are those that ended like this one, so that a refusal after an outage has its three tries
        too; `since_first_attempt` is seconds as they really passed.
        """
        if outcome is Outcome.REFUSED and attempts >= TRIES_OF_REFUSED:
            return True
        return self._is_past(since_first_attempt)

    @property
    def between_probes(self) -> float:
        """Seconds at least between two attempts at a probing endpoint."""
        return self.probe / self.scale

    def gives_up(self, health: "Health", now: float) -> bool:
        """Whether an endpoint has done nothing but fail for as long as we try."""
        return health.failing_since is not None and self._is_past(now - health.failing_since)

    def _is_past(self, seconds: float) -> bool:
        return seconds * self.scale >= self.last_for


STANDARD = Schedule()


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of an endpoint: `failures` in a row, and when the first of them was (Unix seconds)."""

    state: State = State.HEALTHY
    failures: int = 0
    failing_since: float | None = None


def after(health: Health, outcome: Outcome, now: float, schedule: Schedule = STANDARD) -> Health:
    """What an endpoint's health is after one more attempt, at `now` (Unix seconds).

    A refusal is an answer, neither failure nor success. A suspended endpoint stays so, whatever an attempt
    says that was under way: only somebody who resumes it makes a new `Health`.
    """
    if outcome is Outcome.REFUSED or health.state is State.SUSPENDED:
        return health
    if outcome is Outcome.DELIVERED:
        return Health()
    since = now if health.failing_since is None else health.failing_since
    failed = Health(health.state, health.failures + 1, since)
    if outcome is Outcome.GONE or schedule.gives_up(failed, now):
        return replace(failed, state=State.SUSPENDED)
    if failed.failures >= FAILURES_BEFORE_PROBING:
        return replace(failed, state=State.PROBING)
    return failed


def retry_after(value: str, now: float) -> float | None:
    """Seconds from `now` (Unix seconds) that a Retry-After header asks for (RFC 9110 10.2.3: seconds or an
    HTTP date); 0 where that is past, None if it says neither."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[: _MOST_DIGITS + 1]), 10**_MOST_DIGITS))
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError, TypeError, IndexError):  # what the parser raises is not one thing
        return None
