"""What every request meets before Django: its id and trace, the health paths, the limit on bodies, and what
every answer carries.

Plain ASGI, so that none of it costs a hop to a thread.
"""

import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import structlog
from django.conf import settings

from api import requests
from netweave import health, metrics

log = structlog.get_logger("netweave.access")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def _policy(directives: Mapping[str, Iterable[str]]) -> bytes:
    return "; ".join(" ".join((name, *sources)) for name, sources in directives.items()).encode("ascii")


_POLICY = _policy(settings.SECURE_CSP)


def front(app: App) -> App:
    """`app` behind all of it."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        if scope["path"] in health.PATHS:
            await health.answer(scope, send)
            return
        await _http(app, scope, receive, send)

    return call


async def _http(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    address = _believed(scope)
    given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
    facts = requests.new_facts(given.get(b"x-request-id", ""), given.get(b"traceparent", ""))
    facts.update(address)
    scope["netweave"] = facts
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=facts["request_id"], traceparent=facts["traceparent"])
    started = time.perf_counter()
    status = 500

    async def answer(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            message = {**message, "headers": [*message["headers"], *_carried(facts)]}
        await send(message)

    try:
        await app(scope, await _bounded(scope, receive, given), answer)
    finally:
        seconds = time.perf_counter() - started
        metrics.REQUESTS.labels(
            scope["method"] if scope["method"] in _METHODS else "other", str(status)
        ).inc()
        metrics.REQUEST_SECONDS.observe(seconds)
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
            user=facts.get("user"),
            tenant=facts.get("tenant"),
            address=facts["address"],
        )


def _believed(scope: Scope) -> dict[str, Any]:
    """Who is at the other end (`address`), and whether a trusted proxy speaks for them (`proxied`). What only
    such a proxy may say is taken out of anybody else's headers."""
    peer = (scope.get("client") or ("",))[0]
    if not _is_proxy(peer):
        scope["headers"] = [(n, v) for n, v in scope["headers"] if not _SPOKEN_FOR.match(n)]
        return {"address": peer, "proxied": False}
    hops = b",".join(v for n, v in scope["headers"] if n == b"x-forwarded-for").decode("latin-1")
    named = [hop.strip() for hop in hops.split(",") if hop.strip()]
    strangers = [hop for hop in named if not _is_proxy(hop)]
    return {"address": strangers[-1][:64] if strangers else peer, "proxied": True}


def _is_proxy(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in settings.TRUSTED_PROXIES)


#: Headers in which a proxy says who the caller is.
_SPOKEN_FOR = re.compile(rb"x-forwarded-|forwarded\Z|x-real-ip\Z|x-ssl-|ssl-client-|x-client-cert")
_READ = {b"x-request-id", b"traceparent", b"content-length", b"transfer-encoding"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _carried(facts: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", facts["request_id"].encode()),
        (b"traceparent", facts["traceparent"].encode()),
        (b"content-security-policy", _POLICY),
    ]


async def _bounded(scope: Scope, receive: Receive, given: dict[bytes, str]) -> Receive:
    """A `receive` with the whole body, or, where it is too large, with none and a note of that: who sent it
    is told after having said who they are."""
    length = given.get(b"content-length", "")
    if b"transfer-encoding" not in given and length in {"", "0"}:
        return receive
    body = b""
    too_large = length.isdigit() and int(length) > requests.BODY_LIMIT
    while not too_large:
        message = await receive()
        body += message.get("body", b"")
        too_large = len(body) > requests.BODY_LIMIT
        if not message.get("more_body"):
            break
    if too_large:
        scope["netweave"]["too_large"] = True
        scope["headers"] = [
            (n, v) for n, v in scope["headers"] if n not in {b"content-length", b"transfer-encoding"}
        ]
        body = b""
    sent = False

    async def once() -> Message:
        nonlocal sent
        while sent:  # what is left of a body nobody wants, then the end of the connection
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
