"""The keys under which subscribers' secrets lie at rest, in Redis and in the journal alike.

A secret is stored as `id:token`: which key it lies under, and the Fernet token. New ones lie under the
first key of `SUBSCRIPTION_KEYS`; the others are known, so that keys can be rotated.
"""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

DERIVED = "secret-key"


class Unreadable(Exception):
    """The secret lies under a key that is not known here, or is damaged."""


def seal(secret: str) -> str:
    """`secret` as it may be stored."""
    id_, key = next(iter(_keys().items()))
    return f"{id_}:{key.encrypt(secret.encode()).decode()}"


def open_(stored: str) -> str:
    """The secret that `stored` holds. Raises `Unreadable`."""
    return _opened(stored, tuple(settings.SUBSCRIPTION_KEYS), settings.SECRET_KEY)


@lru_cache(maxsize=20_000)  # to open one takes as long as to send a notification
def _opened(stored: str, given: tuple[tuple[str, bytes], ...], secret: str) -> str:
    id_, _, token = stored.partition(":")
    try:
        return _made(given, secret)[id_].decrypt(token.encode()).decode()
    except (KeyError, InvalidToken) as error:
        raise Unreadable(f"lies under the key {id_[:40]!r}") from error


def _keys() -> dict[str, Fernet]:
    return _made(tuple(settings.SUBSCRIPTION_KEYS), settings.SECRET_KEY)


@lru_cache(maxsize=1)
def _made(given: tuple[tuple[str, bytes], ...], secret: str) -> dict[str, Fernet]:
    derived = hashlib.blake2b(secret.encode(), digest_size=32, person=b"subscriptions").digest()
    return {id_: Fernet(base64.urlsafe_b64encode(key)) for id_, key in (*given, (DERIVED, derived))}
