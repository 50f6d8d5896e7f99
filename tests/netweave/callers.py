"""How somebody calls a gateway over TLS: in each way that there is, in either version; and a handshake that
is held up before its last message."""

import http.client
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.certificates import Issued, client
from tests.netweave.test_identity import Served
from tests.netweave.test_tls import POOLS

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


class Ways:
    """How one caller calls, over one version of TLS: each way gives a status, or 0 where nothing comes back.
    `secret` is a token to call with."""

    def __init__(self, served: Served, version: str, shown: Issued | None, secret: str = "") -> None:
        self._port = served.gateway.port + 1
        self._context = client(served.acme, shown)
        self._context.minimum_version = self._context.maximum_version = VERSIONS[version]
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._kept = self._connection()
        self.before = self._status(self._kept)
        self._session = self._kept.sock.session  # there once something was read
        self.resumed = False

    def of(self) -> dict[str, Callable[[], int]]:
        """Each way by its name."""
        return {"new": self.new, "resumed": self.again, "kept": lambda: self._status(self._kept)}

    def new(self) -> int:
        """Over a new connection."""
        return self._once(None)

    def again(self) -> int:
        """With the session of the kept connection; `resumed` says afterwards whether TLS went along."""
        return self._once(self._session)

    def close(self) -> None:
        self._kept.close()

    def _once(self, session: ssl.SSLSession | None) -> int:
        try:
            connection = self._connection(session)
        except OSError:
            return 0
        try:
            self.resumed = bool(connection.sock.session_reused)
            return self._status(connection)
        finally:
            connection.close()

    def _connection(self, session: ssl.SSLSession | None = None) -> http.client.HTTPSConnection:
        plain = socket.create_connection(("localhost", self._port), timeout=10)
        try:
            over_tls = self._context.wrap_socket(plain, server_hostname="localhost", session=session)
        except OSError:
            plain.close()
            raise
        made = http.client.HTTPSConnection("localhost", self._port)
        made.sock, made.auto_open = over_tls, 0  # what has ended stays so
        return made

    def _status(self, connection: http.client.HTTPSConnection) -> int:
        try:
            connection.request("GET", POOLS, headers=self._headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        return answer.status


class Handshake:
    """One with everything said but the client's last message."""

    def __init__(self, served: Served, version: str, shown: Issued) -> None:
        context = client(served.acme, shown)
        context.minimum_version = context.maximum_version = VERSIONS[version]
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self._socket = socket.create_connection(("localhost", served.gateway.port + 1), timeout=10)
        self._authorization = f"Authorization: Bearer {served.gateway.tokens['alice']}"
        self._goes_on()
        self._flush()
        while not self._out.pending:
            self._hear()
            self._goes_on()

    def end(self) -> bytes:
        """Says it, and asks with Alice's token: what comes back; nothing where the connection ends."""
        try:
            while not self._goes_on():
                self._flush()
                self._hear()
            self._tls.write(
                f"GET {POOLS} HTTP/1.1\r\nHost: localhost\r\n{self._authorization}\r\n\r\n".encode()
            )
            self._flush()
            while True:
                self._hear()
                with suppress(ssl.SSLWantReadError):
                    return self._tls.read(65536)
        except OSError:
            return b""

    def _goes_on(self) -> bool:
        """As far as it gets with what was heard; whether that is to the end."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _flush(self) -> None:
        self._socket.sendall(self._out.read())

    def _hear(self) -> None:
        if not (said := self._socket.recv(65536)):
            raise ConnectionResetError
        self._in.write(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
