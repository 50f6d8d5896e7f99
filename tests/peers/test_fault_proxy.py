"""The fault proxy misbehaves as told, in front of a server that answers each piece tenfold."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.peers.fault_proxy import FaultProxy, HalfClose, Refuse, Reset, Silence, Slow, Truncate


def read_to_end(connection: socket.socket) -> None:
    while connection.recv(100):
        pass


class Echo:
    """A server that answers every piece with ten times that piece."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                while piece := connection.recv(100):
                    try:
                        connection.sendall(piece * 10)
                    except OSError:
                        break

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=5)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    server = Echo()
    with FaultProxy(server.port) as proxy:
        yield proxy
    server.close()


class TestFaultProxy:
    def ask(self, proxy: FaultProxy, *, timeout: float = 5) -> bytes:
        """What comes back for "0123456789", until the end or until all is there."""
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout) as connection:
            connection.sendall(b"0123456789")
            got = b""
            while len(got) < 100 and (piece := connection.recv(200)):
                got += piece
            return got

    def test_it_passes(self, proxy: FaultProxy) -> None:
        assert self.ask(proxy) == b"0123456789" * 10

    def test_it_refuses(self, proxy: FaultProxy) -> None:
        proxy.fault = Refuse()
        with pytest.raises(ConnectionResetError):
            self.ask(proxy)

    def test_it_resets(self, proxy: FaultProxy) -> None:
        proxy.fault = Reset(after=7)
        with pytest.raises(ConnectionResetError):
            self.ask(proxy)

    def test_it_truncates(self, proxy: FaultProxy) -> None:
        proxy.fault = Truncate(after=15)
        assert self.ask(proxy) == b"012345678901234"

    def test_it_closes_one_half(self, proxy: FaultProxy) -> None:
        proxy.fault = HalfClose(after=15)
        assert self.ask(proxy) == b"012345678901234"

    def test_it_is_slow(self, proxy: FaultProxy) -> None:
        proxy.fault = Slow(0.4)
        with pytest.raises(TimeoutError):
            self.ask(proxy, timeout=0.2)
        assert len(self.ask(proxy)) == 100

    def test_it_is_silent_until_the_fault_ends(self, proxy: FaultProxy) -> None:
        proxy.fault = Silence()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as connection:
            connection.sendall(b"0123456789")
            with pytest.raises(TimeoutError):
                connection.recv(100)
            proxy.fault = Slow(0)
            connection.settimeout(5)
            assert connection.recv(100)

    def test_it_drops_what_is_open(self, proxy: FaultProxy) -> None:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
            connection.sendall(b"0123456789")
            assert connection.recv(10)
            proxy.drop()
            with pytest.raises(ConnectionResetError):
                read_to_end(connection)
        assert len(self.ask(proxy)) == 100
        assert proxy.connections == 2
