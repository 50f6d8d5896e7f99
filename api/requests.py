"""What is known about a request besides Django's own: its id, its trace, what the front noticed."""

import re
import secrets
import uuid
from typing import Any

from django.http import HttpRequest

BODY_LIMIT = 1024 * 1024
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


def request_id(given: str) -> str:
    """The caller's request id if it is a sane one, else a new one."""
    return given if _SANE_ID.match(given) else str(uuid.uuid4())


def traceparent(given: str) -> str:
    """The caller's W3C traceparent if it is well formed, else a new, unsampled one."""
    return given if _TRACEPARENT.match(given) else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def new_facts(given_id: str = "", given_trace: str = "") -> dict[str, Any]:
    """What travels with one request: `request_id`, `traceparent`, and later `user`, `tenant`, `too_large`."""
    return {"request_id": request_id(given_id), "traceparent": traceparent(given_trace)}


def facts(request: HttpRequest) -> dict[str, Any]:
    """The facts of `request`: those the front made, or, where Django was called without it, made now."""
    scope = getattr(request, "scope", None)
    found: dict[str, Any] | None = (
        scope.get("netweave") if scope else getattr(request, "netweave_facts", None)
    )
    if found is None:
        found = new_facts(request.headers.get("X-Request-Id", ""), request.headers.get("traceparent", ""))
        request.netweave_facts = found  # type: ignore[attr-defined]
        if scope is not None:
            scope["netweave"] = found
    return found
