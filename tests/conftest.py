"""Fixtures every test may ask for: Django on real servers, the cast, and a gateway that has seen the
sample."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(
    DJANGO_SETTINGS_MODULE="netweave.settings",
    DATABASE_URL="postgresql://nobody@127.0.0.1:1/nowhere",  # filled in when the servers start
    MIGRATE_DATABASE_URL="postgresql://somebody@127.0.0.1:1/nowhere",
    REDIS_URL="redis://127.0.0.1:1/0",
    SECRET_KEY="tests",
    GATEWAY_CONFIG=str(Path(__file__).parent / "gateway.yaml"),
    ALLOW_PLAIN_HTTP="1",
    REQUIRE_CLIENT_CERTIFICATE="0",
    ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
    REQUIRE_TOTP="0",
    DOCS_PUBLIC="1",
    RATE_LIMIT_TENANT="0",
    RATE_LIMIT_USER="0",
    RATE_LIMIT_ADDRESS="0",
    RATE_LIMIT_PAGES="0",
)

import django
import pytest

django.setup()
# Whoever imports them first, their assertions tell what they compared.
pytest.register_assert_rewrite(
    "tests.contract.ims", "tests.contract.writing", "tests.contract.kubernetes_troubles"
)

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.plugin import blocking_manager_key

from netweave.environment import database
from o2ims.mirror import mirror
from subscriptions import pulse
from tenancy.audit import waiting
from tenancy.jwts import believed
from tenancy.models import Role
from tenancy.principals import principals
from tenancy.rates import rates
from tenancy.roles import install
from tests.gateway import Gateway
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.traffic import check
from tests.world import Cast, World, people

# Whatever any test is answered is checked: behind the compression, and around all that answers.
settings.MIDDLEWARE.insert(
    settings.MIDDLEWARE.index("api.compression.CompressionMiddleware") + 1, "tests.traffic.Watched"
)
Gateway.watchers.append(check)

pytest_plugins = ["tests.peers.fixtures"]


@pytest.fixture(scope="session")
def django_db_setup(postgres: Postgres, django_db_blocker: Any) -> None:
    """One migrated database, reached as in production: migrations as the owner, everything else as the
    application."""
    postgres.create("netweave")
    for alias, url in (("default", postgres.app_url("netweave")), ("owner", postgres.owner_url("netweave"))):
        place = database(alias, url)
        given: Any
        for given in (settings.DATABASES[alias], connections[alias].settings_dict):
            given.update({key: place[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
            given["OPTIONS"].pop("pool", None)
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)


def pytest_collection_finish() -> None:
    """Nobody looks for garbage any more in what has been loaded and collected: it stays, and is much."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A test that commits ends with every table emptied: the roles that a migration made come back."""
    yield
    marker = item.get_closest_marker("django_db")
    if nextitem is not None and marker is not None and marker.kwargs.get("transaction"):
        with item.config.stash[blocking_manager_key].unblock():
            install(Role, "owner")


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice and Bob of acme, Charlie of globex, Root and Iris of the platform, each with a token."""
    return people()


@pytest.fixture
def world(db: None) -> World:
    """A database that sources are recorded into, and this process's mirror of it."""
    return World()


@pytest.fixture
def sample(world: World) -> World:
    """The world with the memory backend's sample in it: shared, so that every tenant sees what is
    nobody's."""
    world.add("sample", shared=True)
    return world


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """No test sees what another's process-wide state kept."""
    yield
    mirror.__init__()  # type: ignore[misc]
    principals.__init__()  # type: ignore[misc]
    believed.__init__()  # type: ignore[misc]
    rates.__init__()  # type: ignore[misc]
    waiting.__init__()  # type: ignore[misc]
    pulse.day.forget()
    pulse.dead.forget()


@pytest.fixture
def call(cast: Cast) -> Callable[..., Any]:
    """`call("alice", "/o2ims/v1/resourcePools")`: a GET (or `method=`) with that person's token; '' for
    nobody's."""

    client = Client()  # one for all: making one looks through every static file

    def request(
        who: str, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, **more: Any
    ) -> Any:
        given = dict(headers or {})
        if who:
            given["Authorization"] = f"Bearer {cast.tokens[who]}"
        return client.generic(method, path, headers=given, **more)

    return request


@pytest.fixture
def gateway(postgres: Postgres, redis_server: Redis) -> Iterator[Gateway]:
    """A gateway of this test's own; it starts the processes it needs."""
    made = Gateway(postgres, redis_server)
    yield made
    made.close()


@pytest.fixture
def counted(redis_server: Redis, settings: Any) -> Iterator[None]:
    """People can sign in: Redis is there, where guesses are counted."""
    redis_server.clean()
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": redis_server.url}}
    yield
    get_redis_connection("default").connection_pool.disconnect()
