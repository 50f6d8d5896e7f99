"""Conditional requests (RFC 9110 13): a weak ETag made of what is answered, and 304 where the caller has it
already."""

import hashlib

from django.http import HttpRequest, HttpResponse


class Changed(Exception):
    """The object is not what the caller thinks it is (`If-Match`)."""


class Unconditional(Exception):
    """The caller has to say what state the object is in (RFC 6585 3), and did not."""


def must_match(request: HttpRequest, content: bytes, *, needed: bool = False) -> None:
    """Raises `Changed` if `If-Match` is there and does not name `content`, and `Unconditional` if it is not
    there and `needed`. Tags are weak and compared as such: two answers of one tag are the same bytes."""
    wanted = request.headers.get("If-Match")
    if wanted is None and needed:
        raise Unconditional
    if wanted is not None and not _matches(wanted, etag(content)):
        raise Changed


def etag(content: bytes) -> str:
    """The tag of an answer's bytes. Weak: the compressed form is the same answer."""
    return f'W/"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def answer(
    request: HttpRequest, content: bytes, headers: dict[str, str], *, tagged: bytes | None = None
) -> HttpResponse:
    """200 with `content` as JSON, or 304 if `If-None-Match` names it; both with `headers` and its ETag, which
    is made of `tagged` where some of the content changes by itself."""
    tag = etag(content if tagged is None else tagged)
    headers = {**headers, "ETag": tag}
    if _matches(request.headers.get("If-None-Match", ""), tag):
        return without_content(304, headers)
    return HttpResponse(content, content_type="application/json", headers=headers)


def without_content(status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """An answer that has no content, and so no type of it."""
    response = HttpResponse(status=status, headers=headers)
    del response["Content-Type"]
    return response


def _matches(header: str, tag: str) -> bool:
    if header.strip() == "*":
        return True
    opaque = tag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") == opaque for part in header.split(","))
