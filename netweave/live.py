"""What changes on the pages of subscriptions and on the dashboard while somebody looks: figures, sent over a
WebSocket once a second at most, and only those that have changed. Nothing depends on it: the pages say the
same when they are loaded.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import orjson
import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user
from django.db import Error as DatabaseError
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host
from psycopg_pool import PoolTimeout

from o2ims.threads import in_thread
from subscriptions import pulse
from subscriptions.admin.words import dead_word, state_mark
from subscriptions.figures import Figures, figures
from subscriptions.models import Endpoint
from subscriptions.schedule import Outcome
from tenancy.times import clock

log = structlog.get_logger()

PATH = "/admin/live/"
EVERY_SECONDS = 1.0
CHECK_SECONDS = 5.0  # how long somebody goes on looking whose role or session has ended
SEND_SECONDS = 3.0
MOST_IDS = 100
MOST = 100  # who look at once, at one process
_WAIT = 1013  # "try again later"

Told = dict[str, tuple[str, str]]
"""By the name of a place on the page: its text, and its class ('': as it is)."""


class Live(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One page that is looked at. Who does not take what is sent within `SEND_SECONDS` is dropped: nothing is
    kept for them."""

    channel_layer_alias = ""  # none: what is told is in the database
    looking = 0

    def __init__(self) -> None:
        super().__init__()
        self._dropped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One connection, from its beginning to its end."""
        await super().__call__(scope, partial(self._next, receive), send)

    async def connect(self) -> None:
        """Lets in who may see the pages, from those pages."""
        key = _session(self.scope)
        if not _is_ours(self.scope) or Live.looking >= MOST or not await _asked(may_look, key):
            await self.close()  # 403: nothing was accepted yet
            return
        await self.accept()
        Live.looking += 1
        self._task = asyncio.create_task(self._tell(key, _ids(self.scope)))

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        """Nobody looks any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            Live.looking -= 1

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        """Nothing is to be said here."""
        self._dropped.set()

    async def _tell(self, key: str, ids: Collection[str]) -> None:
        told: Told = {}
        checked = time.monotonic()
        try:
            while not self._dropped.is_set():
                if time.monotonic() - checked > CHECK_SECONDS:
                    checked = time.monotonic()
                    if not await _asked(may_look, key):
                        break
                now = await _asked(seen, ids)
                if news := {place: what for place, what in (now or {}).items() if told.get(place) != what}:
                    async with asyncio.timeout(SEND_SECONDS):
                        await self.send(text_data=orjson.dumps(news).decode())
                    told |= news
                await asyncio.sleep(EVERY_SECONDS)
        except (TimeoutError, OSError) as error:
            log.info("live_dropped", error=type(error).__name__)
        finally:
            self._dropped.set()

    async def _next(self, receive: Callable[[], Awaitable[Any]]) -> Any:
        """What the other end says, or that it is dropped."""
        message, end = asyncio.ensure_future(receive()), asyncio.ensure_future(self._dropped.wait())
        try:
            await asyncio.wait({message, end}, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "websocket.disconnect", "code": _WAIT}
        finally:
            message.cancel()
            end.cancel()


async def live(scope: Any, receive: Any, send: Any) -> None:
    """The WebSocket application: `PATH`, and nothing else."""
    if scope["path"] == PATH:
        await Live.as_asgi()(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close"})


def may_look(session_key: str) -> bool:
    """Whether this session is somebody's who may see the pages, now: by the checks of the admin site."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key or None)
    request.user = get_user(request)
    return admin.site.has_permission(request) and all(
        request.user.has_perm(f"subscriptions.view_{what}") for what in ("endpoint", "delivery")
    )


def seen(ids: Collection[str]) -> Told:
    """What the pages show now: all together, and of these subscriptions."""
    states = pulse.states()
    told: Told = {"waiting": (str(pulse.waiting()), "")}
    told |= {str(state): (str(states[state]), "") for state in Endpoint.State}
    told["dead"] = (str(len(pulse.dead.now())), "")
    for id_, found in figures(ids).items():
        colour, words = state_mark(found.state)
        told[f"{id_}.state"] = (words, f"state state-{colour}")
        told[f"{id_}.since"] = (_since(found), "")
        told[f"{id_}.waiting"] = (str(found.waiting), "")
        told[f"{id_}.oldest"] = (f"since {clock(found.oldest)}" if found.oldest else "-", "")
        told[f"{id_}.rate"] = (found.rate.percent, "")
        told[f"{id_}.dead"] = (dead_word(found.dead), "")
        if found.last_at is not None:
            told[f"{id_}.last"] = (_last(found), "")
    return told


def _since(found: Figures) -> str:
    since = f"since {clock(found.since)}" if found.since else ""
    return f"{since}: {found.reason}" if found.reason else since


def _last(found: Figures) -> str:
    at = clock(found.last_at) if found.last_at else ""
    if found.last_outcome == Outcome.DELIVERED:
        return f"Delivered at {at}"
    return f"✕ Failed: {found.last_status or found.last_outcome}, at {at}"


async def _asked(what: Callable[..., Any], *given: Any) -> Any:
    """What the database says; None where it is away: who may look then nobody knows."""
    try:
        return await in_thread(what, *given)
    except (DatabaseError, PoolTimeout):
        return None


def _header(scope: Any, name: bytes) -> str:
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else ""


def _session(scope: Any) -> str:
    return parse_cookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME, "")


def _is_ours(scope: Any) -> bool:
    """Whether the page that asks is ours: browsers say where it is from, and let any page ask."""
    host = _header(scope, b"host")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    return _header(scope, b"origin") in {f"{scheme}://{host}", *settings.CSRF_TRUSTED_ORIGINS}


def _ids(scope: Any) -> list[str]:
    given = parse_qs(scope["query_string"].decode("latin-1")).get("ids", [""])[0].split(",")
    found = []
    for text in given[:MOST_IDS]:
        try:
            found.append(str(UUID(text)))
        except ValueError:
            continue
    return found
