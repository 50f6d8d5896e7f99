"""A run, written down as a ledger (tests/ledger): who subscribed, what was done to whom, what should have
arrived, and what did.

    recorder.subscribe · kill · rest · resume …  ─► notes ──┐
    change log, journal, dead letters (Postgres) ───────────┼─► ledger ─► P1 … P10
    sinks ─► what was received ─────────────────────────────┘

What should have arrived is worked out anew, from the change log and the subscriptions and by the matcher's
definition alone: no row of the outbox has a say in it.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from psycopg.rows import dict_row

from subscriptions.matcher import Happened, Seen, wants
from subscriptions.registry import interest
from subscriptions.subscription import Subscription
from tests.gateway import Gateway
from tests.ledger.checker import check
from tests.peers.process import Process
from tests.sink import Received, Sink

Record: TypeAlias = dict[str, Any]

SUBSCRIPTIONS = "/o2ims/v1/subscriptions"
ORAN = "/o2ims-infrastructureInventory/v1/subscriptions"
_CHANGES = """
    SELECT c.*, s.key, s.shared, c.object_id::text AS object, extract(epoch FROM c.at)::float8 AS seconds
    FROM o2ims_change c JOIN o2ims_source s ON s.id = c.source_id ORDER BY c.source_id, c.sequence
"""
_DEAD = """
    SELECT d.subscription::text AS subscription, c.sequence, s.key
    FROM subscriptions_delivery d JOIN o2ims_change c ON c.id = d.change_id
    JOIN o2ims_source s ON s.id = c.source_id WHERE d.state = 'dead'
"""


@dataclass
class Recorder:
    """Keeps the notes of one run of `gateway`; `sinks` are those that hear of it."""

    gateway: Gateway
    sinks: list[Sink] = field(default_factory=list)
    notes: list[Record] = field(default_factory=list)
    subscribed: dict[str, Subscription] = field(default_factory=dict)
    _paths: dict[tuple[int, str], str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    _dead: set[str] = field(default_factory=set)

    def subscribe(self, who: str, sink: Sink, root: str = SUBSCRIPTIONS, **more: Any) -> str:
        """A new subscription at a path of `sink` of its own; its id."""
        if sink not in self.sinks:
            self.sinks.append(sink)
        path = f"/{len(self._paths)}"
        before = self._positions()
        callback = sink.url.replace("/notifications", path)
        answer = self.gateway.send(who, "POST", root, {"callback": callback, **more})
        assert answer.status == 201, answer
        id_: str = answer.body["subscriptionId"]
        with self.gateway.database() as rows:
            found = rows.execute(
                "SELECT data FROM subscriptions_journal WHERE subscription = %s ORDER BY version DESC", [id_]
            ).fetchone()
        assert found
        made = Subscription.of(found[0])
        after = self._positions()
        assert all(before.get(pk, 0) <= made.born[pk] <= after[pk] for pk in made.born)
        self.subscribed[id_] = made
        self._paths[sink.port, path] = id_
        selects = more.get("filter") if root == SUBSCRIPTIONS else None
        self.note(
            "subscribed",
            id_,
            tenant=made.tenant,
            secret=answer.body["secret"],
            selects=selects or {},
            flavour=made.flavour,
        )
        return id_

    def note(self, what: str, subscription: str, **more: Any) -> None:
        """Something happens to a subscription, now."""
        self.notes.append({"what": what, "subscription": subscription, "at": time.time(), **more})

    def end(self, who: str, id_: str) -> None:
        """Unsubscribes."""
        answer = self.gateway.send(who, "DELETE", f"{SUBSCRIPTIONS}/{id_}", If_Match="*")
        assert answer.status == 204, (answer, self.gateway.web.tail(40))
        self.ended.add(id_)
        self.note("unsubscribed", id_)

    def kill(self, *processes: Process) -> None:
        """With -9."""
        for process in processes:
            assert process.alive
            process.kill()
            self.notes.append({"what": "killed", "process": process.name, "at": time.time()})

    def replay(self, who: str, id_: str, **wanted: Any) -> int:
        """Asks for deliveries once more. How many."""
        for webhook_id in self.dead(id_):
            self.note("replayed", id_, webhook_id=webhook_id)
        answer = self.gateway.send(who, "POST", f"{SUBSCRIPTIONS}/{id_}/replay", wanted, If_Match="*")
        assert answer.status == 202, answer
        count: int = answer.body["deliveries"]
        return count

    def dead(self, id_: str = "") -> list[str]:
        """The webhook ids of dead letters; what was one stays noted as such."""
        with self.gateway.database() as rows:
            found = rows.cursor(row_factory=dict_row).execute(_DEAD).fetchall()
        ids = {webhook_id(row["key"], row["sequence"], row["subscription"]): row for row in found}
        self._dead |= set(ids)
        return [one for one, row in ids.items() if id_ in {"", row["subscription"]}]

    def expected(self) -> dict[str, Record]:
        """What should have arrived so far, by webhook id."""
        return {record["webhook_id"]: record for record in self._expected(self._changes())}

    def missing(self) -> int:
        """How many of those that somebody still waits for have not arrived, and are no dead letters."""
        got = {one.id for sink in self.sinks for one in sink.got}
        wanted = {one for one, record in self.expected().items() if record["subscription"] not in self.ended}
        return len(wanted - got - set(self.dead()))

    def quiet(self, *, seconds: float = 60) -> None:
        """Waits until everything has arrived."""
        self.gateway.until(lambda: not self.missing(), seconds=seconds, what="everything")

    def write(self, path: Path) -> Path:
        """The ledger."""
        changes = self._changes()
        records = [*self._change_records(changes), *self.notes, *self._expected(changes)]
        records += [*self._received(), *self._final(changes)]
        self.dead()
        known = {record["webhook_id"]: record["subscription"] for record in self._expected(changes)}
        records += [
            {"what": "dead", "subscription": known[one], "webhook_id": one, "at": 0.0} for one in self._dead
        ]
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        return path

    def verify(self, path: Path) -> None:
        """Everything that was promised was kept."""
        broken = [
            f"{verdict.name}: {verdict.broken} times\n    " + "\n    ".join(verdict.messages)
            for verdict in check(self.write(path))
            if verdict.broken
        ]
        assert not broken, "\n".join(broken)

    def received(self, id_: str) -> list[Received]:
        """What came for one subscription, refused or not."""
        return [one for sink in self.sinks for one in sink.tried if self._of(sink, one) == id_]

    def got(self, id_: str) -> list[Received]:
        """What it accepted."""
        return [one for sink in self.sinks for one in sink.got if self._of(sink, one) == id_]

    def subscription_at(self, sink: Sink, path: str) -> str:
        """Who subscribed with this path of `sink`; the path, if nobody did."""
        return self._paths.get((sink.port, path), path)

    def _of(self, sink: Sink, one: Received) -> str:
        return self.subscription_at(sink, one.path)

    def _positions(self) -> dict[str, int]:
        with self.gateway.database() as rows:
            return dict(rows.execute("SELECT id::text, last_sequence FROM o2ims_source").fetchall())

    def _changes(self) -> list[Record]:
        with self.gateway.database() as rows:
            return rows.cursor(row_factory=dict_row).execute(_CHANGES).fetchall()

    @staticmethod
    def _change_records(changes: list[Record]) -> Iterator[Record]:
        for row in changes:
            kept = {name: row[name] for name in ("sequence", "object", "kind", "type", "before", "after")}
            yield {
                "what": "change",
                "source": row["key"],
                **kept,
                "tenant": row["tenant"],
                "at": row["seconds"],
            }

    def _expected(self, changes: list[Record]) -> Iterator[Record]:
        seers = self._seers()
        interests = {id_: interest(one) for id_, one in self.subscribed.items()}
        for row in changes:
            if not row["announced"]:
                continue
            seen = Seen(source_shared=row["shared"], seers=seers.get(row["source_id"], frozenset()))
            happened = Happened(
                kind=row["kind"],
                object_id=row["object"],
                tenant=row["tenant"],
                type=row["type"],
                before=row["before"],
                after=row["after"],
            )
            for id_, one in self.subscribed.items():
                late = one.born.get(str(row["source_id"]), 0) < row["sequence"]
                if late and wants(interests[id_], happened, seen):
                    yield {
                        "what": "expected",
                        "subscription": id_,
                        "source": row["key"],
                        "sequence": row["sequence"],
                        "webhook_id": webhook_id(row["key"], row["sequence"], id_),
                    }

    def _seers(self) -> Mapping[int, frozenset[str]]:
        with self.gateway.database() as rows:
            found = rows.execute("SELECT DISTINCT source_id, tenant FROM o2ims_item").fetchall()
        return {source: frozenset(t for s, t in found if s == source) for source, _ in found}

    def _received(self) -> Iterator[Record]:
        for sink in self.sinks:
            for one in list(sink.tried):
                if one.json.get("test"):
                    continue
                yield {
                    "what": "received",
                    "subscription": self._of(sink, one),
                    "webhook_id": one.id,
                    "o2_sequence": one.sequence,
                    "at": one.at,
                    "status": one.status,
                    "headers": one.headers,
                    "body": one.body.decode(),
                }

    def _final(self, changes: list[Record]) -> Iterator[Record]:
        """What the gateway's own API shows in the end, of the objects that changed."""
        flavour, ids = "o2ims v1", {"resources": "resourceId", "resourcePools": "resourcePoolId"}
        shown = {
            one[id_]: one
            for noun, id_ in ids.items()
            for one in self.gateway.everything("root", f"/o2ims/v1/{noun}")
        }
        for row in {row["object"]: row for row in changes}.values():
            if row["kind"] in {"Resource", "ResourcePool"}:
                yield {
                    "what": "final",
                    "object": row["object"],
                    "body": shown.get(row["object"]),
                    "flavour": flavour,
                }


def webhook_id(source: str, sequence: int, subscription: str) -> str:
    """What a delivery's id has to be."""
    return hashlib.blake2b(f"{source}\0{sequence}\0{subscription}".encode(), digest_size=16).hexdigest()
