"""Pages of a list (SOL013 5.4.2): sealed markers that carry the whole query on, and the `Link` to the next
page.

A marker names the last object of its page, so pages neither skip nor repeat while things change. It is
bound to the caller's tenant and to the path, and carries the query with it: following the link needs
nothing else.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

MARKER = "nextpage_opaque_marker"
LIMIT = "limit"
MOST = 1000
MAX_NUMBER = 1_000_000
_SEAL = 16

Query = Mapping[str, list[str]]


class PageError(ValueError):
    """A page that cannot be asked for; `parameter` says which of the query's parameters is wrong."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter
        self.detail = detail


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted: what follows the object `after`, or page `number` (from 1); at most
    `limit`.

    `query` are the parameters it is a page of: those of the request, or those the marker carried.
    """

    query: Query
    limit: int
    after: str = ""
    number: int = 1


def requested(request: HttpRequest, binding: str, default: int) -> PageRequest:
    """The page that `request` asks for. `binding` is what a marker is bound to besides the path (the
    tenant); `default` the page size without `limit`. Raises `PageError`."""
    query = {name: request.GET.getlist(name) for name in request.GET}
    markers = query.pop(MARKER, [])
    if len(markers) > 1:
        raise PageError(MARKER, "may be given once")
    if not markers:
        return PageRequest(query, _limit(query, default))
    marker = markers[0]
    if marker.isascii() and marker.isdigit():
        if len(marker) > 7 or not 1 <= int(marker) <= MAX_NUMBER:
            raise PageError(MARKER, f"as a page number must be between 1 and {MAX_NUMBER}")
        return PageRequest(query, _limit(query, default), number=int(marker))
    after, carried = _open(marker, binding, request.path)
    if query and query != carried:
        raise PageError(MARKER, "belongs to another query; follow the link as it was given")
    return PageRequest(carried, _limit(carried, default), after=after)


def no_parameters(request: HttpRequest) -> None:
    """Says no to parameters where none is known: what somebody meant by one would not be done. Raises
    `PageError`."""
    for name in request.GET:
        raise PageError(name, "is not known here")


def next_link(request: HttpRequest, page: PageRequest, last: str, binding: str) -> str:
    """The value of `Link` to what follows the object whose id is `last`."""
    query = urlencode(dict(page.query), doseq=True)
    marker = _close(last, query, binding, request.path)
    return f'<{root(request)}{escape_uri_path(request.path)}?{MARKER}={marker}>; rel="next"'


def root(request: HttpRequest) -> str:
    """{apiRoot}: where callers reach this gateway, without a final slash."""
    return settings.EXTERNAL_URL.rstrip("/") or f"{request.scheme}://{request.get_host()}"


def _limit(query: Query, default: int) -> int:
    values = query.get(LIMIT)
    if values is None:
        return default
    text = values[0]
    if len(values) > 1 or not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise PageError(LIMIT, f"must be a whole number from 1; more than {MOST} is answered with {MOST}")
    return min(int(text), MOST)


def _seal(payload: bytes, binding: str, path: str) -> bytes:
    message = b"\0".join((binding.encode(), path.encode(), payload))
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"page marker").digest()
    return hashlib.blake2b(message, key=key, digest_size=_SEAL).digest()


def _close(last: str, query: str, binding: str, path: str) -> str:
    payload = f"{last}\0{query}".encode()
    return _text(_seal(payload, binding, path) + payload)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _open(marker: str, binding: str, path: str) -> tuple[str, dict[str, list[str]]]:
    try:
        raw = base64.b64decode(marker + "=" * (-len(marker) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise PageError(MARKER, "is not a marker of this list") from error
    seal, payload = raw[:_SEAL], raw[_SEAL:]
    written = _text(raw) == marker  # base64 has several spellings of some bytes
    if not (written and hmac.compare_digest(seal, _seal(payload, binding, path))):
        raise PageError(MARKER, "is not a marker of this list")
    last, _, carried = payload.decode().partition("\0")
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(carried, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return last, query
