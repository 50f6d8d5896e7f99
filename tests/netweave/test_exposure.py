"""T42: nobody is served with settings that open the gateway to everybody, and a deployment's own check finds
nothing wrong with the settings of production."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from netweave import exposure
from tests.gateway import KEY, Gateway
from tests.netweave.signing_in import Person

PRODUCTION = {
    "ALLOWED_HOSTS": "netweave.example.com",
    "EXTERNAL_URL": "https://netweave.example.com",
    "PYTHONWARNINGS": "error",
}
#: What production has to say, and nothing else: all the rest is as it is by default.
NEEDED = {"DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "GATEWAY_CONFIG"}
KEYS = {
    "none": "",
    "short": KEY[:49],
    "of one letter": "x" * 64,
    "Django's": f"django-insecure-{KEY}",
    "a placeholder": "please-change-me-please-change-me-please-change-me-1",
    "another": f"YOUR_SECRET_KEY_HERE_{KEY}",
}


@pytest.fixture
def production(gateway: Gateway) -> Gateway:
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    needed = {name: value for name, value in gateway.environment.items() if name in NEEDED}
    gateway.environment = needed | PRODUCTION
    return gateway


def serve(gateway: Gateway, *words: str) -> str:
    """What a start says that is refused."""
    return gateway.manage("serve", "--port", str(gateway.port), *words, status=2)


@contextmanager
def started(gateway: Gateway, *words: str) -> Iterator[bool]:
    """Whether it starts; it ends with the block."""
    web = gateway._process("started", "serve", "--port", str(gateway.port), *words)
    gateway.start(web, ready=False)
    try:
        gateway.until(lambda: not web.alive or gateway.get("", "/livez").status == 200, what="a start")
        yield web.alive
    finally:
        web.stop()


def serves(gateway: Gateway, *words: str) -> bool:
    with started(gateway, *words) as alive:
        return alive


def test_the_deployment_check_finds_nothing_in_production_and_what_is_relaxed_elsewhere(
    production: Gateway,
) -> None:
    found = production.manage("check", "--deploy", "--fail-level", "WARNING")
    assert found.startswith("System check identified no issues")
    production.environment |= {"ALLOW_PLAIN_HTTP": "1", "DOCS_PUBLIC": "1", "SECRET_KEY": "short"}
    production.environment["MIGRATE_DATABASE_URL"] = production.environment["DATABASE_URL"]
    said = production.manage("check", "--deploy", "--fail-level", "WARNING", status=1)
    found_now = set(re.findall(r"\((\w+\.W\d+)\)", said))
    assert found_now == {
        "netweave.W001", "netweave.W002", "security.W004", "security.W009", "security.W012", "security.W016",
    }  # fmt: skip


def test_a_debug_of_the_environment_turns_nothing_on(production: Gateway) -> None:
    production.environment |= dict.fromkeys(("DEBUG", "DJANGO_DEBUG", "TEMPLATE_DEBUG"), "1")
    found = production.manage("check", "--deploy", "--fail-level", "WARNING")
    assert found.startswith("System check identified no issues")


def test_by_default_the_documentation_is_closed_and_a_token_is_not_enough(production: Gateway) -> None:
    with started(production):
        host = {"Host": "netweave.example.com"}
        stranger = Person(production, port=0, **host)
        docs, document = stranger.ask("GET", "/docs/"), stranger.ask("GET", "/openapi.json")
        assert (docs.status, docs.headers["location"]) == (302, "/admin/login/?next=/docs/")
        assert document.status == 403
        assert "paths" not in document.text
        login = stranger.ask("GET", "/admin/login/")
        assert 'name="code"' in login.text, "a second factor"
        assert [cookie.partition("=")[0] for cookie in login.cookies] == ["__Host-csrf"]
        assert production.get("alice", "/o2ims/v1/resourcePools", port=None, **host).status == 401
        assert Person(production, Host="elsewhere.example").ask("GET", "/admin/login/").status == 400


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
def test_a_key_that_others_know_stops_the_start_and_is_not_shown(production: Gateway, key: str) -> None:
    production.environment["SECRET_KEY"] = key
    for said in (serve(production), production.manage("worker", "--ops-port", "1", status=2)):
        assert "SECRET_KEY can be guessed" in said
        assert KEY[:20] not in said
        assert "Traceback" not in said


def test_plain_http_to_the_network_stops_the_start(production: Gateway) -> None:
    del production.environment["EXTERNAL_URL"]
    for host in ("0.0.0.0", "::", "10.255.255.1"):
        assert f"plain HTTP on {host}" in serve(production, "--host", host)
        assert "plain HTTP" in serve(production, "--host", host, "--tls")
    assert "TLS_CERTIFICATE and TLS_KEY" in serve(production, "--host", "0.0.0.0", "--tls-only")
    production.environment["EXTERNAL_URL"] = "http://netweave.example.com"
    assert "plain HTTP" in serve(production, "--host", "0.0.0.0")


@pytest.mark.parametrize("host", ["", "0", "*", "netweave.example.com", "localhost.example.com", "127.1"])
def test_what_is_not_surely_this_machine_is_the_network(settings: Any, host: str) -> None:
    settings.SECRET_KEY, settings.PLAIN_HTTP, settings.EXTERNAL_URL = KEY, False, ""
    exposure.refuse("127.0.0.1", plain=True)
    exposure.refuse(host, plain=False)
    with pytest.raises(CommandError, match="plain HTTP"):
        exposure.refuse(host, plain=True)
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["localhost", "[::1]"]
    exposure.refuse("::1", plain=True)
    settings.ALLOWED_HOSTS = ["localhost", host]
    with pytest.raises(CommandError, match="DEBUG shows"):
        exposure.refuse("127.0.0.1", plain=False)


@pytest.mark.parametrize(
    "said", [{"EXTERNAL_URL": "https://netweave.example.com"}, {"ALLOW_PLAIN_HTTP": "1"}], ids=str
)
def test_plain_http_that_somebody_answers_for_is_served(production: Gateway, said: dict[str, str]) -> None:
    del production.environment["EXTERNAL_URL"]
    production.environment |= {**said, "ALLOWED_HOSTS": "*"}
    assert serves(production, "--host", "0.0.0.0")


def test_debugging_in_sight_of_others_stops_the_start(production: Gateway, tmp_path: Path) -> None:
    (tmp_path / "debugging.py").write_text("from netweave.settings import *\nDEBUG = True\n")
    production.environment |= {"DJANGO_SETTINGS_MODULE": "debugging", "PYTHONPATH": str(tmp_path)}
    assert "DEBUG shows" in serve(production)  # under a public name
    production.environment["ALLOWED_HOSTS"] = "localhost,127.0.0.1,[::1]"
    assert "DEBUG shows" in serve(production, "--host", "0.0.0.0")
    assert serves(production)


def test_all_that_is_wrong_is_said_at_once(production: Gateway) -> None:
    del production.environment["EXTERNAL_URL"]
    production.environment["SECRET_KEY"] = "changeme"
    said = serve(production, "--host", "0.0.0.0")
    assert "SECRET_KEY" in said
    assert "plain HTTP" in said
