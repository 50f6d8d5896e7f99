"""A Redis that may throw subscriptions away when it is full is refused: of 1,000 it would keep a third, and
say nothing."""

import structlog
from django.core.management.base import CommandError
from django_redis import get_redis_connection
from redis.exceptions import RedisError, ResponseError

log = structlog.get_logger()

_EVICTS_ALL = "allkeys-"


def refuse() -> None:
    """Raises `CommandError` where Redis may evict keys without a time to live. One that does not tell is a
    warning; one that is away is no obstacle."""
    try:
        policy = get_redis_connection("default").info("memory").get("maxmemory_policy")
    except ResponseError:
        policy = None
    except (RedisError, OSError) as error:
        log.warning("redis_away", error=type(error).__name__)
        return
    if policy is None:
        log.warning("redis_policy_unknown", wanted="maxmemory-policy noeviction, or volatile-…")
    elif str(policy).startswith(_EVICTS_ALL):
        raise CommandError(
            f"Redis has maxmemory-policy {policy}: when it is full it would throw subscriptions away. Set"
            " noeviction, or one of volatile-….",
            returncode=2,
        )
