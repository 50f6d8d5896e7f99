"""One setting, read once: from `NAME`, or from the file that `NAME_FILE` names. A wrong one stops the start
with its name."""

import base64
import os
import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from tenancy.jwt_issuers import JwtIssuer, read
from tenancy.rates import Limit

# A server that vanished without a word is noticed in seconds, not hours.
_LIVELY = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def text(name: str, default: str | None = None) -> str:
    """The setting's text. Without a default, a missing one is an error that names it."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE)")
    return value


def flag(name: str, *, default: bool = False) -> bool:
    """A switch: `1`, `true`, `yes`, `on` or their opposites."""
    value = text(name, "").lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}: {value!r} is neither true nor false")


def duration(name: str, default: str) -> timedelta:
    """A length of time such as `30s`, `10m`, `72h`, `7d`."""
    value = text(name, default)
    if not (match := re.fullmatch(r"(\d+)([smhd])", value)):
        raise ImproperlyConfigured(f"{name}: {value!r} is no length of time such as 30s, 10m, 72h or 7d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def count(name: str, default: int) -> int:
    """A whole number from 0."""
    value = text(name, str(default))
    if not re.fullmatch(r"\d{1,9}", value):
        raise ImproperlyConfigured(f"{name}: {value!r} is no whole number")
    return int(value)


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of a few words; the first of them by default."""
    value = text(name, allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}: {value!r} is none of {', '.join(allowed)}")
    return value


def names(name: str, default: str = "") -> list[str]:
    """A comma list, without empty entries."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """A comma list of addresses and networks (`10.1.2.3`, `10.0.0.0/8`, `fd00::/8`)."""
    try:
        return [ip_network(part) for part in names(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def servers(name: str) -> list[tuple[str, int]]:
    """A comma list of `host:port`."""
    found = []
    for part in names(name):
        host, _, port = part.rpartition(":")
        if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
            raise ImproperlyConfigured(f"{name}: {part!r} is no host:port")
        found.append((host.strip("[]"), int(port)))
    return found


def rate(name: str, default: str) -> Limit | None:
    """`rate/burst` (`200/400`): requests a second, and at once; None for `0`."""
    try:
        return Limit.parse(text(name, default) or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def jwt_issuers(name: str) -> dict[str, JwtIssuer]:
    """Those of the file that the setting names, by `iss`; none where it names none."""
    if not (file := text(name, "")):
        return {}
    try:
        return read(Path(file))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def amounts(name: str) -> dict[str, Decimal]:
    """A comma list of `name=number`, each number 0 or more."""
    found = {}
    for part in names(name):
        what, _, text_ = part.partition("=")
        if not re.fullmatch(r"\d{1,12}(\.\d{1,3})?", text_):
            raise ImproperlyConfigured(f"{name} must hold name=number, such as maxResources=100")
        found[what] = Decimal(text_)
    return found


def keys(name: str) -> list[tuple[str, bytes]]:
    """A comma list of `id:key`, each key 32 bytes in base64: the first is used, the others are known."""
    found = []
    for part in names(name):
        id_, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", id_) or len(key) != 32:
            raise ImproperlyConfigured(f"{name} must hold id:key, each key 32 bytes in base64")
        found.append((id_, key))
    return found


def database(name: str, url: str) -> dict[str, object]:
    """Django's description of `postgresql://user:password@host:port/database`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None  # what is wrong may hold the password: it is not shown
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise ImproperlyConfigured(
            f"{name} must look like postgresql://user:password@host:port/database"
        ) from None
    options: dict[str, object] = {"connect_timeout": 5, **_LIVELY, **dict(parse_qsl(parts.query))}
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": options,
    }
