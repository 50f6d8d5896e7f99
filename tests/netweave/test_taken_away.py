"""T13 to T15: what is taken from somebody ends in every way they have of calling: over a new handshake, with
the session of an earlier one, and on the connection that they keep open; and it stays ended."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority, Issued
from tests.netweave.callers import VERSIONS, Handshake, Ways
from tests.netweave.test_identity import Served
from tests.peers.postgres import Postgres
from tests.peers.process import Process
from tests.peers.redis import Redis

AGAIN, PAUSE = 5, 0.2  # how often each way is tried once it has been refused
SECONDS = 20  # how soon it must be: bench/ measures that
USERS = count()


class Believing(Served):
    """A gateway with TLS from 1.2 on, with revocation lists, and a second process through which things are
    taken away: the first one must hear of it."""

    def __init__(self, postgres: Postgres, redis: Redis, folder: Path) -> None:
        self._list, self._revoked = folder / "crl.pem", list[Issued]()
        self._list.write_bytes(Authority(folder / "unused").revoke().read_bytes())
        super().__init__(postgres, redis, folder, TLS_MINIMUM="1.2", TLS_CRL=str(self._list))
        self.other: Process
        self.other, self.other_port = self.gateway.another_web()
        self.other.start()
        self.other.wait_ready(lambda: self.gateway.get("", "/readyz", port=self.other_port).status == 200)
        self.list_as_revoked()
        shown = self.certificate("alice", "acme")
        self.gateway.until(lambda: self.lets_in(shown), seconds=SECONDS, what="the lists")

    def list_as_revoked(self, *issued: Issued) -> None:
        """In the file that TLS_CRL names."""
        self._revoked += issued
        lists = (self.acme.revoke(*self._revoked), self.globex.revoke())
        self._list.write_bytes(b"".join(one.read_bytes() for one in lists))

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Root, at the other process."""
        answer = self.gateway.send(
            "root", method, f"/admin/v1/{path}", body, port=self.other_port, If_Match="*"
        )
        assert 200 <= answer.status < 300, answer
        return answer.body

    def close(self) -> None:
        self.other.stop()
        super().close()

    def lets_in(self, shown: Issued) -> bool:
        try:
            return self.once(shown) == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def served(
    postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    found = Believing(postgres, redis_server, tmp_path_factory.mktemp("served"))
    yield found
    found.close()


def everywhere(served: Believing, shown: Issued | None, secret: str = "") -> list[Ways]:
    """A caller over each version of TLS, who is let in."""
    made = [Ways(served, version, shown, secret) for version in VERSIONS]
    assert [ways.before for ways in made] == [200] * len(VERSIONS)
    return made


def newcomer(served: Believing) -> tuple[str, str, str]:
    """Somebody of acme's who may read: name, user id, and the id of what makes it so."""
    name = f"dora-{next(USERS)}"
    user = served.admin("POST", "tenants/acme/users", {"name": f"{name}@acme"})["userId"]
    roles = {role["name"]: role["roleId"] for role in served.admin("GET", "roles?limit=100")["items"]}
    binding = served.admin("POST", "bindings", {"userId": user, "roleId": roles["Viewer"]})
    return name, user, binding["bindingId"]


def ends(served: Believing, callers: list[Ways], *statuses: int) -> None:
    """Waits until each way is refused so, or gets nothing; then none ever succeeds."""
    every = [(way, call) for ways in callers for way, call in ways.of().items()]
    for way, call in every:
        ended = partial(refused, call, statuses)
        served.gateway.until(ended, seconds=SECONDS, what=f"the end of what is {way}")
    seen = set()
    for _ in range(AGAIN):
        seen |= {(way, call()) for way, call in every}
        time.sleep(PAUSE)
    assert {status for _, status in seen} <= {0, *statuses}, seen
    for ways in callers:
        ways.close()


def refused(call: Callable[[], int], statuses: tuple[int, ...]) -> bool:
    return call() in {0, *statuses}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_tls_does_with_an_earlier_session_is_what_these_tests_are_about(
    served: Believing, version: str
) -> None:
    """In TLS 1.3 there is nothing to resume with, so there is a whole handshake; in 1.2 TLS resumes, and the
    connection ends before it has brought anything."""
    ways = Ways(served, version, served.certificate("alice", "acme"))
    answers = [ways.new(), ways.again()]
    assert (ways.before, answers, ways.resumed) == (
        (200, [200, 200], False) if version == "TLS 1.3" else (200, [200, 0], True)
    )
    ways.close()


def test_a_certificate_that_the_list_of_its_ca_names(served: Believing) -> None:
    shown = served.certificate("alice", "acme")
    callers, others = everywhere(served, shown), everywhere(served, served.certificate("alice", "acme"))
    served.list_as_revoked(shown)
    ends(served, callers)
    for other in others:
        assert [call() for way, call in other.of().items() if way != "resumed"] == [200, 200]
        other.close()


def test_a_certificate_that_is_revoked_here(served: Believing) -> None:
    shown = served.certificate("alice", "acme")
    callers = everywhere(served, shown)
    served.gateway.manage("revoke_certificate", str(shown.certificate))
    ends(served, callers, 401)


def test_a_token_that_is_revoked(served: Believing) -> None:
    made = served.gateway.send("alice", "POST", "/admin/v1/tokens", {"name": "t"}, port=served.other_port)
    callers = everywhere(served, None, made.body["secret"])
    served.admin("DELETE", f"tokens/{made.body['tokenId']}")
    ends(served, callers, 401)


def test_a_tenant_that_is_suspended(served: Believing) -> None:
    shown = served.certificate("charlie", "globex", of=served.globex)
    callers = everywhere(served, shown) + everywhere(served, None, served.gateway.tokens["charlie"])
    served.admin("PATCH", "tenants/globex", {"status": "suspended"})
    ends(served, callers, 403)


def test_a_user_who_is_suspended(served: Believing) -> None:
    name, user, _ = newcomer(served)
    callers = everywhere(served, served.certificate(name, "acme"))
    served.admin("PATCH", f"tenants/acme/users/{user}", {"status": "suspended"})
    ends(served, callers, 401)


def test_a_role_that_is_removed(served: Believing) -> None:
    name, user, binding = newcomer(served)
    secret = served.admin("POST", "tokens", {"userId": user, "name": "t"})["secret"]
    callers = everywhere(served, served.certificate(name, "acme")) + everywhere(served, None, secret)
    served.admin("DELETE", f"bindings/{binding}")
    ends(served, callers, 403)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_whose_handshake_had_begun_before_its_revocation(
    served: Believing, version: str
) -> None:
    """Its last message comes only when there is a new list: it is verified by the one it began with."""
    held, other = (served.certificate("alice", "acme") for _ in range(2))
    with Handshake(served, version, other) as shows:
        assert shows.end().startswith(b"HTTP/1.1 200"), "or it shows nothing"
    with Handshake(served, version, held) as waits:
        served.list_as_revoked(held)
        served.gateway.until(lambda: not served.lets_in(held), seconds=SECONDS, what="the new list")
        assert waits.end() == b""
