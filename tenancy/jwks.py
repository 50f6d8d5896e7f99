"""An issuer's public keys (RFC 7517), fetched when they are needed and kept.

Asked again when they are old, and when a token names a key that is not among them: in both cases not before
`AGAIN_SECONDS` have passed, whoever sends what. While the issuer is away, what it last said holds.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from tenancy.metrics import JWKS_ERRORS

log = structlog.get_logger()

OLD_SECONDS = 600.0
AGAIN_SECONDS = 30.0
ANSWER_SECONDS = 3.0  # all of an answer, however slowly it drips
MOST_BYTES = 256 * 1024
_KINDS = frozenset({"RSA", "EC", "OKP"})

Jwk = Mapping[str, Any]


class Keys:
    """The keys of one issuer, at an https URL or in a file. Safe to use from any thread."""

    def __init__(self, issuer: str, where: str | Path, ca: Path | None = None) -> None:
        self._issuer = issuer
        self._where = where
        self._ca = ca
        self._lock = threading.Lock()
        self._keys: dict[str, Jwk] = {}
        self._asked: float | None = None
        self._heard: float | None = None

    def find(self, kid: str) -> Jwk | None:
        """The key of this id; None where the issuer has none, or has never answered."""
        found = self._keys.get(kid)
        if found is not None and not self._old():
            return found
        # Who has an old key does not wait for another's question; who has none does.
        if self._lock.acquire(blocking=False) or (
            found is None and self._lock.acquire(timeout=2 * ANSWER_SECONDS)
        ):
            try:
                if (kid not in self._keys or self._old()) and self._may_ask():
                    self._ask()
            finally:
                self._lock.release()
        return self._keys.get(kid)

    def _old(self) -> bool:
        return self._heard is None or time.monotonic() - self._heard > OLD_SECONDS

    def _may_ask(self) -> bool:
        return self._asked is None or time.monotonic() - self._asked >= AGAIN_SECONDS

    def _ask(self) -> None:
        self._asked = time.monotonic()
        try:
            self._keys = _read(self._fetched())
        except (OSError, HTTPException, ValueError) as error:
            JWKS_ERRORS.labels(self._issuer).inc()
            log.warning("jwks_unusable", issuer=self._issuer, error=type(error).__name__, detail=str(error))
            return
        self._heard = time.monotonic()

    def _fetched(self) -> bytes:
        if isinstance(self._where, Path):
            with self._where.open("rb") as file:
                return _bounded(file.read(MOST_BYTES + 1))
        return _fetch(self._where, ssl.create_default_context(cafile=self._ca))


def _fetch(url: str, context: ssl.SSLContext) -> bytes:
    """Raises `OSError`, `HTTPException`, or `ValueError` for what is no keys; after `ANSWER_SECONDS` in any
    case. Redirections are not followed: what is configured is what is asked."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    plain = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
    with context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as connection:
        end = threading.Timer(ANSWER_SECONDS, _cut, (connection,))
        end.start()
        try:
            connection.do_handshake()
            asking = HTTPSConnection(host, port, context=context)
            asking.sock = connection
            asking.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
            with asking.getresponse() as answer:
                if answer.status != 200:
                    raise ValueError(f"it answers {answer.status}")
                return _bounded(answer.read(MOST_BYTES + 1))
        finally:
            end.cancel()


def _cut(connection: ssl.SSLSocket) -> None:
    with suppress(OSError):  # it has just ended by itself
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _bounded(body: bytes) -> bytes:
    if len(body) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return body


def _read(body: bytes) -> dict[str, Jwk]:
    """The public signing keys of a set, by their ids."""
    document = orjson.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it holds no keys")  # noqa: TRY004 - what came is wrong, not how we were called
    return {key["kid"]: key for key in listed if _is_for_signatures(key)}


def _is_for_signatures(key: Any) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and str(key.get("kty")) in _KINDS
        and key.get("use", "sig") == "sig"
        and (isinstance(uses := key.get("key_ops", ["verify"]), list) and "verify" in uses)
        and "d" not in key  # a private key that is shown around is nobody's any more
    )
