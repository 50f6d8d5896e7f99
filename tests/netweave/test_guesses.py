"""T34: whoever guesses at the admin site's login gets no more than the limit evaluated, however many come at
once and wherever from, and learns nothing from how they are refused."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from netweave.guesses import FROM_ANYWHERE, FROM_ONE_ADDRESS
from tests.gateway import Gateway
from tests.netweave.signing_in import PASSWORD, Page, Person
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis

pytestmark = pytest.mark.xdist_group("guesses")

# The hasher of production, which notes each password that it looks at.
COUNTING = """
import os
from django.contrib.auth.hashers import Argon2PasswordHasher
def noted(what):
    with open(os.environ["EVALUATED"], "a") as file:
        file.write(what + "\\n")
class Hasher(Argon2PasswordHasher):
    def verify(self, password, encoded):
        noted("verified")
        return super().verify(password, encoded)
    def encode(self, password, salt):
        noted("encoded")
        return super().encode(password, salt)
"""
#: What differs between any two answers.
ITS_OWN = {"date", "expires", "x-request-id", "traceparent", "content-length"}
SETTINGS = "from netweave.settings import *\nPASSWORD_HASHERS = ['counting.Hasher']\n"


class Watched:
    """A gateway behind a proxy that says where each guess comes from; what its hasher has looked at."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        (folder / "counting.py").write_text(COUNTING)
        (folder / "counted.py").write_text(SETTINGS)
        self._notes = folder / "evaluated"
        gateway.environment |= {
            "DJANGO_SETTINGS_MODULE": "counted",
            "PYTHONPATH": str(folder),
            "EVALUATED": str(self._notes),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
        gateway.web.command[:] = gateway._command("serve", "--port", str(gateway.port))
        gateway.start(gateway.web, ready=False)
        gateway.until(lambda: gateway.get("", "/livez").status == 200, what="a start")
        for name in ("boss", "vice"):
            gateway.manage("add_user", name, "--admin", "--password-stdin", given=f"{PASSWORD}\n")
        gateway.manage("add_user", "dora@acme", "--password-stdin", given=f"{PASSWORD}\n")
        self.gateway = gateway
        self.work()

    def guess(self, name: str, password: str = "wrong", *, of: str = "192.0.2.1", port: int = 0) -> Page:
        return Person(self.gateway, port=port, X_Forwarded_For=of).sign_in(name, password)

    def work(self) -> list[str]:
        """What the hasher did since this was last asked."""
        found = self._notes.read_text().split() if self._notes.exists() else []
        self._notes.write_text("")
        return found


@pytest.fixture(scope="module")
def guarded(
    postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """One gateway for all of them."""
    gateway = Gateway(postgres, redis_server)
    try:
        yield Watched(gateway, tmp_path_factory.mktemp("guesses"))
    finally:
        gateway.close()


@pytest.fixture
def watched(guarded: Watched, redis_server: Redis) -> Iterator[Watched]:
    """The same, at which nobody has guessed."""
    redis_server.clean()
    guarded.work()
    yield guarded
    redis_server.clean()


def test_a_crowd_that_guesses_at_once_from_everywhere_at_two_processes_gets_no_more_than_the_limit(
    watched: Watched,
) -> None:
    other, port = watched.gateway.another_web()
    watched.gateway.start(other, ready=False)
    ports = (watched.gateway.port, port)
    try:
        watched.gateway.until(lambda: watched.gateway.get("", "/livez", port=port).status == 200)
        with ThreadPoolExecutor(20) as crowd:
            guesses = [(f"198.51.100.{n}", ports[n % 2]) for n in range(60)]
            pages = list(crowd.map(lambda one: watched.guess("boss", of=one[0], port=one[1]), guesses))
    finally:
        other.stop()
    assert {page.status for page in pages} == {200}
    assert len({page.refusal for page in pages}) == 1
    assert watched.work().count("verified") == FROM_ANYWHERE
    assert watched.guess("boss", PASSWORD, of="198.51.100.200").status == 200  # even the right one
    assert watched.work() == ["encoded"]
    assert watched.guess("vice", PASSWORD).status == 302


def test_an_account_has_one_count_however_its_name_is_spelled(watched: Watched) -> None:
    spellings = ("boss", " boss ", "\uff42\uff4f\uff53\uff53", "bo\uff53s\t")
    for n in range(FROM_ANYWHERE + 10):
        watched.guess(spellings[n % len(spellings)], of=f"198.51.100.{n}")
    assert watched.work().count("verified") == FROM_ANYWHERE
    for n, spelling in enumerate(spellings):
        assert watched.guess(spelling, PASSWORD, of=f"203.0.113.{n}").status == 200
    watched.work()
    for n, other in enumerate(("BOSS", "boss\u0301", "boss.")):  # no account's
        watched.guess(other, PASSWORD, of=f"203.0.113.{n}")
    assert watched.work().count("verified") == 0


def test_one_address_gets_less_and_locks_nobody_else_out(watched: Watched) -> None:
    for _ in range(FROM_ONE_ADDRESS + 3):
        watched.guess("boss")
    assert watched.work().count("verified") == FROM_ONE_ADDRESS
    assert watched.guess("boss", PASSWORD).status == 200
    assert watched.guess("boss", PASSWORD, of="192.0.2.2").status == 302
    assert watched.guess("vice", PASSWORD).status == 302


def test_an_address_is_what_a_trusted_proxy_says_and_nobody_else(watched: Watched) -> None:
    for n in range(FROM_ONE_ADDRESS):
        watched.guess("boss", of=f"203.0.113.{n}, 192.0.2.1")  # the caller's own words come first
    watched.work()
    watched.guess("boss", of="203.0.113.99, 192.0.2.1")
    assert watched.work() == ["encoded"]


def test_signing_in_forgives_that_address_and_gives_the_others_nothing(watched: Watched) -> None:
    for _ in range(FROM_ONE_ADDRESS - 1):
        watched.guess("boss")
    assert watched.guess("boss", PASSWORD).status == 302
    for n in range(FROM_ANYWHERE):
        watched.guess("boss", of=f"198.51.100.{n}")
    assert watched.work().count("verified") == FROM_ANYWHERE + 1


def test_refusals_are_alike_in_what_they_say_and_what_they_cost(watched: Watched) -> None:
    for _ in range(FROM_ONE_ADDRESS):
        watched.guess("vice")
        watched.guess("nobody at all")
    watched.work()
    cases = {
        "wrong": ("boss", "wrong"),
        "unknown": ("somebody", "wrong"),
        "locked": ("vice", PASSWORD),
        "locked and unknown": ("nobody at all", "wrong"),
        "of a tenant": ("dora@acme", PASSWORD),
    }
    pages: dict[str, tuple[Any, ...]] = {}
    work: dict[str, int] = {}
    for case, (name, password) in cases.items():
        page = watched.guess(name, password)
        text = re.sub(r'(name="csrfmiddlewaretoken" value=)"\w+"', r"\1", page.text)
        length = int(page.headers["content-length"]) - len(name.encode())  # which is in the form again
        headers = {k: v for k, v in page.headers.items() if k not in ITS_OWN}
        cookies = [re.sub(r"=\w+|expires=[^;]*", "=", cookie, count=2) for cookie in page.cookies]
        pages[case] = (
            page.status,
            text.replace(f'value="{name}"', "").encode(),
            length,
            *headers.items(),
            *cookies,
        )
        work[case] = len(watched.work())
    assert len(set(pages.values())) == 1
    assert b"errornote" in pages["wrong"][1]
    assert work == dict.fromkeys(cases, 1)


def test_an_admin_forgets_the_guesses_at_an_account(watched: Watched) -> None:
    for n in range(FROM_ANYWHERE + 1):
        watched.guess("boss", of=f"198.51.100.{n}")
    assert watched.guess("boss", PASSWORD).status == 200
    watched.gateway.manage("axes_reset_username", "boss")
    assert watched.guess("boss", PASSWORD).status == 302


def test_while_redis_is_away_nobody_signs_in_and_whoever_is_in_stays(
    watched: Watched, redis_server: Redis
) -> None:
    inside = Person(watched.gateway)
    assert inside.sign_in("vice").status == 302
    watched.work()
    unavailable = 'netweave_sign_ins_total{result="unavailable"}'
    before = watched.gateway.metric(unavailable) or 0
    redis_server.kill()
    page = watched.guess("boss", PASSWORD)
    assert (page.status, "Redis cannot be reached" in page.refusal) == (200, True)
    assert watched.work() == []
    assert inside.ask("GET", "/admin/").status == 200
    redis_server.start()
    assert watched.guess("boss", PASSWORD).status == 302
    assert watched.gateway.metric(unavailable) == before + 1


def test_passwords_are_kept_as_argon2id_and_in_no_other_way(watched: Watched) -> None:
    change = "UPDATE tenancy_user SET password = %s WHERE username = 'boss'"
    with watched.gateway.database() as database:
        kept = database.execute("SELECT password FROM tenancy_user WHERE username = 'boss'").fetchone()
        assert kept is not None
        assert kept[0].startswith("argon2$argon2id$")
        database.execute(change, [PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)])
    assert watched.guess("boss", PASSWORD).status == 200
    with watched.gateway.database() as database:
        database.execute(change, kept)
    assert watched.guess("boss", PASSWORD, of="192.0.2.2").status == 302
