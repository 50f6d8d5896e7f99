"""What every HTTP backend shares: foreign failures become ours, and an answer is bounded, checked JSON.

    status        → refusal()      401 Unauthorized, 403 Forbidden, 404 NotFound, 409 Conflict, 410 Expired,
                                   400 and 422 Invalid, 429 and 503 Busy (Retry-After), anything else Broken
    exception     → failure()      TLS Untrusted, time TimedOut, no connection or a broken one Unreachable,
                                   no HTTP Broken
    body          → read() / read_async(), then document()

It works on the `kubernetes` package's urllib3 answers and on aiohttp's. A redirect is never followed: with
credentials in the request it would carry them to whoever the backend names. An answer must not be compressed
(nobody asked for that), so 64 MiB read are 64 MiB kept.
"""

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard

import aiohttp
import orjson
import urllib3

from adapters.errors import (
    BackendError,
    Broken,
    Busy,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    TimedOut,
    Unauthorized,
    Unreachable,
    Untrusted,
)

ANSWER_LIMIT = 64 * 1024 * 1024
LIST_LIMIT = 100_000
#: What every request says, so that an answer's size on the wire is its size in memory.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "netweave"}

_CHUNK = 64 * 1024
_SAID_LIMIT = 200
#: What ssl raises where the other side just went away.
_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_BY_STATUS: dict[int, type[BackendError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
}
_TROUBLE = {
    Unauthorized: "does not accept our credentials to",
    Forbidden: "does not allow us to",
    NotFound: "does not have what we need to",
    Conflict: "reports a conflict when asked to",
    Expired: "no longer knows the state we asked for to",
    Invalid: "refuses our request to",
}


def refusal(
    source: str,
    what: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    secrets: Iterable[str] = (),
) -> BackendError:
    """The error for an answer whose status is not 2xx. `what` completes "was asked to …" (`list nodes`);
    `secrets` are our credentials, which a talkative backend may repeat, and the error does not."""
    if status in {429, 503}:
        return Busy(
            source, f"is busy, asked to {what}", retry_after=_retry_after(headers.get("Retry-After", ""))
        )
    if 300 <= status < 400:
        return Broken(source, f"redirects us when asked to {what}; redirects are not followed")
    kind = _BY_STATUS.get(status)
    if kind is None:
        return Broken(source, f"answered {status} when asked to {what}{_said(body, secrets)}")
    return kind(source, f"{_TROUBLE[kind]} {what}{_said(body, secrets)}")


def failure(source: str, what: str, error: BaseException) -> BackendError:
    """The error for an exception of urllib3, aiohttp, ssl, asyncio or the operating system."""
    causes = list(_causes(error))
    if tls := next((cause for cause in causes if _is_about_tls(cause)), None):
        return Untrusted(source, _about_tls(tls))
    if any(
        isinstance(cause, (aiohttp.InvalidURL, urllib3.exceptions.LocationValueError)) for cause in causes
    ):
        return Misconfigured(source, "its address is no valid URL")
    if any(map(_is_late, causes)):
        return TimedOut(source, f"did not answer in time, asked to {what}")
    if isinstance(error, (aiohttp.ClientResponseError, urllib3.exceptions.DecodeError)):
        return Broken(source, f"does not speak HTTP, asked to {what}")
    return Unreachable(source, f"cannot be reached to {what} ({_plainly(error)})")


def document(source: str, what: str, headers: Mapping[str, str], body: bytes) -> Any:
    """The JSON of an answer: an object, or `Broken`."""
    check_headers(source, what, headers)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Broken(source, f"answered what is not JSON, asked to {what}") from error
    if not isinstance(found, dict):
        raise Broken(source, f"answered no JSON object, asked to {what}")
    return found


def check_headers(source: str, what: str, headers: Mapping[str, str]) -> None:
    """Raises `Broken` unless an answer is uncompressed JSON: a login page or a proxy's error is neither."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Broken(source, f"answered {kind[:50] or 'something nameless'} instead of JSON, asked to {what}")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Broken(source, f"compressed its answer unasked, asked to {what}")


def read(source: str, what: str, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The whole body of a urllib3 answer, at most 64 MiB, by `deadline` (of `time.monotonic`): dripping does
    not help."""
    found = bytearray()
    try:
        for chunk in _chunks(response):
            found += chunk
            _check_size(source, what, len(found))
            if time.monotonic() > deadline:
                raise TimedOut(source, f"answered too slowly, asked to {what}")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise failure(source, what, error) from error
    return bytes(found)


async def read_async(source: str, what: str, response: aiohttp.ClientResponse) -> bytes:
    """The whole body of an aiohttp answer, at most 64 MiB; the caller sets the time limit."""
    found = bytearray()
    try:
        async for chunk in response.content.iter_any():
            found += chunk
            _check_size(source, what, len(found))
    except (aiohttp.ClientError, OSError) as error:
        raise failure(source, what, error) from error
    return bytes(found)


def _chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while chunk := response.read1(_CHUNK, decode_content=False):
        yield chunk


def _check_size(source: str, what: str, size: int) -> None:
    if size > ANSWER_LIMIT:
        raise Broken(source, f"answered more than {ANSWER_LIMIT // 1024 // 1024} MiB, asked to {what}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it: libraries wrap, and each in its own way."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        reason = getattr(cause, "reason", None)
        inner = [arg for arg in cause.args if isinstance(arg, BaseException)]
        waiting += [
            reason if isinstance(reason, BaseException) else None,
            *inner,
            cause.__cause__,
            cause.__context__,
        ]


def _is_about_tls(error: BaseException) -> TypeGuard[ssl.SSLError]:
    # aiohttp's TLS errors are ssl's by class, without their attributes: the real one is the cause. And to go
    # away in the middle of a handshake is no question of trust.
    return isinstance(error, ssl.SSLError) and not isinstance(error, (aiohttp.ClientError, *_ENDED))


def _about_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {error.verify_message}"
    return f"TLS failed: {getattr(error, 'reason', '') or 'no handshake'}"


def _is_late(error: BaseException) -> bool:
    # urllib3 calls a refused connection a timeout too.
    return isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )


def _plainly(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ConnectionResetError):
            return "connection reset"
    return type(error).__name__


def _said(body: bytes, secrets: Iterable[str]) -> str:
    """What a JSON error body says in `message`, bounded and on one line, ready to be appended."""
    try:
        message = str(orjson.loads(body)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return ""
    for secret in secrets:
        message = message.replace(secret, "***")
    text = "".join(char if char.isprintable() else " " for char in message[:_SAID_LIMIT]).strip()
    return f": {text}" if text else ""


def _retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or an HTTP date; None if it says neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
