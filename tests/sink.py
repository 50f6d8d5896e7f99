"""A subscriber: a real HTTP server that keeps what it gets, and answers as a test says."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from subscriptions import signing

Answering = Callable[["Received"], int]


@dataclass(eq=False)
class Received:
    """One POST: `at` is when its first byte was read, in Unix seconds; `status` is the answer, or 0."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    status: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sequence(self) -> int:
        return int(self.headers["o2-sequence"])

    @property
    def told(self) -> tuple[int, str]:
        """The event type and the object's name."""
        body = self.json
        state = body.get("postObjectState") or body.get("priorObjectState") or {}
        return body["notificationEventType"], state.get("name", "")


@dataclass(eq=False)
class Sink:
    """`answer` gives the status of each POST (204 by default); `got` are those that were answered 2xx,
    `tried` are all. Until `dripping` is set, if there is one, answers come byte by byte and have no end."""

    answer: Answering = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    dripping: threading.Event | None = None
    got: list[Received] = field(default_factory=list)
    tried: list[Received] = field(default_factory=list)
    asked: int = 0
    host: str = "127.0.0.1"

    def __enter__(self) -> Self:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                sink.asked += 1
                self._end(204)

            def do_POST(self) -> None:
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = {name.lower(): value for name, value in self.headers.items()}
                found = Received(self.path, given, body, at)
                sink.tried.append(found)
                status = found.status = sink.answer(found)
                if 200 <= status < 300:
                    sink.got.append(found)
                self._end(status)

            def _end(self, status: int) -> None:
                self.send_response(status)
                if sink.dripping is not None:
                    self._drip(sink.dripping)
                for name, value in sink.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _drip(self, until: threading.Event) -> None:
                self.flush_headers()
                self.wfile.write(b"X-Drip: ")
                while not until.wait(0.05):
                    self.wfile.write(b"x")
                self.wfile.write(b"\r\n")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the other end was killed, or gave up

        self._server = Server((self.host, 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.tls else ("http", self.host)
        return f"{scheme}://{host}:{self.port}/notifications"

    def verified(self, secret: str) -> bool:
        """Whether everything it got is signed with this secret, and in time."""
        for one in self.got:
            signing.verify(secret, one.headers, one.body, now=int(one.at))
        return True


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def outward() -> list[str]:
    """This machine's addresses beside loopback, as far as it has a way out."""
    found = []
    for family, far in ((socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2606:4700::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((far, 9))  # sends nothing
                found.append(str(probe.getsockname()[0]))
            except OSError:
                continue
    return found
