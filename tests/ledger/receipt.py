"""One request that a sink received, and the reading of a ledger's lines."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

EVENTS = ("CREATE", "MODIFY", "DELETE")


class NotALedgerError(ValueError):
    """A line that is no record; the message says which."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A `received` record. `line` is where it stands in the ledger; `first` whether nothing with this id was
    accepted before and this is; `event` is '' and `before` and `after` are None where the body does not tell.
    The states are digests: of JSON null where there is none."""

    line: int
    subscription: str
    webhook_id: str
    o2_sequence: int
    at: float
    status: int
    first: bool
    headers: Mapping[str, str]
    body: bytes
    notification_id: str
    event: str
    before: bytes | None
    after: bytes | None

    @property
    def accepted(self) -> bool:
        """Whether the sink said that it has it."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return f"line {self.line} ({self.webhook_id} to {self.subscription})"


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line number and the record of each line; raises `NotALedgerError`."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise NotALedgerError(f"line {number} is no JSON") from error
            if not isinstance(found, dict) or "what" not in found:
                raise NotALedgerError(f"line {number} does not say what it is")
            yield number, found


def receipts(path: Path) -> Iterator[Receipt]:
    """What was received, one by one."""
    accepted: set[str] = set()
    for line, record in records(path):
        if record["what"] == "received":
            try:
                one = _receipt(line, record, accepted)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise NotALedgerError(f"line {line} is no receipt: {error!r}") from error
            if one.first:
                accepted.add(one.webhook_id)
            yield one


def digest(state: Any) -> bytes:
    """Equal for equal JSON values, whatever the order of their keys."""
    return hashlib.blake2b(orjson.dumps(state, option=orjson.OPT_SORT_KEYS), digest_size=12).digest()


NOTHING = digest(None)


def _receipt(line: int, record: Mapping[str, Any], accepted: Collection[str]) -> Receipt:
    body = record["body"].encode()
    told = _told(body)
    number = told.get("notificationEventType")
    event = EVENTS[number] if isinstance(number, int) and 0 <= number < len(EVENTS) else ""
    thin = "priorObjectState" not in told and "postObjectState" not in told
    return Receipt(
        line=line,
        subscription=record["subscription"],
        webhook_id=record["webhook_id"],
        o2_sequence=int(record["o2_sequence"]),
        at=float(record["at"]),
        status=int(record["status"]),
        first=200 <= int(record["status"]) < 300 and record["webhook_id"] not in accepted,
        headers={name.lower(): value for name, value in record["headers"].items()},
        body=body,
        notification_id=str(told.get("notificationId", "")),
        event=event,
        before=None if thin else digest(told.get("priorObjectState")),
        after=None if thin else digest(told.get("postObjectState")),
    )


def _told(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
