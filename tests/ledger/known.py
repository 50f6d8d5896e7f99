"""What a ledger says should be: everything but what was received, in what a checker needs of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple, TypeAlias

from tests.ledger.receipt import NotALedgerError, Receipt, digest, records

Criteria: TypeAlias = Mapping[str, str]
Told: TypeAlias = tuple[str, str, int]
"""Subscription, source, sequence: one change as told to one subscriber."""

SILENT_AFTER = {"unsubscribed": 1.0, "suspended": 5.0}


class Change(NamedTuple):
    """A row of the change log. `previous` is the sequence of the object's change before it, 0 for none;
    `states` are the ids that a filter can ask for, of each state there is."""

    line: int
    object: str
    type: str
    tenant: str
    previous: int
    before: bytes
    after: bytes
    states: tuple[Criteria, ...]


@dataclass(slots=True)
class Subscriber:
    """What is known of a subscription. `silences` are the times in which nothing may arrive."""

    tenant: str | None = None
    flavour: str = ""
    selects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    silences: list[tuple[float, float]] = field(default_factory=list)

    @property
    def silent_in_the_end(self) -> bool:
        """Whether what has not arrived need not have."""
        return bool(self.silences) and self.silences[-1][1] == float("inf")


@dataclass(slots=True)
class Known:
    """The first reading. `expected` leads from a webhook id to what it tells, `ids` back again; `last` is
    the sequence of each object's last change; `made` counts what was done, by object and type."""

    changes: dict[tuple[str, int], Change] = field(default_factory=dict)
    subscribers: dict[str, Subscriber] = field(default_factory=dict)
    expected: dict[str, Told] = field(default_factory=dict)
    ids: dict[Told, str] = field(default_factory=dict)
    two_ids: list[tuple[int, str]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    replayed: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    finals: dict[tuple[str, str], bytes] = field(default_factory=dict)
    last: dict[tuple[str, str], int] = field(default_factory=dict)
    made: dict[tuple[str, str], int] = field(default_factory=dict)

    def change_of(self, receipt: Receipt) -> Change | None:
        """The change that a receipt should tell of; None where it was not to be expected there."""
        told = self.expected.get(receipt.webhook_id)
        if told is None or told[0] != receipt.subscription:
            return None
        return self.changes.get(told[1:])


def known(path: Path) -> Known:
    """All that a ledger says, except for what was received; raises `NotALedgerError`."""
    found = Known()
    for line, record in records(path):
        if record["what"] == "received":
            continue
        note = _NOTES.get(record["what"])
        if note is None:
            raise NotALedgerError(f"line {line}: there is no record {record['what']!r}")
        try:
            note(found, line, record)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise NotALedgerError(f"line {line} is no {record['what']} record: {error!r}") from error
    return found


def _change(found: Known, line: int, record: Mapping[str, Any]) -> None:
    source, sequence, thing = intern(record["source"]), int(record["sequence"]), intern(record["object"])
    states = [state for state in (record["before"], record["after"]) if state is not None]
    found.changes[source, sequence] = Change(
        line=line,
        object=thing,
        type=intern(record["type"]),
        tenant=intern(record["tenant"] or ""),
        previous=found.last.get((source, thing), 0),
        before=digest(record["before"]),
        after=digest(record["after"]),
        states=tuple(_criteria(record["kind"], state) for state in states),
    )
    found.last[source, thing] = sequence


def _criteria(kind: str, state: Mapping[str, Any]) -> Criteria:
    places = {
        "Resource": {"resourceId": "id", "resourcePoolId": "pool_id", "resourceTypeId": "type_id"},
        "ResourcePool": {"resourcePoolId": "id"},
        "ResourceType": {"resourceTypeId": "id"},
    }.get(kind, {})
    return {name: intern(str(state.get(key)).lower()) for name, key in places.items()}


def _made(found: Known, _: int, record: Mapping[str, Any]) -> None:
    key = (intern(record["object"]), intern(record["type"]))
    found.made[key] = found.made.get(key, 0) + 1


def _subscribed(found: Known, _: int, record: Mapping[str, Any]) -> None:
    selects = {
        name: frozenset([values] if isinstance(values, str) else values)
        for name, values in (record.get("selects") or {}).items()
    }
    one = found.subscribers.setdefault(intern(record["subscription"]), Subscriber())
    one.tenant, one.flavour, one.selects = record["tenant"], record.get("flavour", ""), selects
    one.secrets.append(record["secret"])


def _rotated(found: Known, _: int, record: Mapping[str, Any]) -> None:
    found.subscribers[record["subscription"]].secrets.append(record["secret"])


def _silence(found: Known, _: int, record: Mapping[str, Any]) -> None:
    one = found.subscribers[record["subscription"]]
    if not one.silent_in_the_end:
        one.silences.append((float(record["at"]) + SILENT_AFTER[record["what"]], float("inf")))


def _resumed(found: Known, _: int, record: Mapping[str, Any]) -> None:
    silences = found.subscribers[record["subscription"]].silences
    begins = silences.pop()[0]
    silences.append((begins, float(record["at"])))


def _expected(found: Known, line: int, record: Mapping[str, Any]) -> None:
    told = (intern(record["subscription"]), intern(record["source"]), int(record["sequence"]))
    webhook_id = record["webhook_id"]
    if found.ids.setdefault(told, webhook_id) != webhook_id:
        found.two_ids.append((line, f"{webhook_id} tells {told[0]} what {found.ids[told]} tells it"))
    if found.expected.setdefault(webhook_id, told) != told:
        found.two_ids.append((line, f"{webhook_id} tells of two changes or two subscriptions"))


def _dead(found: Known, _: int, record: Mapping[str, Any]) -> None:
    found.dead.add(record["webhook_id"])


def _replayed(found: Known, _: int, record: Mapping[str, Any]) -> None:
    found.replayed[record["webhook_id"]] = found.replayed.get(record["webhook_id"], 0) + 1


def _killed(found: Known, _: int, record: Mapping[str, Any]) -> None:
    assert record["process"] is not None
    found.kills += 1


def _final(found: Known, _: int, record: Mapping[str, Any]) -> None:
    found.finals[record.get("flavour", ""), record["object"]] = digest(record["body"])


_NOTES: Mapping[str, Callable[[Known, int, Mapping[str, Any]], None]] = {
    "change": _change,
    "made": _made,
    "subscribed": _subscribed,
    "rotated": _rotated,
    "unsubscribed": _silence,
    "suspended": _silence,
    "resumed": _resumed,
    "expected": _expected,
    "dead": _dead,
    "replayed": _replayed,
    "killed": _killed,
    "final": _final,
}
