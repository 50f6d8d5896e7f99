"""How fast callers may ask: token buckets in Redis, so that all processes together keep to one limit.

    who is known  ─► the tenant's bucket and the caller's own, both in one script: one round trip a request
    a stranger    ─► the address's
    a page        ─► the address's, another one

A request is let through only where each of its buckets has a token, and takes one of each then. Without Redis
nobody can be counted: `RATE_LIMIT_WITHOUT_REDIS` says what happens, and nobody waits to find that out twice.
"""

import math
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.core.validators import RegexValidator
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from tenancy.metrics import RATE_LIMIT_ERRORS, RATE_LIMITED

log = structlog.get_logger()

AWAY_SECONDS = 5.0  # between two looks whether Redis is back
PATTERN = r"[1-9][0-9]{0,5}/[1-9][0-9]{0,6}"
written = RegexValidator(rf"\A{PATTERN}\Z", "Requests a second and at once, such as 200/400.")

# KEYS: the buckets. ARGV: the rate and the size of each. What is left is counted on the server's own clock.
# Gives which bucket refuses (0: none), the seconds until it would not, and what is left in each.
_SCRIPT = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local left, refused, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local rate, size = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local kept = redis.call('HMGET', key, 't', 'n')
  local since = math.max(0, now - (tonumber(kept[1]) or now))
  left[i] = math.min(size, (tonumber(kept[2]) or size) + since * rate)
  if left[i] < 1 and (1 - left[i]) / rate > wait then
    refused, wait = i, (1 - left[i]) / rate
  end
end
local answer = {refused, string.format('%.6f', wait)}
for i, key in ipairs(KEYS) do
  if refused == 0 then left[i] = left[i] - 1 end
  redis.call('HSET', key, 't', string.format('%.6f', now), 'n', string.format('%.6f', left[i]))
  redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[2 * i]) / tonumber(ARGV[2 * i - 1]) * 1000) + 1000)
  answer[i + 2] = string.format('%.6f', left[i])
end
return answer
"""


class Limit(NamedTuple):
    """So many requests a second for good, and `burst` at once after a pause."""

    per_second: int
    burst: int

    @classmethod
    def parse(cls, text: str) -> "Limit | None":
        """Of `rate/burst`, such as `200/400`; None for '' and `0`: none. Raises `ValueError`."""
        if text in {"", "0"}:
            return None
        if not re.fullmatch(PATTERN, text):
            raise ValueError(f"{text!r} is no rate/burst such as 200/400")
        rate, _, burst = text.partition("/")
        return cls(int(rate), int(burst))

    def __str__(self) -> str:
        return f"{self.per_second}/{self.burst}"


class Bucket(NamedTuple):
    """Whose requests are counted: `of` says what (`tenant`, `user`, `address` or `pages`), `id` which."""

    of: str
    id: str
    limit: Limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the bucket that matters says: the one that refuses, or else the one with the least left. `wait` is
    0, or in how many seconds it would let a request through."""

    bucket: Bucket
    left: float
    wait: float

    @property
    def headers(self) -> dict[str, str]:
        """Those of draft-ietf-httpapi-ratelimit-headers-03: the size of the bucket, what is left of it, and
        in how many seconds it is full again; and `Retry-After`, where this refuses."""
        limit = self.bucket.limit
        found = {
            "RateLimit-Limit": str(limit.burst),
            "RateLimit-Remaining": str(int(self.left)),
            "RateLimit-Reset": str(math.ceil((limit.burst - self.left) / limit.per_second)),
        }
        return {**found, "Retry-After": str(max(1, math.ceil(self.wait)))} if self.wait else found


class Away(Exception):
    """Redis cannot be asked, and the settings want it asked."""


def buckets(user: str, tenant: str | None, tenant_limit: Limit | None) -> list[Bucket]:
    """Those of an identified caller; `tenant_limit` is the tenant's own."""
    found = [("user", user, settings.RATE_LIMIT_USER)]
    if tenant is not None:
        found.append(("tenant", tenant, tenant_limit or settings.RATE_LIMIT_TENANT))
    return [Bucket(of, id_, limit) for of, id_, limit in found if limit is not None]


def strangers(address: str) -> list[Bucket]:
    """That of somebody who did not say who they are: of a whole /64 in IPv6, which is one customer's."""
    return _of_address("address", address, settings.RATE_LIMIT_ADDRESS)


def pages(address: str) -> list[Bucket]:
    """That of whoever asks for pages from an address."""
    return _of_address("pages", address, settings.RATE_LIMIT_PAGES)


def _of_address(of: str, address: str, limit: Limit | None) -> list[Bucket]:
    try:
        found = ip_address(address)
    except ValueError:
        found = None
    if isinstance(found, IPv6Address):
        address = f"{int(found) >> 64:x}"
    return [] if limit is None else [Bucket(of, address, limit)]


class Rates:
    """The buckets. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away_until: float | None = None
        self._script: Callable[..., Any] | None = None

    def take(self, wanted: Iterable[Bucket]) -> Verdict | None:
        """Takes one request from each bucket, or from none of them. None where nothing is counted. Raises
        `Away`."""
        all_of_them = list(wanted)
        if not all_of_them:
            return None
        answer = self._ask(all_of_them)
        if answer is None:
            RATE_LIMIT_ERRORS.inc()
            if settings.RATE_LIMIT_WITHOUT_REDIS == "closed":
                raise Away
            return None
        refused, wait, *left = answer
        verdicts = [
            Verdict(bucket, float(n), float(wait) if refused == number else 0.0)
            for number, (bucket, n) in enumerate(zip(all_of_them, left, strict=True), 1)
        ]
        if refused:
            refusal = verdicts[int(refused) - 1]
            RATE_LIMITED.labels(refusal.bucket.of).inc()
            return refusal
        return min(verdicts, key=lambda verdict: verdict.left)

    def _ask(self, wanted: list[Bucket]) -> list[Any] | None:
        """What the script says; None where Redis is away."""
        if self._away_until is not None and not self._my_turn():
            return None
        try:
            script = self._script = self._script or _loaded()
            answer: list[Any] = script(
                keys=[f"netweave:rate:{bucket.of}:{bucket.id}" for bucket in wanted],
                args=[number for bucket in wanted for number in bucket.limit],
            )
        except (RedisError, OSError) as error:
            if self._away_until is None:
                log.warning("rates_not_counted", error=type(error).__name__)
            self._away_until, self._script = time.monotonic() + AWAY_SECONDS, None
            return None
        self._away_until = None
        return answer

    def _my_turn(self) -> bool:
        """Whether it is time to look if Redis is back: one request does, the others do not wait for it."""
        with self._lock:
            if self._away_until is None:
                return True
            if time.monotonic() < self._away_until:
                return False
            self._away_until = time.monotonic() + AWAY_SECONDS
            return True


def _loaded() -> Callable[..., Any]:
    """The script, by its digest. Loaded beforehand: fakeredis' server hangs up on who asks for one that it
    does not have."""
    client = get_redis_connection("default")
    client.script_load(_SCRIPT)
    script: Callable[..., Any] = client.register_script(_SCRIPT)
    return script


rates = Rates()
