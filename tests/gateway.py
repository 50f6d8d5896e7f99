"""The gateway as it runs: web and worker processes on a database of their own, called over HTTP."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError

import psycopg
import yaml

from tests.peers.postgres import Postgres
from tests.peers.process import Den, Process, free_port, wait_until
from tests.peers.redis import Redis

ROOT = Path(__file__).parent.parent
KEY = secrets.token_urlsafe(48)  # of this run: a start refuses one that others know
PEOPLE = {
    "root": "PlatformAdmin",
    "alice@acme": "Owner",
    "bob@acme": "Viewer",
    "charlie@globex": "Owner",
}


RATES = ("RATE_LIMIT_TENANT", "RATE_LIMIT_USER", "RATE_LIMIT_ADDRESS", "RATE_LIMIT_PAGES")


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is decoded JSON, or None where there was none."""

    status: int
    headers: dict[str, str]
    body: Any


class Gateway:
    """A migrated database with the cast in it, a configuration, and the processes a test starts on them."""

    _made = 0
    #: Are told of every answer: method, URL from the path on, status, media type and content.
    watchers: ClassVar[list[Callable[[str, str, int, str, bytes], None]]] = []
    _tokens: ClassVar[dict[int, dict[str, str]]] = {}  # by the server whose template holds them

    def __init__(self, postgres: Postgres, redis: Redis, **settings: str) -> None:
        Gateway._made += 1
        name = f"gateway_{Gateway._made}"
        seeded = postgres.port in self._tokens
        postgres.create(name, template="gateway_seed" if seeded else "template1")
        self.den = Den("gateway")
        self.den.path.chmod(0o711)
        self._configuration = self.den.path / "gateway.yaml"
        self.environment = {
            "DATABASE_URL": postgres.app_url(name),
            "MIGRATE_DATABASE_URL": postgres.owner_url(name),
            "REDIS_URL": redis.url,
            "SECRET_KEY": KEY,
            "GATEWAY_CONFIG": str(self._configuration),
            "ALLOW_PLAIN_HTTP": "1",
            "REQUIRE_CLIENT_CERTIFICATE": "0",
            "REQUIRE_TOTP": "0",
            "DOCS_PUBLIC": "1",
            "DRAIN": "0s",
            "PYTHONWARNINGS": "error",
            # Counted, and nothing that a test or a bench would meet.
            **dict.fromkeys(RATES, "999999/9999999"),
            **settings,
        }
        self.port = self._three_ports()
        self.ops_port = free_port()
        self.web = self._process("web", "serve", "--port", str(self.port))
        self.worker = self._process("worker", "worker", "--ops-port", str(self.ops_port))
        self.both = self._process("both", "serve", "--with-worker", "--port", str(self.port))
        self._others: list[Process] = []
        if not seeded:
            self._tokens[postgres.port] = self._seed()
            postgres.create("gateway_seed", template=name)
        self.tokens = self._tokens[postgres.port]

    def _seed(self) -> dict[str, str]:
        """What a first start needs, by the commands a person would use, in one process; the tokens by first
        name."""
        commands = [
            ["migrate", "--verbosity", "0"],
            *(["add_tenant", tenant] for tenant in ("acme", "globex")),
            *(["add_user", person, "--role", role] for person, role in PEOPLE.items()),
            *(["issue_token", person] for person in PEOPLE),
        ]
        call = (
            f"from django.core.management import call_command\nfor each in {commands!r}: call_command(*each)"
        )
        said = self.manage("shell", "--verbosity", "0", "--command", call).splitlines()[-len(PEOPLE) :]
        return {person.split("@")[0]: token for person, token in zip(PEOPLE, said, strict=True)}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, *adapters: dict[str, Any], **more: Any) -> None:
        """Writes gateway.yaml."""
        cloud = {"id": "ocloud-test", "name": "Test"}
        self._configuration.write_text(yaml.safe_dump({"oCloud": cloud, "adapters": list(adapters), **more}))

    def another_web(self) -> tuple[Process, int]:
        """A second web process, not started, and its port."""
        port = self._three_ports()
        return self._process("web-2", "serve", "--port", str(port)), port

    def another_worker(self) -> Process:
        """A second worker, not started; it ends with the gateway."""
        name = f"worker-{len(self._others) + 2}"
        self._others.append(self._process(name, "worker", "--ops-port", str(free_port())))
        return self._others[-1]

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        """The database in other hands, in one transaction."""
        with psycopg.connect(self.environment["MIGRATE_DATABASE_URL"]) as found:
            yield found

    def manage(self, *words: str, status: int = 0, given: str = "") -> str:
        """Runs a management command, with `given` on its standard input; its standard output, and its error
        where it fails as told."""
        done = subprocess.run(
            self._command(*words), input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == status, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stdout + done.stderr

    def start(self, *processes: Process, ready: bool = True) -> None:
        """Starts processes; waits until the API is ready."""
        for process in processes:
            process.start()
        for process in processes:
            if ready and process is not self.worker:
                process.wait_ready(lambda: self.get("", "/readyz").status == 200)

    def close(self) -> None:
        for process in (self.both, self.web, self.worker, *self._others):
            process.stop()
        self.den.close()

    def get(self, who: str, path: str, *, port: int | None = None, **headers: str) -> Answer:
        """One GET with that person's token ('' for nobody's). Status 0 where nobody answers."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            given["Authorization"] = f"Bearer {self.tokens[who]}"
        return self._ask(urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", headers=given))

    def everything(self, who: str, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        while page := self.get(
            who, f"{path}?limit=1000&nextpage_opaque_marker={len(found) // 1000 + 1}"
        ).body["items"]:
            found += page
            if len(page) < 1000:
                break
        return found

    def raw(self, who: str, path: str, **headers: str) -> str:
        """The text that one GET is answered with."""
        given = {"Authorization": f"Bearer {self.tokens[who]}", **headers}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=given), timeout=20
        ) as found:
            return str(found.read().decode())

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=20) as found:
                return self._answer(request, found.status, found.headers, found.read())
        except HTTPError as error:
            return self._answer(request, error.code, error.headers, error.read())
        except (OSError, HTTPException):
            return Answer(0, {}, None)

    def send(
        self, who: str, method: str, path: str, body: Any = None, *, port: int | None = None, **headers: str
    ) -> Answer:
        """One request that changes something. Status 0 where nobody answers."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{port or self.port}{path}"
        return self._ask(urllib.request.Request(url, method=method, data=data, headers=given))

    def metric(self, name: str, *, port: int | None = None) -> float | None:
        """One sample of /metrics, by its whole name with labels; None where there is none, or nobody
        answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port or self.port + 2}/metrics", timeout=20
            ) as found:
                lines = found.read().decode().splitlines()
        except OSError:
            return None
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " ")), None)

    def until(self, condition: Any, *, seconds: float = 30, what: str = "what is waited for") -> None:
        """Waits for a condition, and shows the logs where it does not come."""
        try:
            wait_until(condition, seconds=seconds, what=what, pause=0.1)
        except Exception as error:
            tails = "\n".join(p.tail() for p in (self.both, self.web, self.worker))
            raise AssertionError(f"{error}\n{tails}") from error

    def _answer(self, request: urllib.request.Request, status: int, headers: Any, body: bytes) -> Answer:
        kind = headers.get("Content-Type", "")
        operations = {f"127.0.0.1:{port}" for port in (self.port + 2, self.ops_port)}
        for watch in self.watchers if request.host not in operations else []:
            watch(request.get_method(), request.selector, status, kind, body)
        decoded = json.loads(body) if body and "json" in kind else None
        return Answer(status, {name.lower(): value for name, value in headers.items()}, decoded)

    def _process(self, name: str, *words: str) -> Process:
        return Process(name, self._command(*words), den=self.den)

    def _command(self, *words: str) -> list[str]:
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        return [
            "env",
            "-i",
            f"PATH={os.environ['PATH']}",
            *settings,
            sys.executable,
            str(ROOT / "manage.py"),
            *words,
        ]

    @staticmethod
    def _three_ports() -> int:
        import socket

        end = time.monotonic() + 20
        while time.monotonic() < end:
            port = free_port()
            with socket.socket() as next_, socket.socket() as after:
                try:
                    next_.bind(("127.0.0.1", port + 1))
                    after.bind(("127.0.0.1", port + 2))
                except OSError:
                    continue
            return port
        raise AssertionError("no free port with another two above it")
