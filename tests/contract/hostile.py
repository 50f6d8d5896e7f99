"""A server that answers over TLS with whatever it is told to, right or wrong: one thread per connection, on
loopback.

with HostileServer(answer) as server: …       answer(handler) writes what it likes; `json` and `html` help
"""

import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import trustme

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request: `path`, `headers`, and ways to answer."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.server.answer(self)

    do_POST = do_GET  # noqa: N815 - http.server's name for it
    do_PATCH = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def json(self, value: Any, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})

    def send(self, body: bytes, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.begin({"Content-Length": str(len(body)), **headers}, status)
        self.wfile.write(body)

    def begin(self, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def stream(self) -> None:
        """Begins an answer of lines; `line` goes on, and returning ends it in order."""
        self.begin({"Content-Type": "application/json", "Connection": "close"})
        self.close_connection = True

    def line(self, value: Any) -> None:
        self.wfile.write((value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n")
        self.wfile.flush()

    def wait(self) -> None:
        """Until the server closes: an answer that does not come."""
        self.server.over.wait(60)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    over: threading.Event
    seen: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away while we answer is what tests are about."""


class HostileServer:
    """`identity` is the host its certificate is for; `kubeconfig` leads to it."""

    def __init__(self, answer: Answer, *, identity: str = "127.0.0.1") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-")
        self.folder = Path(self._folder.name)
        ca = trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(identity).configure_cert(context)
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.answer = answer
        self._server.over = threading.Event()
        self._server.seen = []
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def seen(self) -> list[str]:
        return self._server.seen

    def kubeconfig(self, *, ca: Path | None = None, url: str = "", **user: Any) -> Path:
        """A kubeconfig file that trusts this server (or another `ca`), with a token unless `user` says
        otherwise."""
        path = self.folder / "kubeconfig"
        cluster = {"server": url or self.url, "certificate-authority": str(ca or self.ca_file)}
        path.write_text(json.dumps(kubeconfig(cluster, user or {"token": "SECRET"})))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()


def kubeconfig(cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    """The content of a kubeconfig with one cluster and one user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab-cluster", "cluster": cluster}],
        "users": [{"name": "lab-user", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab-cluster", "user": "lab-user"}}],
    }


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
