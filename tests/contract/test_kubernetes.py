"""The Kubernetes adapter passes the contract, against a real API server and against servers that
misbehave."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ims.kubernetes import Adapter
from tests.contract.hostile import Handler, HostileServer
from tests.contract.ims import Backend, Make, RemoteImsContract, Trouble
from tests.contract.kubernetes_backend import Somebody, adapter_of
from tests.peers.kubernetes import ControlPlane


class TestKubernetes(RemoteImsContract):
    @pytest.fixture
    def make(self, cluster: ControlPlane) -> Make:
        path = cluster.kubeconfig()
        return lambda: adapter_of(path)

    @pytest.fixture
    def backend(self, cluster: ControlPlane) -> Backend:
        return Somebody(cluster)

    @pytest.fixture
    def troubled(self, kube: ControlPlane) -> Iterator[Trouble]:
        opened: list[HostileServer] = []

        def hostile(trouble: str) -> Adapter:
            server = HostileServer(ANSWERS.get(trouble, fine), identity=IDENTITIES.get(trouble, "127.0.0.1"))
            opened.append(server)
            server.__enter__()
            ca = kube.ca_file if trouble == "an unknown CA" else None
            return adapter_of(server.kubeconfig(ca=ca), timeout="1s")

        def troubled(trouble: str) -> Adapter:
            match trouble:
                case "a token it does not know":
                    return adapter_of(kube.kubeconfig("nobody"))
                case "no permission":
                    return adapter_of(kube.kubeconfig("reader"))
                case "a secret that is not set":
                    return adapter_of(Path("${NETWEAVE_TEST_NOT_SET}"))
            return hostile(trouble)

        yield troubled
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
