"""A subscriber in a process of its own, for more than a test's can take."""

import json
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.peers.process import Den, Process, wait_until
from tests.sink import Sink


@dataclass(eq=False)
class Apart(Sink):
    """A subscriber in a process of its own, which writes down what it gets: nothing is kept here."""

    path: Path = field(kw_only=True)

    def __enter__(self) -> Self:
        self.ledger, ports = self.path / "received.jsonl", self.path / "sink.port"
        program = str(Path(__file__).with_name("sink.py"))
        self._den = Den("sink")
        self._process = Process(
            "sink", [sys.executable, program, str(ports), "--ledger", str(self.ledger)], den=self._den
        )
        self._process.start()
        wait_until(lambda: ports.exists() and bool(ports.read_text()), seconds=20, what="the sink")
        self._port = int(ports.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._den.close()

    @property
    def port(self) -> int:
        return self._port

    def count(self) -> int:
        """How many it has."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/count", timeout=20) as found:
            return int(json.loads(found.read()))
