"""Guesses at the login of the admin site: each is counted before it is evaluated, so that however many come
at once, no more than the limit are. The counts are in Redis; while that is away nobody signs in.

django-axes asks `Guesses` before each guess. By itself it counts only those that have failed: any number that
come together would all be evaluated.
"""

import hashlib
from datetime import timedelta
from typing import Any

import structlog
from axes.backends import AxesBackend
from axes.handlers.cache import AxesCacheHandler
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from redis.exceptions import RedisError

from api import requests
from tenancy.models import User

log = structlog.get_logger()

#: How many guesses are evaluated: of one account from one address, and from anywhere.
FROM_ONE_ADDRESS, FROM_ANYWHERE = 5, 20
#: Until all is forgotten, from the last guess on that was evaluated.
WINDOW = timedelta(hours=1)


class Uncounted(Exception):
    """A guess cannot be counted, so it is not evaluated."""


def address(request: HttpRequest) -> str:
    """Where a request comes from: what a trusted proxy says, else the other end of the connection."""
    return str(requests.facts(request).get("address") or request.META.get("REMOTE_ADDR", ""))


class Guesses(AxesCacheHandler):  # type: ignore[misc]  # axes has no types
    """Who may still guess. An account that does not exist is counted like one that does."""

    def __init__(self) -> None:
        """Keeps nothing: a process has a connection to Redis for each thread."""

    def is_allowed(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Counts a guess; whether it may be evaluated. Raises `Uncounted`."""
        name = str((credentials or {}).get("username"))
        counted = ((_pair(name, address(request)), FROM_ONE_ADDRESS), (_account(name), FROM_ANYWHERE))
        request.counted = True  # type: ignore[attr-defined]
        try:
            return all(self._one_more(key, limit) for key, limit in counted)
        except (RedisError, OSError) as error:
            log.warning("sign_ins_uncounted", error=type(error).__name__)
            raise Uncounted from error

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:  # noqa: ARG002
        """Somebody who knows all there is to know has not guessed: their address begins anew, and the account
        has one guess less."""
        if not getattr(request, "counted", False):
            return  # signed in without a password
        name = user.get_username()
        try:
            caches["default"].delete(_pair(name, address(request)))
            caches["default"].decr(_account(name))
        except (RedisError, OSError, ValueError):  # ValueError: forgotten meanwhile
            log.info("sign_in_stays_counted", user=name)

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **_: Any) -> None:
        """Nothing: it was counted before."""

    def user_logged_out(self, sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
        """Nothing."""

    def reset_attempts(self, *, ip_address: str | None = None, username: str | None = None, **_: Any) -> int:
        """Forgets the guesses at an account (`axes_reset_username`), from one address or all; how many counts
        there were. Addresses alone are not counted."""
        if username is None:
            return 0
        of_addresses = _pair(username, ip_address) if ip_address else f"{_account(username)}:*"
        cache: Any = caches["default"]  # django-redis: Django's own cannot delete by pattern
        return sum(cache.delete_pattern(each) for each in (of_addresses, _account(username)))

    def _one_more(self, key: str, limit: int) -> bool:
        caches["default"].add(key, 0, WINDOW.total_seconds())
        try:
            allowed: bool = caches["default"].incr(key) <= limit
        except ValueError:  # forgotten just now
            return self._one_more(key, limit)
        if allowed:
            caches["default"].touch(key, WINDOW.total_seconds())
        return allowed


class Counting(AxesBackend):  # type: ignore[misc]
    """Asked before Django's own backend. Who may guess no more learns nothing, not by the time it takes
    either."""

    def authenticate(
        self, request: HttpRequest, username: str | None = None, password: str | None = None, **more: Any
    ) -> None:
        """Nobody: the next backend evaluates it. Raises `PermissionDenied`, which ends the matter, or
        `Uncounted`."""
        try:
            super().authenticate(request, username=username, password=password, **more)
        except PermissionDenied:
            request.axes_locked_out = True  # type: ignore[attr-defined]
            User().set_password(password)  # as much work as an evaluated guess
            raise


def _account(name: str) -> str:
    return f"guesses:{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()}"


def _pair(name: str, where: str) -> str:
    return f"{_account(name)}:{where}"
