"""What proves to a subscriber that a notification is ours and fresh: Standard Webhooks 1.0.

    webhook-id           the same for every attempt at one notification
    webhook-timestamp    Unix seconds of this attempt
    webhook-signature    v1,<base64 of HMAC-SHA256(secret, "id.timestamp.body")>, several joined by a space

While a secret is being rotated, the old and the new one both sign, and one signature that fits is enough.
"""

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from collections.abc import Mapping, Sequence
from functools import lru_cache

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"
_VERSION = "v1,"
_SECRET_BYTES = 32
_MOST_SIGNATURES = 20


class Invalid(Exception):
    """What was received is not what was signed, or not now. The message says what is wrong, and repeats
    nothing of what came."""


def new_secret() -> str:
    """A secret of one subscription: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(_SECRET_BYTES)).decode()


def headers(secrets: Sequence[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt.

    `secrets` are `whsec_…` (one, or during rotation two), `at` is Unix seconds, `body` is what is sent, byte
    for byte. Raises `ValueError` for a secret that is none, for no secret at all and for an id with a dot
    in it, which would make two messages of one text.
    """
    if not secrets:
        raise ValueError("there is no secret to sign with")
    if "." in message_id:
        raise ValueError("the id of a message has no dot")
    signatures = [_sign(_keyed(secret), message_id, str(at), body) for secret in secrets]
    return {
        ID: message_id,
        TIMESTAMP: str(at),
        SIGNATURE: " ".join([_VERSION + base64.b64encode(each).decode() for each in signatures]),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: int, tolerance: int = 300) -> None:
    """Returns if `body` was signed with `secret` within `tolerance` seconds of `now` (Unix seconds); raises
    `Invalid` otherwise.

    `headers` are looked up in any case. Raises `ValueError` for a secret that is none.
    """
    keyed = _keyed(secret)
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signature = (_one(found, name) for name in (ID, TIMESTAMP, SIGNATURE))
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Invalid(f"{TIMESTAMP} is no number of seconds")
    if abs(now - int(timestamp)) > tolerance:
        where = "past" if int(timestamp) < now else "future"
        raise Invalid(f"{TIMESTAMP} is more than {tolerance} s in the {where}")
    expected = _sign(keyed, message_id, timestamp, body)
    given = signature.split(" ")[:_MOST_SIGNATURES]
    # All of them are compared, so that the time taken tells nothing of which one fits.
    fits = [hmac.compare_digest(expected, _decoded(each)) for each in given]
    if not any(fits):
        raise Invalid(f"{SIGNATURE} does not fit the body, the id and the time")


def _one(found: Mapping[str, str], name: str) -> str:
    value = found.get(name, "")
    if not value:
        raise Invalid(f"{name} is missing")
    return value


def _sign(keyed: hmac.HMAC, message_id: str, timestamp: str, body: bytes) -> bytes:
    # A copy of a keyed one: hmac.digest would give other threads the lock, and wait for it.
    found = keyed.copy()
    found.update(b"%s.%s." % (_bytes(message_id), timestamp.encode()) + body)
    return found.digest()


@lru_cache(maxsize=20_000)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(_key(secret), digestmod=hashlib.sha256)


def _bytes(text: str) -> bytes:
    # A header's bytes that are no UTF-8 come as surrogates: what was signed is not them, but nothing breaks.
    return text.encode("utf-8", "surrogateescape")


def _key(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is whsec_ and base64") from None
    if not key:
        raise ValueError("a secret is whsec_ and base64")
    return key


def _decoded(signature: str) -> bytes:
    """The bytes of one signature; none where it is of another version or no base64."""
    if not signature.startswith(_VERSION):
        return b""
    try:
        return base64.b64decode(signature.removeprefix(_VERSION), validate=True)
    except (binascii.Error, ValueError):
        return b""
