"""Clients that are in no hurry: half of them send their headers, the others a body, a byte at a time, and
begin anew when they are cut off."""

import os
import socket
import threading
import time
from typing import Self

from bench.load import LOAD_CORE
from tests.gateway import Gateway

PAUSE = 0.1  # between two bytes of each


class Drips:
    """`begun` is how many connections there were."""

    def __init__(self, gateway: Gateway, count: int) -> None:
        self._port = gateway.port
        head = "GET /o2ims/v1/resources HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
        whole = (
            "POST /o2ims/v1/resourcePools HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {gateway.tokens['alice']}\r\nContent-Length: 1000000\r\n\r\n"
        )
        self._firsts = [(head if number % 2 else whole).encode() for number in range(count)]
        self._going = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self.begun = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._going.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._going.clear()
        self._thread.join(20)

    def _drip(self) -> None:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
        lines = [self._begin(first) for first in self._firsts]
        self._going.set()
        while self._going.is_set():
            for number, line in enumerate(lines):
                try:
                    line.send(b"a")
                except OSError:
                    line.close()
                    lines[number] = self._begin(self._firsts[number])
            time.sleep(PAUSE)
        for line in lines:
            line.close()

    def _begin(self, first: bytes) -> socket.socket:
        self.begun += 1
        line = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        line.sendall(first)
        return line
