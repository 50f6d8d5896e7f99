"""T42: nobody is served with settings that open the gateway to everybody, and a deployment's own check finds
nothing wrong with the settings of production."""

import re
from pathlib import Path

import pytest

from tests.gateway import KEY, Gateway

PRODUCTION = {
    "ALLOWED_HOSTS": "netweave.example.com",
    "EXTERNAL_URL": "https://netweave.example.com",
    "DOCS_PUBLIC": "0",
    "REQUIRE_TOTP": "1",
    "ALLOW_PLAIN_HTTP": "0",
    "REQUIRE_CLIENT_CERTIFICATE": "1",
    "PYTHONWARNINGS": "error",
}
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
    gateway.environment |= PRODUCTION
    return gateway


def serve(gateway: Gateway, *words: str) -> str:
    """What a start says that is refused."""
    return gateway.manage("serve", "--port", str(gateway.port), *words, status=2)


def serves(gateway: Gateway, *words: str) -> bool:
    """Whether it starts."""
    web = gateway._process("started", "serve", "--port", str(gateway.port), *words)
    gateway.start(web, ready=False)
    gateway.until(lambda: not web.alive or gateway.get("", "/livez").status == 200, what="a start")
    alive = web.alive
    web.stop()
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
