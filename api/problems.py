"""Problem bodies (RFC 9457), the only shape of an error. Nothing of ours shows in one: no stack, SQL, path
or version."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from api import requests

_TITLES = {
    413: "Content Too Large",
    422: "Unprocessable Content",
}  # RFC 9110's words; Python 3.11 has older ones

CONTENT_TYPE = "application/problem+json"


def body(request_id: str, status: int, detail: str, *, title: str = "", **members: Any) -> bytes:
    """The JSON of a problem: `type`, `title`, `status`, `detail`, `requestId` and the `members` of its
    type."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": title or _TITLES.get(status) or HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "requestId": request_id,
            **members,
        }
    )


def problem(
    request: HttpRequest,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """The answer to `request` that says what went wrong. `members` may hold `errors`: [{pointer or
    parameter, detail}]."""
    content = body(requests.facts(request)["request_id"], status, detail, **members)
    return HttpResponse(content, status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))
