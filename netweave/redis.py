"""Where Redis is, as Django's cache and the channel layer want to be told: one server, or whichever the
Sentinels name.

`REDIS_URL` is `redis://` or `rediss://`, with user, password and database; with Sentinels its host is not
looked at, as `REDIS_MASTER` names who is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

SOCKET_SECONDS, CONNECT_SECONDS, CHECK_SECONDS = 2, 1, 15


def tls(url: str, *, ca: str, certificate: str, key: str) -> dict[str, Any]:
    """How the server's certificate is verified and what we show, as arguments of a connection; none where
    `url` is not TLS."""
    if urlsplit(url).scheme != "rediss":
        return {}
    files = {"ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}
    return {"ssl_cert_reqs": "required", **{name: file for name, file in files.items() if file}}


def cache(
    url: str, sentinels: Sequence[tuple[str, int]], master: str, secure: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry of CACHES."""
    options: dict[str, Any] = {
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        "CONNECTION_POOL_KWARGS": {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "health_check_interval": CHECK_SECONDS,
            **secure,
        },
    }
    if sentinels:
        ssl = {"ssl": True, **secure} if secure else {}
        options["CONNECTION_POOL_KWARGS"] |= ssl
        options |= {
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": list(sentinels),
            "SENTINEL_KWARGS": {
                "socket_timeout": CONNECT_SECONDS,
                "socket_connect_timeout": CONNECT_SECONDS,
                **ssl,
            },
        }
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        # The scheme's own class of connections would ask no Sentinel: TLS is told as an argument.
        url = f"redis://{login + '@' if login else ''}{master}{parts.path}"
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "OPTIONS": options}


def layer(
    url: str, sentinels: Sequence[tuple[str, int]], master: str, secure: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry of CHANNEL_LAYERS. Without socket_timeout None, redis-py 8 ends every idle receive after five
    seconds."""
    host: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS, **secure}
    if sentinels:
        parts = urlsplit(url)
        ssl = {"ssl": True, **secure} if secure else {}
        login = {"username": parts.username, "password": parts.password}
        host |= ssl | {name: unquote(value) for name, value in login.items() if value}
        host |= {
            "sentinels": list(sentinels),
            "master_name": master,
            "db": int(parts.path.strip("/") or 0),
            "sentinel_kwargs": {
                "socket_timeout": CONNECT_SECONDS,
                "socket_connect_timeout": CONNECT_SECONDS,
                **ssl,
            },
        }
    else:
        host["address"] = url
    return {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [host]}}
