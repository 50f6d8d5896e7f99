"""Where subscriptions live and are served from: Redis, with the keys of the document. Nothing else knows
them.

    subscription:{id}                hash: id, callback, filter, consumerSubscriptionId, createdAt, data, sets
    subscriptions:active             set of all ids
    subscriptions:tenant:{tenant}    sets of ids: by owner ('' is the platform) …
    subscriptions:resourcePool:{id}, subscriptions:resourceType:{id}       … and by what they select
    subscriptions:version            which version of the journal this is

It follows the journal: `catch_up` brings it to the journal's newest version by one script, which does nothing
where somebody else was quicker. So a Redis that is empty, failed over or behind becomes whole by itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from subscriptions import statements
from subscriptions.models import Journal
from subscriptions.subscription import Subscription

log = structlog.get_logger()

ACTIVE, VERSION = "subscriptions:active", "subscriptions:version"
REPLICAS_MS = 1000
TRIES = 5
_PART = 500
_FIELDS = 7

# KEYS: the version. ARGV: the version that has to be there ('' for: forget everything first), the one that is
# there then, and for each state: the id, its sets (one a line; none: it ended), callback, filter,
# consumerSubscriptionId, createdAt, data. Gives 1; 0 where another version was there.
_SCRIPT = """
local function drop(id)
  local sets = redis.call('HGET', 'subscription:' .. id, 'sets')
  if not sets then return false end
  for set in string.gmatch(sets, '[^\\n]+') do redis.call('SREM', set, id) end
  redis.call('DEL', 'subscription:' .. id)
  redis.call('SREM', 'subscriptions:active', id)
  return true
end
local there = redis.call('GET', KEYS[1]) or ''
if ARGV[1] == '' then
  for _, pattern in ipairs({'subscription:*', 'subscriptions:*'}) do
    for _, key in ipairs(redis.call('KEYS', pattern)) do redis.call('DEL', key) end
  end
elseif there ~= ARGV[1] then
  return 0
end
for i = 3, #ARGV, 7 do
  local id = ARGV[i]
  local was = drop(id)
  if ARGV[i + 1] ~= '' then
    redis.call('HSET', 'subscription:' .. id, 'id', id, 'sets', ARGV[i + 1], 'callback', ARGV[i + 2],
      'filter', ARGV[i + 3], 'consumerSubscriptionId', ARGV[i + 4], 'createdAt', ARGV[i + 5],
      'data', ARGV[i + 6])
    redis.call('SADD', 'subscriptions:active', id)
    for set in string.gmatch(ARGV[i + 1], '[^\\n]+') do redis.call('SADD', set, id) end
    if not was and ARGV[1] ~= '' then redis.call('PUBLISH', 'subscriptions:created', id) end
  elseif was then
    redis.call('PUBLISH', 'subscriptions:deleted', id)
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


NEWEST = "SELECT coalesce(max(version), 0) FROM subscriptions_journal"


class Away(Exception):
    """Redis cannot be reached, or too few of its replicas have what was written."""


def newest() -> int:
    """The journal's newest version; 0 before the first."""
    ((found,),) = statements.rows(NEWEST, [])
    return int(found)


def version() -> int | None:
    """Which version of the journal Redis has; None: it has nothing. Raises `Away`."""
    try:
        found = _client().get(VERSION)
    except (RedisError, OSError) as error:
        raise Away(type(error).__name__) from error
    return int(found) if found is not None and found.isdigit() else None


def catch_up() -> int:
    """Brings Redis to the journal's newest version, and returns that. Raises `Away`."""
    for _ in range(TRIES):
        there, wanted = version(), newest()
        if there == wanted:
            return wanted
        behind = there is not None and there < wanted
        rows = _between(there or 0, wanted) if behind else latest(wanted)
        if _run(str(there) if behind else "", wanted, rows):
            log.info("subscriptions_stored", version=wanted, before=there, whole=not behind)
            return wanted
    raise Away("Redis is changed by somebody else all the time")


def rebuild() -> int:
    """Makes Redis what the journal says, whatever it holds. Returns the version. Raises `Away`."""
    wanted = newest()
    _run("", wanted, latest(wanted))
    return wanted


def latest(wanted: int) -> Iterable[Journal]:
    """The newest state of every subscription that has not ended, as of a version."""
    rows = Journal.objects.filter(version__lte=wanted).order_by("subscription", "-version")
    return [row for row in rows.distinct("subscription") if row.data is not None]


def _between(there: int, wanted: int) -> Iterable[Journal]:
    return Journal.objects.filter(version__gt=there, version__lte=wanted).order_by("version")


def ids(tenant: str | None, *, everybody: bool = False) -> list[str]:
    """The ids of a tenant's subscriptions (None: the platform's own), or of everybody's; sorted. Raises
    `Away`."""
    try:
        found = _client().smembers(ACTIVE if everybody else f"subscriptions:tenant:{tenant or ''}")
    except (RedisError, OSError) as error:
        raise Away(type(error).__name__) from error
    return sorted(id_.decode() for id_ in found)


def read(wanted: Sequence[str]) -> list[Subscription]:
    """The subscriptions of these ids that are there, in their order. Raises `Away`."""
    found: list[Subscription] = []
    try:
        for start in range(0, len(wanted), _PART):
            pipe = _client().pipeline(transaction=False)
            for id_ in wanted[start : start + _PART]:
                pipe.hget(f"subscription:{id_}", "data")
            found += [Subscription.of(orjson.loads(data)) for data in pipe.execute() if data]
    except (RedisError, OSError) as error:
        raise Away(type(error).__name__) from error
    return found


def _run(expected: str, wanted: int, rows: Iterable[Journal]) -> bool:
    words: list[Any] = [expected, wanted]
    for row in rows:
        words += _state(row)
    try:
        client = _client()
        pipe = client.pipeline(transaction=False)  # one connection: WAIT counts what was written on it
        pipe.eval(_SCRIPT, 1, VERSION, *words)
        if settings.REDIS_REPLICAS:
            pipe.wait(settings.REDIS_REPLICAS, REPLICAS_MS)
        done, *replicas = pipe.execute()
    except (RedisError, OSError) as error:
        raise Away(type(error).__name__) from error
    if replicas and replicas[0] < settings.REDIS_REPLICAS:
        raise Away(f"{replicas[0]} of {settings.REDIS_REPLICAS} replicas have it")
    return bool(done)


def _state(row: Journal) -> list[str]:
    if row.data is None:
        return [str(row.subscription), *[""] * (_FIELDS - 1)]
    subscription = Subscription.of(row.data)
    return [
        subscription.id,
        "\n".join(sets(subscription)),
        subscription.callback,
        orjson.dumps(subscription.filter).decode(),
        subscription.consumer_id or "",
        subscription.created_at,
        orjson.dumps(row.data).decode(),
    ]


def sets(subscription: Subscription) -> list[str]:
    """The sets that name it, besides the one that names all."""
    found = [f"subscriptions:tenant:{subscription.tenant or ''}"]
    selected = subscription.filter if isinstance(subscription.filter, dict) else {}
    for key, name in (("resourcePoolId", "resourcePool"), ("resourceTypeId", "resourceType")):
        values = selected.get(key, [])
        values = [values] if isinstance(values, str) else values
        found += [f"subscriptions:{name}:{value}" for value in values]
    return found


def _client() -> Any:
    return get_redis_connection("default")
