"""P1 to P10: what a run of netweave must show.

Each is a function that takes what should be (`Known`) and a `Say`, and gives a coroutine: every receipt is
sent to it in the order of the ledger, then None. What is broken it says, with the record that shows it. All
ten are fed from one reading; each keeps a bounded note per delivery.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Generator
from typing import TypeAlias

from tests.ledger.known import Change, Known, Subscriber
from tests.ledger.receipt import NOTHING, Receipt

Say: TypeAlias = Callable[[str], None]
Check: TypeAlias = Generator[None, Receipt | None, None]
Property: TypeAlias = Callable[[Known, Say], Check]

DUPLICATES_OF_ALL = 0.001
DUPLICATES_PER_KILL = 50
CLOCK_SLACK = 30.0
"""Seconds that may lie between an attempt's timestamp and its receipt: one attempt, and some."""


def p1_nothing_lost(known: Known, say: Say) -> Check:
    """Every expected delivery was accepted, or is a dead letter; but what waits for who wants no more."""
    accepted: set[str] = set()
    while (receipt := (yield)) is not None:
        if receipt.first and known.change_of(receipt) is not None:
            accepted.add(receipt.webhook_id)
    for webhook_id, (subscription, source, sequence) in known.expected.items():
        if webhook_id in accepted or webhook_id in known.dead:
            continue
        subscriber = known.subscribers.get(subscription)
        if subscriber is None or not subscriber.silent_in_the_end:
            say(f"{webhook_id}: change {sequence} of {source} never reached {subscription}")


def p2_ids_stable(known: Known, say: Say) -> Check:
    """One id, one change, one subscription, one number in its sequence, one body: in every attempt."""
    for line, what in known.two_ids:
        say(f"line {line}: {what}")
    seen: dict[str, tuple[int, bytes]] = {}
    numbers: dict[tuple[str, int], str] = {}
    while (receipt := (yield)) is not None:
        if receipt.notification_id not in {"", receipt.webhook_id}:
            say(f"{receipt}: its body says {receipt.notification_id}")
        now = (receipt.o2_sequence, hashlib.blake2b(receipt.body, digest_size=12).digest())
        first = seen.setdefault(receipt.webhook_id, now)
        if first[0] != now[0]:
            say(f"{receipt}: o2-sequence was {first[0]} and is {now[0]}")
        elif first[1] != now[1]:
            say(f"{receipt}: its body is another than before")
        owner = numbers.setdefault((receipt.subscription, receipt.o2_sequence), receipt.webhook_id)
        if owner != receipt.webhook_id:
            say(f"{receipt}: o2-sequence {receipt.o2_sequence} was {owner}'s")


def p3_few_duplicates(known: Known, say: Say) -> Check:
    """What was accepted comes again less than once in a thousand, and 50 times per kill; replays aside."""
    times: Counter[str] = Counter()
    again = 0
    last = ""
    while (receipt := (yield)) is not None:
        if times[receipt.webhook_id] > known.replayed.get(receipt.webhook_id, 0):
            again += 1
            last = str(receipt)
        if receipt.accepted:
            times[receipt.webhook_id] += 1
    bound = DUPLICATES_OF_ALL * len(times) + DUPLICATES_PER_KILL * known.kills
    if again > bound:
        say(f"{last}: the last of {again} duplicates, where {bound:.0f} were allowed")


def p4_order_per_object(known: Known, say: Say) -> Check:
    """Of one object a subscriber first accepts the changes in the order in which they happened."""
    latest: dict[tuple[str, str, str], int] = {}
    while (receipt := (yield)) is not None:
        change = known.change_of(receipt)
        if change is None or not receipt.first:
            continue
        subscription, source, sequence = known.expected[receipt.webhook_id]
        before = latest.get((subscription, source, change.object), 0)
        if (
            sequence < before and receipt.webhook_id not in known.dead
        ):  # a dead letter comes when it is asked for
            say(f"{receipt}: change {sequence} of {change.object} came after {before}")
        latest[subscription, source, change.object] = max(before, sequence)


def p5_nothing_foreign(known: Known, say: Say) -> Check:
    """Everything that arrives was to be expected there; and neither tenant nor filter says otherwise."""
    while (receipt := (yield)) is not None:
        change = known.change_of(receipt)
        if change is None:
            say(f"{receipt}: nothing like it was to be expected there")
            continue
        subscriber = known.subscribers.get(receipt.subscription)
        if subscriber is None:
            say(f"{receipt}: there is no such subscription")
        elif subscriber.tenant is not None and change.tenant not in {"", subscriber.tenant}:
            say(f"{receipt}: a change of {change.tenant}'s came to {subscriber.tenant}")
        elif not _selects(subscriber, change):
            say(f"{receipt}: the change of line {change.line} is not what was asked for")


def _selects(subscriber: Subscriber, change: Change) -> bool:
    asked = {name: values for name, values in subscriber.selects.items() if values}
    if change.type not in asked.pop("eventTypes", {change.type}):
        return False
    folded = {name: {value.lower() for value in values} for name, values in asked.items()}
    return not folded or any(
        all(state.get(name) in values for name, values in folded.items()) for state in change.states
    )


def p6_no_phantom(known: Known, say: Say) -> Check:
    """Nothing is created that lives or deleted that does not, neither in the log nor at a subscriber; and
    no more often than was done to the backend, where that is known."""
    _check_log(known, say)
    alive: dict[tuple[str, str], tuple[int, bool]] = {}
    while (receipt := (yield)) is not None:
        change = known.change_of(receipt)
        if change is None or not receipt.first:
            continue
        if receipt.event != change.type:
            say(f"{receipt}: says {receipt.event or 'nothing'} where line {change.line} is a {change.type}")
        key = (receipt.subscription, change.object)
        then, lives = alive.get(key, (0, False))
        follows = then and then == change.previous and receipt.event in {"CREATE", "DELETE"}
        if follows and lives == (receipt.event == "CREATE"):
            say(f"{receipt}: a {receipt.event} of {change.object}, which {_state(lives)}")
        sequence = known.expected[receipt.webhook_id][2]
        alive[key] = (sequence, receipt.event != "DELETE")


def _check_log(known: Known, say: Say) -> None:
    lives: dict[tuple[str, str], bool] = {}
    told: Counter[tuple[str, str]] = Counter()
    for (source, _), change in known.changes.items():
        key = (source, change.object)
        told[change.object, change.type] += 1
        if key in lives and lives[key] == (change.type == "CREATE"):
            say(f"line {change.line}: a {change.type} of {change.object}, which {_state(lives[key])}")
        lives[key] = change.type != "DELETE"
    for (thing, kind), times in told.items():
        if known.made and kind != "MODIFY" and times > known.made.get((thing, kind), 0):
            say(
                f"{thing}: {times} times {kind} in the log, {known.made.get((thing, kind), 0)} in the backend"
            )


def _state(lives: bool) -> str:
    return "lives" if lives else "is gone"


def p7_silence(known: Known, say: Say) -> Check:
    """Nothing starts 1 s after unsubscribing, nor 5 s after suspending until somebody resumes."""
    while (receipt := (yield)) is not None:
        subscriber = known.subscribers.get(receipt.subscription)
        for begins, ends in subscriber.silences if subscriber else ():
            if begins < receipt.at < ends:
                say(f"{receipt}: came {receipt.at - begins:.3f} s after everything had to be silent")


def p8_signed(known: Known, say: Say) -> Check:
    """The signature is one of the subscription's secrets' over what came, and the time is that of now."""
    while (receipt := (yield)) is not None:
        wrong = _wrong_with(receipt, known.subscribers.get(receipt.subscription) or Subscriber())
        if wrong:
            say(f"{receipt}: {wrong}")


def _wrong_with(receipt: Receipt, subscriber: Subscriber) -> str:
    headers = receipt.headers
    if headers.get("webhook-id") != receipt.webhook_id:
        return f"webhook-id is {headers.get('webhook-id')}"
    if headers.get("o2-sequence") != str(receipt.o2_sequence):
        return f"o2-sequence is {headers.get('o2-sequence')}"
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(int(timestamp) - receipt.at) > CLOCK_SLACK:
        return f"webhook-timestamp is {timestamp or 'missing'}, at {receipt.at:.0f}"
    given = set(headers.get("webhook-signature", "").split(" "))
    signed = f"{receipt.webhook_id}.{timestamp}.".encode() + receipt.body
    # Not by the product's own module: a checker that shares its errors would find none.
    for secret in subscriber.secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        if "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() in given:
            return ""
    return "its signature fits none of the subscription's secrets"


def p9_before_is_after(known: Known, say: Say) -> Check:
    """Where two changes of an object follow each other, the second begins where the first ended: in the
    log, and at a subscriber who heard of both."""
    for (source, _), second in known.changes.items():
        earlier = known.changes.get((source, second.previous))
        if earlier is not None and earlier.after != second.before:
            say(f"line {second.line}: begins where line {earlier.line}, the change before it, did not end")
    ended: dict[tuple[str, str], tuple[int, bytes | None]] = {}
    while (receipt := (yield)) is not None:
        change = known.change_of(receipt)
        if change is None or not receipt.first:
            continue
        key = (receipt.subscription, change.object)
        sequence, state = ended.get(key, (0, None))
        if sequence == change.previous and None not in {state, receipt.before} and state != receipt.before:
            say(f"{receipt}: begins where the change before it, {sequence}, did not end")
        ended[key] = (known.expected[receipt.webhook_id][2], receipt.after)


def p10_replay_ends_right(known: Known, say: Say) -> Check:
    """Who does what the notifications say ends with what the backend has, of every object whose last change
    it was told of."""
    ended: dict[tuple[str, str, str], tuple[int, Receipt]] = {}
    while (receipt := (yield)) is not None:
        change = known.change_of(receipt)
        if change is None or not receipt.first:
            continue
        _, source, sequence = known.expected[receipt.webhook_id]
        key = (receipt.subscription, source, change.object)
        if key not in ended or ended[key][0] < sequence:
            ended[key] = (sequence, receipt)
    for (subscription, source, thing), (sequence, receipt) in ended.items():
        flavour = known.subscribers.get(subscription, Subscriber()).flavour
        final = known.finals.get((flavour, thing))
        if final is None or known.last[source, thing] != sequence or receipt.after is None:
            continue
        if receipt.after != final:
            state = "gone" if receipt.after == NOTHING else "another"
            say(f"{receipt}: by the last it heard, {thing} is {state}; in the backend it is not")


PROPERTIES: tuple[Property, ...] = (
    p1_nothing_lost,
    p2_ids_stable,
    p3_few_duplicates,
    p4_order_per_object,
    p5_nothing_foreign,
    p6_no_phantom,
    p7_silence,
    p8_signed,
    p9_before_is_after,
    p10_replay_ends_right,
)
