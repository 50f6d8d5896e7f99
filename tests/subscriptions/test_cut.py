"""The watch of a real cluster is cut, its nodes are changed, and its history is forgotten: exactly what is
different in the end is told."""

from pathlib import Path

import pytest

from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.sink import Sink
from tests.subscriptions.cut import cut_off

pytestmark = [pytest.mark.xdist_group("subscription faults"), pytest.mark.timeout(240)]


def test_who_could_not_look_tells_the_net_difference(
    postgres: Postgres, redis_server: Redis, cluster: ControlPlane, tmp_path: Path
) -> None:
    with cut_off(postgres, redis_server, cluster, tmp_path, nodes=200) as run, Sink() as sink:
        run.recorder.subscribe("root", sink)
        run.recorder.subscribe("alice", sink, filter={"eventTypes": ["DELETE"]})
        run.cut()
        run.hands.shuffle(80)
        assert run.news() == []
        run.mend()
        run.gateway.until(run.is_seen, seconds=60, what="the list after it")
        run.recorder.quiet()
        assert sorted(run.news()) == sorted(run.hands.net)
        run.recorder.notes += run.hands.made
        run.recorder.verify(run.path)
