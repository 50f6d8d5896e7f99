"""The connections of clients, as uvicorn serves them: how much one may send, how long that may take, and what
TLS says of who is at the other end."""

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from netweave import tls
from netweave.tls import Revoked

HEAD_LIMIT = 64 * 1024
_REFUSAL = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_HEAD_TOO_LARGE = _REFUSAL % b"431 Request Header Fields Too Large"
_TOO_LATE = _REFUSAL % b"408 Request Timeout"


class Bounded(HttpToolsProtocol):
    """Ends a connection whose request line and headers grow beyond `HEAD_LIMIT`, and one whose request is
    not there, with its body, within `RECEIVE_TIMEOUT`: uvicorn by itself keeps them all, and takes only so
    many."""

    _head = 0
    _in_head = True
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._in_head = 0, True
        self._expect()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        self._there()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._there()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self._refuse(_HEAD_TOO_LARGE)

    def _expect(self) -> None:
        self._there()
        self._late = self.loop.call_later(settings.RECEIVE_TIMEOUT.total_seconds(), self._refuse, _TOO_LATE)

    def _there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        under_way = self.cycle is not None and self.cycle.response_started
        if not under_way or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()


class OverTls(Bounded):
    """Tells the application what TLS says of the other end (ASGI TLS extension). What was not checked against
    the lists in force is ended: a resumed session, whose certificate was checked at another time, and a
    handshake that began under an earlier list, for as long as the client liked to hold it up."""

    tls: dict[str, Any] | None = None
    certificate: tuple[bytes, int] | None = None

    def __init__(self, revoked: Revoked, *of_uvicorn: Any, **more: Any) -> None:
        super().__init__(*of_uvicorn, **more)
        self._revoked = revoked

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if tls.resumed(transport):
            transport.abort()
            return
        self.tls = tls.told(transport)
        self.certificate = tls.identity(self.tls)
        if self.certificate in self._revoked.certificates:
            transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"tls": self.tls}  # type: ignore[dict-item]
