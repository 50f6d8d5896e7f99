"""Whether Redis holds what the journal says, key by key."""

from collections.abc import Iterator
from typing import Any

import orjson
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from subscriptions import store
from subscriptions.subscription import Subscription

_OURS = "subscription*"


def differences() -> list[str]:
    """What is otherwise, in words; nothing where all is well. Raises `store.Away`."""
    try:
        return list(_differences(get_redis_connection("default")))
    except (RedisError, OSError) as error:
        raise store.Away(type(error).__name__) from error


def _differences(redis: Any) -> Iterator[str]:
    wanted, there = store.newest(), store.version()
    if there != wanted:
        yield f"{store.VERSION} is {there}, the journal is at {wanted}"
    sets: dict[str, set[str]] = {}
    for row in store.latest(wanted):
        subscription = Subscription.of(row.data or {})
        data = redis.hget(f"subscription:{subscription.id}", "data")
        if data is None:
            yield f"subscription:{subscription.id} is missing"
        elif orjson.loads(data) != row.data:
            yield f"subscription:{subscription.id} is another than in the journal"
        for name in (store.ACTIVE, *store.sets(subscription)):
            sets.setdefault(name, set()).add(subscription.id)
    for name, ids in sorted(sets.items()):
        if {id_.decode() for id_ in redis.smembers(name)} != ids:
            yield f"{name} names others than the journal"
    known = {*sets, store.VERSION, *(f"subscription:{id_}" for id_ in sets.get(store.ACTIVE, ()))}
    for key in sorted(key.decode() for key in redis.scan_iter(_OURS, count=1000)):
        if key not in known:
            yield f"{key} is nobody's"
