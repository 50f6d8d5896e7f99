"""Ways in which a run can go wrong, each done to a right ledger (`WRONG`), and ways in which it cannot
(`AGREED`)."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from subscriptions.signing import headers, new_secret
from tests.ledger.written import SECRETS, START, Ledger, Record, changed, delivered, received


def of(records: Ledger, what: str, **more: Any) -> Iterator[Record]:
    """Those records, themselves."""
    for record in records:
        if record["what"] == what and all(record.get(key) == value for key, value in more.items()):
            yield record


def arrival(records: Ledger, webhook_id: str) -> Record:
    return next(of(records, "received", webhook_id=webhook_id, status=204))


def told(record: Record, **more: Any) -> None:
    """The body of a receipt says something else, properly signed."""
    record["body"] = orjson.dumps({**orjson.loads(record["body"]), **more}).decode()
    secret = SECRETS[record["subscription"]]
    record["headers"] |= headers([secret], record["webhook_id"], int(record["at"]), record["body"].encode())


def retold(records: Ledger, webhook_id: str, **more: Any) -> None:
    for record in of(records, "received", webhook_id=webhook_id):
        told(record, **more)


def again(records: Ledger, webhook_id: str, times: int = 1) -> None:
    one = arrival(records, webhook_id)
    records += [dict(one) for _ in range(times)]


def swapped(records: Ledger, first: str, second: str) -> None:
    for webhook_id in (first, second):
        records.remove(next(of(records, "received", webhook_id=webhook_id, status=503)))
    a, b = records.index(arrival(records, first)), records.index(arrival(records, second))
    records[a], records[b] = records[b], records[a]


def lost(records: Ledger) -> None:
    arrival(records, "acme-3")["status"] = 503


def another_id(records: Ledger) -> None:
    expected = next(of(records, "expected", webhook_id="acme-3"))
    records.append({**expected, "webhook_id": "acme-3b"})
    records.append({"what": "dead", "subscription": "acme", "webhook_id": "acme-3b", "at": START})


def another_number(records: Ledger) -> None:
    one = arrival(records, "root-1")
    one["o2_sequence"] = 99
    one["headers"]["O2-Sequence"] = "99"


def number_of_another(records: Ledger) -> None:
    for one in of(records, "received", webhook_id="root-1"):
        one["o2_sequence"] = 2
        one["headers"]["O2-Sequence"] = "2"


def foreign(records: Ledger) -> None:
    change = next(of(records, "change", sequence=2))
    records += delivered("acme", 50, change)[::2]


def not_asked_for(records: Ledger) -> None:
    change = next(of(records, "change", sequence=6))
    at = records.index(next(of(records, "expected", webhook_id="pool-7")))
    records[at:at] = delivered("pool", 50, change)[::2]


def not_expected(records: Ledger) -> None:
    change = next(of(records, "change", sequence=6))
    records.append(received("pool", 50, change, START + 10))


def deleted_alive(records: Ledger) -> None:
    change = next(of(records, "change", sequence=7))
    change["type"], change["after"] = "DELETE", None


def created_after_restart(records: Ledger) -> None:
    change = next(of(records, "change", sequence=7))
    change["type"], change["before"] = "CREATE", None


def told_of_it_again(records: Ledger) -> None:
    created_after_restart(records)
    for name in SECRETS:
        retold(records, f"{name}-7", notificationEventType=0)


def told_to_nobody_known(records: Ledger) -> None:
    records.remove(next(of(records, "subscribed", subscription="root")))


def told_of_a_delete(records: Ledger) -> None:
    retold(records, "root-3", notificationEventType=2)


def flapped(records: Ledger) -> None:
    body = next(of(records, "change", sequence=7))["after"]
    records += [changed(8, "acme", body, None), changed(9, "acme", None, body)]


def late(records: Ledger) -> None:
    records.append({"what": "unsubscribed", "subscription": "pool", "at": START + 7 + 5 - 1.01})


def late_while_suspended(records: Ledger) -> None:
    records.append({"what": "suspended", "subscription": "pool", "at": START + 7 + 5 - 5.01})
    records.append({"what": "resumed", "subscription": "pool", "at": START + 13})


def wrongly_signed(records: Ledger) -> None:
    one = arrival(records, "root-4")
    one["headers"] |= headers([new_secret()], "root-4", int(one["at"]), one["body"].encode())


def signed_at_another_time(records: Ledger) -> None:
    one = arrival(records, "root-4")
    one["headers"] |= headers([SECRETS["root"]], "root-4", int(one["at"]) - 31, one["body"].encode())


def begins_elsewhere(records: Ledger) -> None:
    retold(records, "root-3", priorObjectState={"name": "other"})


def log_with_a_hole(records: Ledger) -> None:
    next(of(records, "change", sequence=4))["before"]["name"] = "other"


def ends_elsewhere(records: Ledger) -> None:
    next(of(records, "final", object="r1"))["body"]["name"] = "other"


def gone_in_the_end(records: Ledger) -> None:
    next(of(records, "final", object="r2"))["body"] = {"resourceId": "r2"}


WRONG: list[tuple[Callable[[Ledger], None], str, str]] = [
    (lost, "P1", "acme-3: change 3 of lab never reached acme"),
    (another_id, "P2", "acme-3b tells acme what acme-3 tells"),
    (another_number, "P2", "o2-sequence was 1 and is 99"),
    (number_of_another, "P2", "o2-sequence 2 was root-1's"),
    (lambda records: told(arrival(records, "root-1"), extra=1), "P2", "another than before"),
    (lambda records: retold(records, "root-1", notificationId="x"), "P2", "its body says x"),
    (lambda records: again(records, "root-1"), "P3", "the last of 1 duplicates, where 0"),
    (lambda records: swapped(records, "acme-3", "acme-4"), "P4", "change 3 of r1 came after 4"),
    (foreign, "P5", "a change of globex's came to acme"),
    (not_asked_for, "P5", "not what was asked for"),
    (not_expected, "P5", "nothing like it was to be expected"),
    (deleted_alive, "P6", "1 times DELETE in the log, 0 in the backend"),
    (created_after_restart, "P6", "a CREATE of r1, which lives"),
    (told_of_it_again, "P6", "(root-7 to root): a CREATE of r1, which lives"),
    (told_to_nobody_known, "P5", "no such subscription"),
    (told_of_a_delete, "P6", "says DELETE where line"),
    (flapped, "P6", "1 times DELETE in the log, 0 in the backend"),
    (late, "P7", "after everything had to be silent"),
    (late_while_suspended, "P7", "after everything had to be silent"),
    (wrongly_signed, "P8", "fits none"),
    (signed_at_another_time, "P8", "webhook-timestamp is"),
    (lambda records: arrival(records, "root-4")["headers"].pop("webhook-signature"), "P8", "fits none"),
    (lambda records: arrival(records, "root-4")["headers"].pop("webhook-id"), "P8", "webhook-id is None"),
    (lambda records: arrival(records, "root-4")["headers"].pop("O2-Sequence"), "P8", "o2-sequence is None"),
    (begins_elsewhere, "P9", "begins where the change before it, 1, did not end"),
    (log_with_a_hole, "P9", "begins where line"),
    (ends_elsewhere, "P10", "r1 is another"),
    (gone_in_the_end, "P10", "r2 is gone"),
]


def dead(records: Ledger) -> None:
    lost(records)
    records.append({"what": "dead", "subscription": "acme", "webhook_id": "acme-3", "at": START})


def dead_and_replayed(records: Ledger) -> None:
    one = dict(arrival(records, "acme-3"))
    dead(records)
    records += [{"what": "replayed", "subscription": "acme", "webhook_id": "acme-3", "at": START}, one]


def left(records: Ledger) -> None:
    arrival(records, "root-7")["status"] = 503
    records.append({"what": "unsubscribed", "subscription": "root", "at": START + 12})


def killed(records: Ledger) -> None:
    again(records, "root-7", times=50)
    records.append({"what": "killed", "process": "worker-1", "at": START})


def replayed(records: Ledger) -> None:
    again(records, "root-7")
    records.append({"what": "replayed", "subscription": "root", "webhook_id": "root-7", "at": START})


def rotated(records: Ledger) -> None:
    secret = new_secret()
    records.append({"what": "rotated", "subscription": "root", "secret": secret, "at": START})
    one = arrival(records, "root-7")
    both = [secret, SECRETS["root"]]
    one["headers"] |= headers(both, "root-7", int(one["at"]), one["body"].encode())


def thin(records: Ledger) -> None:
    for one in of(records, "received", webhook_id="root-4"):
        one["body"] = orjson.dumps({"notificationId": "root-4", "notificationEventType": 1}).decode()
        one["headers"] |= headers([SECRETS["root"]], "root-4", int(one["at"]), one["body"].encode())


def resumed(records: Ledger) -> None:
    records.append({"what": "suspended", "subscription": "pool", "at": START - 10})
    records.append({"what": "suspended", "subscription": "pool", "at": START - 9})
    records.append({"what": "resumed", "subscription": "pool", "at": START})


AGREED: list[Callable[[Ledger], None]] = [
    dead,
    dead_and_replayed,
    left,
    killed,
    replayed,
    rotated,
    thin,
    resumed,
]
#: Where a change was told as another, or a subscription is missing, more than one thing is wrong.
SEVERAL = {deleted_alive, created_after_restart, told_of_it_again, told_to_nobody_known}
