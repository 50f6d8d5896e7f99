"""A real cluster behind a network that is cut: what is done to its nodes meanwhile, and what of it is news.

cluster ◄── network (a FaultProxy) ◄── gateway ──► subscribers of `recorder`
   ▲
 Nodes
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from adapters.types import object_id
from tests.adapters.kubernetes_objects import node
from tests.gateway import Gateway
from tests.peers.fault_proxy import FaultProxy, Pass, Refuse
from tests.peers.kubernetes import ControlPlane
from tests.peers.postgres import Postgres
from tests.peers.redis import Redis
from tests.subscriptions.recorder import Record, Recorder

SOURCE = "edge"
HANDS = 8
MARK = "lab.example/mark"
SETTINGS = {"ALLOW_LOOPBACK_CALLBACKS": "1", "DELIVERY_RATE": "0", "LOG_LEVEL": "WARNING"}


@dataclass
class Nodes:
    """The nodes of a cluster by name and uid. `made` are the ledger's records of what was made and deleted;
    `net` is what who did not look meanwhile should be told in the end, as (object, type)."""

    cluster: ControlPlane
    made: list[Record] = field(default_factory=list)
    living: dict[str, str] = field(default_factory=dict)
    net: set[tuple[str, str]] = field(default_factory=set)

    def fill(self, count: int) -> None:
        """So many nodes, of nobody's."""
        self._all(self._create, [f"n{number:05}" for number in range(count)])

    def shuffle(self, count: int) -> None:
        """Of so many nodes 4 in 10 are changed twice, 1 in 10 is changed and changed back, the rest are
        deleted, half of them made again under their names; and some come and go."""
        names = sorted(self.living)[:count]
        tenth = count // 10
        changed, back, doomed = names[: 4 * tenth], names[4 * tenth : 5 * tenth], names[5 * tenth :]
        again = doomed[::2]
        self.net |= {(self._id(name), "MODIFY") for name in changed}
        self.net |= {(self._id(name), "DELETE") for name in doomed}
        for text in ("once", "twice"):
            self._all(partial(self._mark, text), changed)
        for text in ("once", ""):
            self._all(partial(self._mark, text), back)
        self._all(self._delete, doomed)
        self._all(self._create, again)
        self.net |= {(self._id(name), "CREATE") for name in again}
        passing = [f"passing-{number}" for number in range(tenth)]
        self._all(self._create, passing)
        self._all(self._delete, passing)

    def _all(self, call: Callable[[str], None], names: list[str]) -> None:
        with ThreadPoolExecutor(HANDS) as pool:
            list(pool.map(call, names))

    def _create(self, name: str) -> None:
        self.living[name] = self.cluster.request("POST", "/api/v1/nodes", node(name))["metadata"]["uid"]
        self._note("CREATE", name)

    def _mark(self, text: str, name: str) -> None:
        labels = {MARK: text or None}  # null takes a label away
        path, change = f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}}
        self.cluster.request("PATCH", path, change, content_type="application/merge-patch+json")

    def _delete(self, name: str) -> None:
        self._note("DELETE", name)
        self.cluster.request("DELETE", f"/api/v1/nodes/{name}")
        del self.living[name]

    def _note(self, type_: str, name: str) -> None:
        self.made.append({"what": "made", "object": self._id(name), "type": type_, "at": time.time()})

    def _id(self, name: str) -> str:
        return str(object_id(SOURCE, self.living[name]))


@dataclass
class Cut:
    """A gateway that runs on such a cluster, hands in that, and the recorder of what happens. `first` is the
    sequence of the last change of the first list."""

    gateway: Gateway
    hands: Nodes
    recorder: Recorder
    path: Path
    network: FaultProxy
    first: int = 0

    def cut(self) -> None:
        """Whoever is connected is so no longer, and nobody gets through."""
        self.network.fault = Refuse()
        self.hands.cluster.restart_api()  # its history goes: a watch from before is 410

    def mend(self) -> float:
        """The network is as before. When the gateway has found out, by the monotonic clock."""
        self.network.fault, tried = Pass(), self.network.connections
        self.gateway.until(lambda: self.network.connections > tried, seconds=60, what="another try")
        return time.monotonic()

    def is_seen(self) -> bool:
        """Whether the inventory holds what is in the cluster, and every net change is in the log."""
        count = "SELECT count(*) FROM o2ims_change WHERE kind = 'Resource' AND sequence > %s"
        with self.gateway.database() as rows:
            enough = rows.execute(count, [self.first]).fetchone() or (0,)
            if enough[0] < len(self.hands.net):
                return False
            living = "SELECT native_id FROM o2ims_item WHERE kind = 'Resource' AND deleted_at IS NULL"
            held = {native_id for (native_id,) in rows.execute(living).fetchall()}
        return held == set(self.hands.living.values())

    def news(self) -> list[tuple[str, str]]:
        """The changes of nodes since the first list, as (object, type)."""
        return [
            (one["object"], one["type"])
            for one in self.recorder._changes()
            if one["kind"] == "Resource" and one["sequence"] > self.first
        ]


@contextmanager
def cut_off(postgres: Postgres, redis: Redis, cluster: ControlPlane, path: Path, nodes: int) -> Iterator[Cut]:
    """Web and worker on a cluster with so many nodes, all of them seen."""
    redis.clean()
    gateway = Gateway(postgres, redis, **SETTINGS)
    try:
        with FaultProxy(int(cluster.url.rpartition(":")[2])) as network:
            hands = Nodes(cluster)
            hands.fill(nodes)
            kubeconfig = cluster.kubeconfig(url=f"https://127.0.0.1:{network.port}")
            config = {"kubeconfig": str(kubeconfig)}
            gateway.configure({"name": SOURCE, "type": "k8s", "tenant": "acme", "config": config})
            gateway.start(gateway.web, gateway.worker)
            found = Cut(gateway, hands, Recorder(gateway), path / "ledger.jsonl", network)
            gateway.until(found.is_seen, seconds=120, what="the first list")
            found.first = max(one["sequence"] for one in found.recorder._changes())
            hands.made += _others(found.recorder)
            yield found
    finally:
        gateway.close()


def _others(recorder: Recorder) -> list[Record]:
    """What there is of a cluster beside its nodes, as made."""
    found = [one for one in recorder._changes() if one["kind"] != "Resource"]
    return [
        {"what": "made", "object": one["object"], "type": "CREATE", "at": one["seconds"]} for one in found
    ]
