"""One Kubernetes API connection: raw JSON, sync (`kubernetes` package) and async (aiohttp), every call with a
time limit.

    Connection ── get, post, put, patch, delete, list     from any thread
     └─ session() → Session ── get, list, lines       in one event loop, for a watch

What both share is `Listing`: pages of 500, 100,000 objects at most; a page whose `continue` token has expired
starts the list again, a few times. Credentials are loaded at the first call and again when they expire or
their files change.
"""

import asyncio
import random
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from adapters import http
from adapters.errors import BackendError, Broken, Busy, Expired, TimedOut, Unauthorized, Unreachable
from adapters.kubeconfig import SERVICE_ACCOUNT, Access, load
from adapters.kubelisting import Listing

_BUSY_TRIES = 4
_BUSY_SECONDS = 5.0
#: aiohttp refuses this where Python does it by itself.
_CLEANUP = sys.version_info < (3, 12, 7)
_LINE_LIMIT = 16 * 1024 * 1024
_MERGE = "application/merge-patch+json"

_Kept = TypeVar("_Kept")


class Cut(Unreachable):
    """A stream ended where it should not: the connection broke, or in the middle of a line."""


class Silent(TimedOut):
    """A stream said nothing until its deadline, and did not end."""


class Connection:
    """An API server and us. Nothing happens before the first call; `close` lets go, and a later call connects
    anew."""

    def __init__(
        self,
        source: str,
        *,
        kubeconfig: str = "",
        context: str = "",
        service_account: str = "",
        timeout: float = 10.0,
    ) -> None:
        self.source = source
        self.timeout = timeout
        self._where = {
            "kubeconfig": kubeconfig,
            "context": context,
            "service_account": service_account or SERVICE_ACCOUNT,
        }
        self._lock = threading.Lock()
        self._access: Access | None = None

    def access(self) -> Access:
        """The API server and our credentials, read anew where they have become old. Blocks; raises
        `Misconfigured`."""
        with self._lock:
            if self._access is None or self._access.stale():
                fresh = load(self.source, **self._where)
                self._drop()
                self._access = fresh
            return self._access

    def fresh_access(self) -> Access | None:
        """The same without blocking: None where something must be read first."""
        access = self._access
        return None if access is None or access.stale() else access

    def get(self, path: str, query: Mapping[str, str] | None = None, *, what: str) -> Any:
        """The JSON object at `path`; `what` says in errors what this was for (`list nodes`)."""
        return self._call("GET", path, what, query=query)

    def post(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """The JSON object answered to `body`."""
        return self._call("POST", path, what, body=body)

    def patch(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """The object after a merge patch; a `resourceVersion` in its metadata is a precondition
        (`Conflict`)."""
        return self._call("PATCH", path, what, body=body, content_type=_MERGE)

    def put(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """The object after it was replaced by `body`, whose `resourceVersion` is a precondition
        (`Conflict`)."""
        return self._call("PUT", path, what, body=body)

    def delete(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """What the API server answers to a deletion with these DeleteOptions: the object where it stays for
        now, else a Status."""
        return self._call("DELETE", path, what, body=body)

    def list(
        self, path: str, keep: Callable[[Any], _Kept], query: Mapping[str, str], *, what: str, at: str = ""
    ) -> Listing[_Kept]:
        """The whole list at `path`, read."""
        listing = Listing(self.source, what, keep, at)
        while not listing.done:
            try:
                listing.add(self.get(path, {**query, **listing.query()}, what=what))
            except Expired as error:
                listing.restart(error)
        return listing

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Session"]:
        """An async client of this connection, for as long as the context lasts."""
        # A server that hangs does not answer TLS's goodbye either: its connections are aborted.
        connector = aiohttp.TCPConnector(limit=0, socket_factory=_socket, enable_cleanup_closed=_CLEANUP)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeout),
            headers=http.HEADERS,
        ) as client:
            yield Session(self, client)

    def reject(self, access: Access) -> None:
        """The API server did not accept these credentials: the next call reads them anew."""
        with self._lock:
            if self._access is access:
                self._drop()

    def close(self) -> None:
        """Lets go of idle connections and credentials."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._access is not None:
            self._access.close()
            self._access = None

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        access, deadline = self.access(), time.monotonic() + self.timeout
        url = access.server + path + (f"?{urlencode(query)}" if query else "")
        headers = {
            **http.HEADERS,
            **access.headers,
            **({"Content-Type": content_type} if body is not None else {}),
        }
        try:
            answer = access.client.call_api(
                method, url, headers, body, _request_timeout=(self.timeout, self.timeout)
            ).response
        except Exception as error:  # urllib3's, and the package's own around TLS errors
            raise http.failure(self.source, what, error) from error
        try:
            content = http.read(self.source, what, answer, deadline)
        finally:
            answer.release_conn() if answer.closed else answer.close()
        if not 200 <= answer.status < 300:
            refusal = http.refusal(
                self.source, what, answer.status, answer.headers, content, secrets=access.secrets
            )
            if isinstance(refusal, Unauthorized):
                self.reject(access)
            raise refusal
        return http.document(self.source, what, answer.headers, content)


class Session:
    """The async side of a connection. `answered` is when (by `time.monotonic`) the API server last said
    anything."""

    def __init__(self, connection: Connection, client: aiohttp.ClientSession) -> None:
        self.source = connection.source
        self.answered = 0.0
        self._connection, self._client = connection, client

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, what: str, limit: float = 0
    ) -> Any:
        """The JSON object at `path`, within `limit` seconds (default: the connection's)."""
        try:
            async with (
                asyncio.timeout(limit or self._connection.timeout),
                await self._ask(path, query, what) as answer,
            ):
                body = await http.read_async(self.source, what, answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise http.failure(self.source, what, error) from error
        return http.document(self.source, what, answer.headers, body)

    async def list(
        self, path: str, keep: Callable[[Any], _Kept], query: Mapping[str, str], *, what: str, at: str = ""
    ) -> Listing[_Kept]:
        """The whole list at `path`, read. A busy server is asked for the same page again, a few times."""
        listing, busy = Listing(self.source, what, keep, at), 0
        while not listing.done:
            try:
                listing.add(await self.get(path, {**query, **listing.query()}, what=what))
                busy = 0
            except Expired as error:
                listing.restart(error)
            except Busy as error:
                if (busy := busy + 1) > _BUSY_TRIES:
                    raise
                await asyncio.sleep(pause(error, busy))
        return listing

    async def lines(
        self, path: str, query: Mapping[str, str], *, what: str, seconds: float
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a stream until it ends. Raises `Cut` where it ends wrongly and `Silent` if it has not
        after `seconds`."""
        end = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout(self._connection.timeout):
                answer = await self._ask(path, query, what)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise http.failure(self.source, what, error) from error
        async with answer:
            http.check_headers(self.source, what, answer.headers)
            rest = b""
            while chunk := await self._chunk(answer, what, end):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line
                if len(rest) > _LINE_LIMIT:
                    raise Broken(
                        self.source, f"sent a line of more than {_LINE_LIMIT} bytes, asked to {what}"
                    )
            if rest:
                raise Cut(self.source, f"stopped in the middle of a line, asked to {what}")

    async def _chunk(self, answer: aiohttp.ClientResponse, what: str, end: float) -> bytes:
        try:
            async with asyncio.timeout_at(end):
                chunk = await answer.content.readany()
        except TimeoutError as error:
            raise Silent(self.source, f"fell silent, asked to {what}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Cut(self.source, f"broke off, asked to {what} ({type(error).__name__})") from error
        self.answered = time.monotonic()
        return chunk

    async def _ask(self, path: str, query: Mapping[str, str] | None, what: str) -> aiohttp.ClientResponse:
        access = self._connection.fresh_access()
        if access is None:
            access = await asyncio.to_thread(self._connection.access)
        url = access.server + path + (f"?{urlencode(query)}" if query else "")
        answer = await self._client.get(
            URL(url, encoded=True),
            headers=access.headers,
            ssl=access.tls,
            server_hostname=access.server_name,
            proxy=access.proxy,
            allow_redirects=False,
        )
        self.answered = time.monotonic()
        if 200 <= answer.status < 300:
            return answer
        async with answer:
            error = http.refusal(
                self.source,
                what,
                answer.status,
                answer.headers,
                await http.read_async(self.source, what, answer),
                secrets=access.secrets,
            )
        if isinstance(error, Unauthorized):
            self._connection.reject(access)
        raise error


def pause(error: BackendError, tries: int) -> float:
    """How long to wait before asking a busy server again: what it said (bounded), or a little more each time;
    with jitter."""
    asked = error.retry_after if isinstance(error, Busy) and error.retry_after is not None else 0.2 * 2**tries
    return min(asked, _BUSY_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within half a minute that the other side has vanished without a word (a firewall,
    a dead node)."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
