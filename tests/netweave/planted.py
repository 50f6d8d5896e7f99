"""A gateway full of secrets, all of them in use: web and worker apart, both of which log all that they can;
and what it answers is kept."""

import base64
import json
import re
import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis as Client

from tests.certificates import Authority
from tests.contract.hostile import Handler, HostileServer, kubeconfig
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.tenancy.issuer import Issuer

SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "REQUIRE_TOTP": "1",
    "ALLOW_LOOPBACK_CALLBACKS": "1",
    "DELIVERY_HASTE": "60",
}
ECHOES = (401, 403, 400, 500, 200)  # how a backend answers, that tells our own credential back


def canary(of: str) -> str:
    return f"canary-{of}-{secrets.token_hex(12)}"


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


class Planted:
    """`secrets` by what they are; `said` is what was answered to callers: (what, status, body)."""

    def __init__(self, postgres: Postgres, redis: Redis, issuer: Issuer, sink: Sink, folder: Path) -> None:
        self._postgres, self._redis, self._issuer, self._sink = postgres, redis, issuer, sink
        self._folder, self._backend = folder, HostileServer(echo)
        self.secrets = {
            "the password of Redis": canary("redis"),
            "the key of the trail": key(),
            "the key of subscriptions": key(),
            "a backend's password": canary("backend"),
            "what a credential plugin says": canary("plugin"),
            "what a kubeconfig that cannot be used holds": canary("kubeconfig"),
        }
        self.secrets |= {f"a backend's token, {status}": canary(f"token-{status}") for status in ECHOES}
        self.said: list[tuple[str, int, str]] = []
        self._lock_redis()
        authority = Authority(folder / "ca")
        self._server = authority.issue(names=["server"], hosts=["localhost"])
        self.secrets["the key of TLS"] = "".join(self._server.key.read_text().splitlines()[1:-1])
        self.gateway = Gateway(
            postgres,
            redis,
            REDIS_URL=f"redis://:{self.secrets['the password of Redis']}@127.0.0.1:{redis.port}/0",
            AUDIT_KEYS=f"k1:{self.secrets['the key of the trail']}",
            SUBSCRIPTION_KEYS=f"k1:{self.secrets['the key of subscriptions']}",
            JWT_ISSUERS=str(issuer.configured(folder)),
            TLS_CERTIFICATE=str(self._server.certificate),
            TLS_KEY=str(self._server.key),
            TLS_CLIENT_CA=str(authority.file),
            **SETTINGS,
        )
        self.secrets |= {
            "the secret key": self.gateway.environment["SECRET_KEY"],
            "Alice's token": self.gateway.tokens["alice"],
            "a token of the platform's": self.gateway.tokens["root"],
            "the database's password": self._password("DATABASE_URL"),
        }
        web = self.gateway._command("serve", "--tls", "--port", str(self.gateway.port))
        self.gateway.web.command[:] = web

    def begin(self) -> None:
        """Starts the backend that echoes, and the processes."""
        self._backend.__enter__()
        self.gateway.configure(self._mock(), *self._clusters())
        self.gateway.start(self.gateway.web, self.gateway.worker)

    def close(self) -> None:
        """Ends them."""
        self.gateway.close()
        self._backend.__exit__(None, None, None)

    def call(self, method: str, path: str, body: str = "", **headers: str) -> None:
        """One request, whose answer is kept whatever it is."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body.encode() if body else None
        request = urllib.request.Request(self.gateway.url + path, method=method, data=data, headers=given)
        answer = self.gateway._ask(request)
        self.said.append((f"{method} {path}", answer.status, json.dumps(answer.body)))

    def _send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.gateway.send("alice", method, path, body, port=None, **headers)
        told = dict(answer.body) if isinstance(answer.body, dict) else {}
        if told.pop("secret", None):
            told.pop("callback", None)  # its own, told back to who sent it
        self.said.append((f"{method} {path}", answer.status, json.dumps(told)))
        return answer

    def _page(self, page: Any) -> None:
        self.said.append(("a page", page.status, page.text))

    @property
    def _alice(self) -> str:
        return f"Bearer {self.gateway.tokens['alice']}"

    def _lock_redis(self) -> None:
        with Client(port=self._redis.port) as unlocked:
            unlocked.config_set("requirepass", self.secrets["the password of Redis"])

    def _password(self, name: str) -> str:
        found = re.search(r":([^:@/]+)@", self.gateway.environment[name])
        assert found is not None
        return found[1]

    def _mock(self) -> dict[str, Any]:
        config = {
            "live": 0,
            "path": str(self._folder / "mock.sqlite"),
            "password": self.secrets["a backend's password"],
        }
        return {"name": "sample", "type": "mock", "shared": True, "default": True, "config": config}

    def _clusters(self) -> Iterator[dict[str, Any]]:
        for status in ECHOES:
            token = self.secrets[f"a backend's token, {status}"]
            yield self._cluster(f"echo-{status}", {"token": token}, path=f"/{status}")
        says = f"echo {self.secrets['what a credential plugin says']} >&2; exit 1"
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", says]}
        yield self._cluster("plugin", {"exec": {**plugin, "interactiveMode": "Never"}})
        broken = self._cluster("broken", {})
        Path(broken["config"]["kubeconfig"]).write_text(
            f"users: [{{token: {self.secrets['what a kubeconfig that cannot be used holds']}"
        )
        yield broken

    def _cluster(self, name: str, user: dict[str, Any], *, path: str = "") -> dict[str, Any]:
        file = self._folder / f"{name}.kubeconfig"
        cluster = {"server": self._backend.url + path, "certificate-authority": str(self._backend.ca_file)}
        file.write_text(json.dumps(kubeconfig(cluster, user)))
        return {"name": name, "type": "kubernetes", "config": {"kubeconfig": str(file)}}


def echo(handler: Handler) -> None:
    """What was sent is told back, as a message and otherwise."""
    status = int(handler.path.split("/")[1])
    told = str(handler.headers["Authorization"])
    message = f"an echo of {told}"
    handler.json({"kind": "Status", "message": message, "reason": told, "items": told}, status)
