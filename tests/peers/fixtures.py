"""Fixtures of the real peers, and the closing line that counts tests per peer.

    postgres       a Postgres of this worker's own, for the whole session
    redis_server   a Redis of its own; whoever uses it cleans it
    kube           a Kubernetes control plane of its own
    cluster        the same one as a test wants it: running, and without anything that another test has made
    chromium       the browser

A peer that the machine lacks skips its tests loudly at a desk, and fails them where CI is set.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tests.peers.chromium import Chromium
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.process import PeerMissingError
from tests.peers.redis import Redis

PEER_OF_FIXTURE = {
    "postgres": "postgres",
    "redis_server": "redis",
    "kube": "kubernetes",
    "chromium": "chromium",
    # pytest-django's ways to a database; a mark asks for them only when the test starts
    "db": "postgres",
    "transactional_db": "postgres",
    "live_server": "postgres",
}

Peer = TypeVar("Peer")


def _present(make: Callable[[], Peer]) -> Peer:
    try:
        return make()
    except PeerMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"in CI every peer must be there: {missing}", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with _present(Postgres) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with _present(Redis) as server:
        yield server


@pytest.fixture(scope="session")
def kube() -> Iterator[ControlPlane]:
    with _present(ControlPlane) as plane:
        yield plane


@pytest.fixture
def cluster(kube: ControlPlane) -> ControlPlane:
    kube.clean()
    return kube


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    return _present(Chromium)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test with the peers its fixtures stand for, and lets its reports carry their names."""
    for item in items:
        peers = {mark.args[0] for mark in item.iter_markers("peer")}
        found = {
            PEER_OF_FIXTURE[name] for name in getattr(item, "fixturenames", ()) if name in PEER_OF_FIXTURE
        }
        if item.get_closest_marker("django_db"):
            found.add("postgres")
        for peer in sorted(found - peers):
            item.add_marker(pytest.mark.peer(peer))
        item.user_properties += [("peer", peer) for peer in sorted(found | peers)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran: Counter[str] = Counter()
    skipped: dict[str, Counter[str]] = defaultdict(Counter)
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if not isinstance(report, pytest.TestReport):
            continue
        for peer in (value for name, value in report.user_properties if name == "peer"):
            if report.skipped and isinstance(report.longrepr, tuple):
                skipped[str(peer)][report.longrepr[2].removeprefix("Skipped: ")] += 1
            elif report.when == "call" or report.failed:
                ran[str(peer)] += 1
    said = [f"{peer} {count}" for peer, count in sorted(ran.items())]
    for peer, reasons in sorted(skipped.items()):
        said += [f"{peer} {count} SKIPPED ({reason})" for reason, count in reasons.items()]
    terminalreporter.write_line(f"tests with real peers: {', '.join(said) or 'none'}", yellow=bool(skipped))
