"""A real Kubernetes API server that lies on demand: what stands before it ends its TLS and answers for it.

    gateway ──TLS──► LyingApi ──TLS, as its admin──► API server

    lying.lie = None            every request is passed on, and its answer passed back, streams too
    lying.lie = a_login_page    a lie answers a request in the API server's stead, or returns False

`kubeconfig(url=…)` leads to it, or to a FaultProxy before it.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from tests.contract.hostile import Handler, HostileServer
from tests.peers.kubernetes import ControlPlane

Lie = Callable[["LyingApi", Handler], bool]
MIB = 1024 * 1024


class LyingApi(HostileServer):
    """`lie` is asked first; where it answers nothing, the real API server does. It may change at any time."""

    def __init__(self, cluster: ControlPlane) -> None:
        super().__init__(self._answer)
        self.lie: Lie | None = None
        self._cluster = cluster
        self._open: dict[socket.socket, threading.Thread] = {}

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for upstream, thread in list(self._open.items()):
            with suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)
            thread.join(20)

    def _answer(self, handler: Handler) -> None:
        lie = self.lie
        if lie is None or not lie(self, handler):
            self.pass_on(handler)

    def pass_on(self, handler: Handler, *, known: bool = True, token: str = "") -> None:
        """What the real API server says: to its admin, or (not `known`) to a stranger, with that `token`."""
        with self._asked(handler, known=known, token=token) as answer:
            if "watch=true" in handler.path and answer.status == 200:
                handler.stream()
                while line := answer.readline():
                    handler.wfile.write(line)
                    handler.wfile.flush()
                return
            headers = {"Content-Type": answer.headers.get("Content-Type", "")}
            handler.send(answer.read(), answer.status, headers)

    def truth(self, handler: Handler) -> Any:
        """The JSON that the real API server has for this request."""
        with self._asked(handler) as answer:
            return json.loads(answer.read())

    @contextmanager
    def _asked(self, handler: Handler, *, known: bool = True, token: str = "") -> Iterator[HTTPResponse]:
        pki, where = self._cluster.credentials, urlsplit(self._cluster.url)
        context = ssl.create_default_context(cafile=str(pki.ca_file))
        if known:
            context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
        given = {
            name: handler.headers[name] for name in ("Accept", "Content-Type") if name in handler.headers
        }
        headers = {**given, **({"Authorization": f"Bearer {token}"} if token else {})}
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with closing(HTTPSConnection(where.hostname or "", where.port, context=context)) as connection:
            connection.connect()
            upstream = connection.sock
            self._open[upstream] = threading.current_thread()
            try:
                connection.request(handler.command, handler.path, body or None, headers)
                with connection.getresponse() as answer:
                    yield answer
            finally:
                del self._open[upstream]


def lists_nodes(handler: Handler) -> bool:
    """Whether a request asks for a list of nodes, and not for a watch of it."""
    path, _, query = handler.path.partition("?")
    return path.endswith("/nodes") and "watch=true" not in query


def a_login_page(lying: LyingApi, handler: Handler) -> bool:
    """HTML, whatever was asked."""
    handler.send(b"<html>Sign in</html>", 200, {"Content-Type": "text/html"})
    return True


def a_status(number: int, **headers: str) -> Lie:
    """Nodes are answered with that status."""

    def lie(lying: LyingApi, handler: Handler) -> bool:
        if lists_nodes(handler):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            handler.json({"kind": "Status", "message": "no"}, number, named)
        return lists_nodes(handler)

    return lie


def to_a_stranger(lying: LyingApi, handler: Handler) -> bool:
    """What the API server says to a token it does not know (401)."""
    lying.pass_on(handler, known=False, token="out-of-date")
    return True


def to_somebody_without_rights(lying: LyingApi, handler: Handler) -> bool:
    """What it says to somebody who may not list (403)."""
    lying.pass_on(handler, known=False)
    return True


def half_a_document(lying: LyingApi, handler: Handler) -> bool:
    """JSON that ends in its middle, in an answer of just that length."""
    if lists_nodes(handler):
        body = json.dumps(lying.truth(handler)).encode()
        handler.send(body[: len(body) // 2], 200, {"Content-Type": "application/json"})
    return lists_nodes(handler)


def a_broken_answer(lying: LyingApi, handler: Handler) -> bool:
    """The connection ends in the middle of the list."""
    if lists_nodes(handler):
        body = json.dumps(lying.truth(handler)).encode()
        handler.begin({"Content-Type": "application/json", "Content-Length": str(len(body))})
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True
    return lists_nodes(handler)


def half_a_list(lying: LyingApi, handler: Handler) -> bool:
    """A page that promises another, where all nodes are asked for (and not one, as a trial); the other is a
    login page."""
    if not lists_nodes(handler) or "limit=1&" in f"{handler.path}&":
        return False
    if "continue=" in handler.path:
        return a_login_page(lying, handler)
    page = lying.truth(handler)
    page["metadata"]["continue"] = "more"
    del page["items"][1:]
    handler.json(page)
    return True


def no_list(lying: LyingApi, handler: Handler) -> bool:
    """An object that is no list."""
    if lists_nodes(handler):
        handler.json({"kind": "Status", "apiVersion": "v1", "status": "Success"})
    return lists_nodes(handler)


def no_nodes(lying: LyingApi, handler: Handler) -> bool:
    """A complete list in which no node is."""
    if lists_nodes(handler):
        handler.json({**lying.truth(handler), "items": []})
    return lists_nodes(handler)


def nothing_at_all(lying: LyingApi, handler: Handler) -> bool:
    """Every list is complete and empty."""
    if (
        handler.command == "POST"
        or "watch=true" in handler.path
        or "items" not in (found := lying.truth(handler))
    ):
        return False
    handler.json({**found, "items": []})
    return True


def too_much(lying: LyingApi, handler: Handler) -> bool:
    """65 MiB of nonsense, in an answer that says it is JSON."""
    if lists_nodes(handler):
        handler.begin({"Content-Type": "application/json", "Content-Length": str(65 * MIB)})
        for _ in range(65):
            handler.wfile.write(b"[" * MIB)
    return lists_nodes(handler)
