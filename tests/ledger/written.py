"""A ledger of a small run in which everything is right, for tests of the checker to break.

Three subscriptions: `acme` hears of acme's, `pool` of acme's in pool p1, `root` of everybody's. Resource r1
is acme's: made in p1, renamed, moved to p2, renamed there (which `pool` does not hear), moved back. r2 is
globex's: made and deleted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from subscriptions.signing import headers, new_secret

Record: TypeAlias = dict[str, Any]
Ledger: TypeAlias = list[Record]

START = 1_700_000_000.0
SECRETS = {name: new_secret() for name in ("acme", "pool", "root")}
EVENTS = ["CREATE", "MODIFY", "DELETE"]


def body(thing: str, name: str, pool: str) -> Record:
    return {"id": thing, "name": name, "pool_id": pool, "type_id": "t1"}


R1 = [body("r1", *state) for state in [("a", "p1"), ("b", "p1"), ("b", "p2"), ("c", "p2"), ("c", "p1")]]
R2 = body("r2", "x", "p1")
#: Tenant, before, after.
RUN: list[tuple[str, Record | None, Record | None]] = [
    ("acme", None, R1[0]),
    ("globex", None, R2),
    ("acme", R1[0], R1[1]),
    ("acme", R1[1], R1[2]),
    ("globex", R2, None),
    ("acme", R1[2], R1[3]),
    ("acme", R1[3], R1[4]),
]


def wire(state: Record | None) -> Record | None:
    if state is None:
        return None
    return {"resourceId": state["id"], "name": state["name"], "resourcePoolId": state["pool_id"]}


def right() -> Ledger:
    """The whole of it, in order."""
    records: Ledger = [
        {"what": "subscribed", "subscription": name, "at": START, "tenant": tenant, "secret": SECRETS[name]}
        for name, tenant in (("acme", "acme"), ("pool", "acme"), ("root", None))
    ]
    records[1]["selects"] = {"resourcePoolId": ["P1"], "eventTypes": []}
    numbers = dict.fromkeys(SECRETS, 0)
    for sequence, (tenant, before, after) in enumerate(RUN, 1):
        change = changed(sequence, tenant, before, after)
        records += [change, {"what": "made", "object": change["object"], "type": change["type"], "at": 0.0}]
        for name in told(change):
            numbers[name] += 1
            records += delivered(name, numbers[name], change)
    for thing, state in (("r1", R1[-1]), ("r2", None)):
        records.append({"what": "final", "object": thing, "body": wire(state)})
    copied: Ledger = orjson.loads(orjson.dumps(records))  # no two share a body
    return copied


def changed(sequence: int, tenant: str, before: Record | None, after: Record | None) -> Record:
    event = "CREATE" if before is None else "DELETE" if after is None else "MODIFY"
    return {
        "what": "change",
        "source": "lab",
        "sequence": sequence,
        "object": (after or before or {})["id"],
        "kind": "Resource",
        "type": event,
        "before": before,
        "after": after,
        "tenant": tenant,
        "at": START + sequence,
    }


def told(change: Record) -> Iterator[str]:
    if change["tenant"] == "acme":
        yield "acme"
        if any(state and state["pool_id"] == "p1" for state in (change["before"], change["after"])):
            yield "pool"
    yield "root"


def delivered(name: str, number: int, change: Record) -> list[Record]:
    """Expected, refused once, accepted."""
    sequence = change["sequence"]
    webhook_id = f"{name}-{sequence}"
    expected = {"what": "expected", "subscription": name, "source": "lab", "sequence": sequence}
    first, second = (
        received(name, number, change, change["at"] + wait, status) for wait, status in ((0.1, 503), (5, 204))
    )
    return [{**expected, "webhook_id": webhook_id}, first, second]


def received(name: str, number: int, change: Record, at: float, status: int = 204) -> Record:
    webhook_id = f"{name}-{change['sequence']}"
    text = orjson.dumps(
        {
            "notificationId": webhook_id,
            "notificationEventType": EVENTS.index(change["type"]),
            "priorObjectState": wire(change["before"]),
            "postObjectState": wire(change["after"]),
        }
    )
    signed = headers([SECRETS[name]], webhook_id, int(at), text)
    return {
        "what": "received",
        "subscription": name,
        "webhook_id": webhook_id,
        "o2_sequence": number,
        "at": at,
        "status": status,
        "headers": {**signed, "O2-Sequence": str(number)},
        "body": text.decode(),
    }


def write(path: Path, records: Ledger) -> Path:
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path
