"""One send: a notification is POSTed to its callback, signed, and what comes back is told as an Outcome.
Dumb: it tries once, knows no queue and writes nothing.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from django.conf import settings

from subscriptions.callback import Network, Policy, connector, is_forbidden
from subscriptions.schedule import Outcome, outcome_of, retry_after

CONNECT_SECONDS = 3.0
ALL_SECONDS = 15.0
VALIDATE_SECONDS = 5.0
MOST_READ = 16 * 1024
MOST_KEPT = 4 * 1024
USER_AGENT: Final = "netweave"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one POST: `status` is None where there was none, `text` what a refusal said (its first
    `MOST_KEPT` bytes, printable), `wait` what `Retry-After` asks for, in seconds."""

    outcome: Outcome
    status: int | None
    seconds: float
    text: str = ""
    wait: float | None = None


def policy(own_networks: Iterable[Network] = ()) -> Policy:
    """Where callbacks may go: by the settings, and to a tenant's own networks."""
    loopback = settings.ALLOW_LOOPBACK_CALLBACKS
    return Policy(
        loopback=loopback,
        plain_http=loopback,
        allowed=(*settings.CALLBACK_NETWORKS, *own_networks),
        own=(*settings.CALLBACK_FORBIDDEN_NETWORKS, *_infrastructure()),
    )


@cache
def _infrastructure() -> tuple[Network, ...]:
    """Where our database and Redis are, by what their names mean when this process first asks; not where that
    is this machine, which has a rule of its own."""
    redis = [urlsplit(settings.REDIS_URL).hostname or "", *(host for host, _ in settings.REDIS_SENTINELS)]
    hosts = [str(settings.DATABASES["default"]["HOST"]), *redis]
    found: set[Network] = set()
    for host in filter(None, hosts):
        with suppress(OSError, ValueError):
            addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
            found |= {ip_network(address) for address in addresses}
    return tuple(one for one in found if not one.is_loopback)


def session(allowed: Policy, context: ssl.SSLContext) -> aiohttp.ClientSession:
    """A session that dials nothing else: its TLS is verified, it keeps no cookies and obeys no proxy of the
    environment. Needs a running event loop."""
    return aiohttp.ClientSession(
        connector=connector(
            allowed, ssl=context, limit=0, ttl_dns_cache=10, keepalive_timeout=30, enable_cleanup_closed=True
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),  # all of it: in `post`
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
        auto_decompress=False,
        trust_env=False,
        max_line_size=MOST_READ,
        max_field_size=MOST_READ,
    )


def tls() -> ssl.SSLContext:
    """Whom we believe, and what we show, by the settings."""
    context = ssl.create_default_context(cafile=settings.CALLBACK_CA or None)
    if settings.CALLBACK_CA:
        context.load_default_certs()
    if settings.CALLBACK_CERTIFICATE:
        context.load_cert_chain(settings.CALLBACK_CERTIFICATE, settings.CALLBACK_KEY or None)
    return context


async def post(to: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POSTs `body` once. Raises nothing but cancellation: what goes wrong is the answer."""
    started = time.monotonic()
    try:
        async with (
            asyncio.timeout(ALL_SECONDS),
            to.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            text = await _read(response)
            asked = response.headers.get("Retry-After")
            wait = retry_after(asked, time.time()) if asked else None
            outcome = outcome_of(response.status)
            return Answer(outcome, response.status, time.monotonic() - started, text, wait)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return Answer(outcome_of_error(error), None, time.monotonic() - started)


async def validate(url: str, allowed: Policy) -> Answer:
    """GETs the callback once, as is done when somebody subscribes."""
    started = time.monotonic()
    try:
        async with (
            asyncio.timeout(VALIDATE_SECONDS),
            session(allowed, tls()) as to,
            to.get(url, allow_redirects=False) as response,
        ):
            return Answer(outcome_of(response.status), response.status, time.monotonic() - started)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return Answer(outcome_of_error(error), None, time.monotonic() - started)


def outcome_of_error(error: BaseException) -> Outcome:
    """The class of what went wrong: never an address or a banner."""
    if is_forbidden(error):
        return Outcome.FORBIDDEN
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Outcome.DNS
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.ServerFingerprintMismatch):
        return Outcome.TLS
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError | ValueError):
        return (
            Outcome.TOO_LARGE
            if getattr(error, "status", 0) == 400 and "bytes" in str(error)
            else Outcome.BROKEN
        )
    return Outcome.CONNECT


async def _read(response: aiohttp.ClientResponse) -> str:
    """The start of an answer; of a good one nothing is kept. What is longer ends the connection."""
    found = b""
    async for chunk in response.content.iter_chunked(4096):
        found += chunk
        if len(found) > MOST_READ:
            response.close()
            break
    if 200 <= response.status < 300:
        return ""
    text = found[:MOST_KEPT].decode(errors="replace")
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
