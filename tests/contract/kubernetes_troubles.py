"""A Kubernetes API server in each trouble that the contract names: the real one where it can be, else a
server that misbehaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.base import ImsAdapter
from tests.contract.hostile import Handler, HostileServer
from tests.contract.ims import Trouble
from tests.peers.kubernetes import ControlPlane


@contextmanager
def troubles(kube: ControlPlane, adapter_of: Callable[..., ImsAdapter]) -> Iterator[Trouble]:
    """Makes the adapter whose API server is in a trouble; `adapter_of` takes a kubeconfig and options."""
    opened: list[HostileServer] = []

    def hostile(trouble: str) -> ImsAdapter:
        server = HostileServer(ANSWERS.get(trouble, fine), identity=IDENTITIES.get(trouble, "127.0.0.1"))
        opened.append(server)
        server.__enter__()
        ca: Any = kube.ca_file if trouble == "an unknown CA" else None
        timeout = "10s" if trouble == "an answer without an end" else "1s"  # for 64 MiB
        return adapter_of(server.kubeconfig(ca=ca), timeout=timeout)

    def troubled(trouble: str) -> ImsAdapter:
        match trouble:
            case "a token it does not know":
                return adapter_of(kube.kubeconfig("nobody"))
            case "no permission":
                return adapter_of(kube.kubeconfig("reader"))
            case "a secret that is not set":
                return adapter_of(Path("${NETWEAVE_TEST_NOT_SET}"))
        return hostile(trouble)

    try:
        yield troubled
    finally:
        for server in opened:
            server.__exit__()


def fine(handler: Handler) -> None:
    handler.json({"gitVersion": "v1.37.2"})


def nobody(handler: Handler) -> None:
    handler.close_connection = True  # not a byte


def drip(handler: Handler) -> None:
    handler.begin({"Content-Type": "application/json", "Content-Length": "1000000"})
    while not handler.server.over.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def half(handler: Handler) -> None:
    handler.begin({"Content-Type": "application/json", "Content-Length": "1000"})
    handler.wfile.write(b'{"gitVersion":')
    handler.close_connection = True


def endless(handler: Handler) -> None:
    handler.begin({"Content-Type": "application/json", "Connection": "close"})
    while not handler.server.over.is_set():
        handler.wfile.write(b" " * 1_000_000)


ANSWERS = {
    "nobody there": nobody,
    "a host that hangs": Handler.wait,
    "an answer that drips": drip,
    "a page of HTML": lambda handler: handler.send(
        b"<html>SECRET</html>", headers={"Content-Type": "text/html"}
    ),
    "no JSON": lambda handler: handler.send(b"{SECRET", headers={"Content-Type": "application/json"}),
    "half an answer": half,
    "an answer without an end": endless,
    "a compressed answer": lambda handler: handler.json({}, headers={"Content-Encoding": "gzip"}),
    "a redirect": lambda handler: handler.send(b"", 302, {"Location": "https://127.0.0.1:1/SECRET"}),
}
IDENTITIES = {"another host's certificate": "another.example.org"}
