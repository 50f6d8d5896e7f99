"""Where Redis is, as Django's cache and the channel layer want to be told: one server, or whichever the
Sentinels name.

`REDIS_URL` is `redis://` or `rediss://`, with user, password and database; with Sentinels its host is not
looked at, as `REDIS_MASTER` names who is asked for. The Sentinels have a login of their own, if any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

SOCKET_SECONDS, CONNECT_SECONDS, CHECK_SECONDS = 2, 1, 15


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Who is asked for the server named `master`, and as whom; nobody where there are no `servers`."""

    servers: tuple[tuple[str, int], ...]
    master: str
    user: str = ""
    password: str = field(default="", repr=False)

    def arguments(self, ssl: Mapping[str, Any]) -> dict[str, Any]:
        """Of a connection to one of them."""
        login = {"username": self.user, "password": self.password}
        return {
            "socket_timeout": CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            **{name: value for name, value in login.items() if value},
            **ssl,
        }


def tls(url: str, *, ca: str, certificate: str, key: str) -> dict[str, Any]:
    """How the server's certificate is verified and what we show, as arguments of a connection; none where
    `url` is not TLS."""
    if urlsplit(url).scheme != "rediss":
        return {}
    files = {"ssl_ca_certs": ca, "ssl_certfile": certificate, "ssl_keyfile": key}
    return {"ssl_cert_reqs": "required", **{name: file for name, file in files.items() if file}}


def cache(url: str, sentinels: Sentinels, secure: Mapping[str, Any]) -> dict[str, Any]:
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
    if sentinels.servers:
        ssl = {"ssl": True, **secure} if secure else {}
        options["CONNECTION_POOL_KWARGS"] |= ssl
        options |= {
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": list(sentinels.servers),
            "SENTINEL_KWARGS": sentinels.arguments(ssl),
        }
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        # The scheme's own class of connections would ask no Sentinel: TLS is told as an argument.
        url = f"redis://{login + '@' if login else ''}{sentinels.master}{parts.path}"
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "OPTIONS": options}


def layer(url: str, sentinels: Sentinels, secure: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of CHANNEL_LAYERS. Without socket_timeout None, redis-py 8 ends every idle receive after five
    seconds."""
    host: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS, **secure}
    if sentinels.servers:
        parts = urlsplit(url)
        ssl = {"ssl": True, **secure} if secure else {}
        login = {"username": parts.username, "password": parts.password}
        host |= ssl | {name: unquote(value) for name, value in login.items() if value}
        host |= {
            "sentinels": list(sentinels.servers),
            "master_name": sentinels.master,
            "db": int(parts.path.strip("/") or 0),
            "sentinel_kwargs": sentinels.arguments(ssl),
        }
    else:
        host["address"] = url
    return {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [host]}}
