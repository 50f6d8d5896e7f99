"""One delivery as its page shows it: the request as it is sent, what was answered, and every attempt."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from subscriptions import roll, signing
from subscriptions.admin.words import ended_word
from subscriptions.delivery import USER_AGENT
from subscriptions.event import Event
from subscriptions.models import Attempt, Delivery
from subscriptions.outbox import UNKNOWN
from subscriptions.schedule import Outcome
from subscriptions.sent import Sent
from subscriptions.subscription import Subscription
from tenancy.times import exact

_WIDTH, _HEIGHT, _EDGE = 720, 44, 12
_WORDS = {
    "": "under way",
    UNKNOWN: "nobody knows how it ended: its worker died",
    Outcome.DELIVERED: "delivered: answered 2xx",
    Outcome.REFUSED: "this notification was refused",
    Outcome.GONE: "answered 410 Gone: nothing more is sent",
    Outcome.REDIRECTED: "answered with a redirect, which is never followed",
    Outcome.LIMITED: "answered that we are too fast",
    Outcome.FAILED: "answered with an error",
    Outcome.TIMEOUT: "no answer in time",
    Outcome.CONNECT: "no connection, or it broke",
    Outcome.DNS: "its name leads nowhere",
    Outcome.TLS: "its certificate does not verify, or TLS failed",
    Outcome.FORBIDDEN: "it leads where callbacks may not go",
    Outcome.TOO_LARGE: "the head of its answer passes every bound",
    Outcome.BROKEN: "what it answered is no HTTP",
}


def facts_of(row: Delivery) -> dict[str, Any]:
    """What the template of the page shows besides its fields."""
    to, away = roll.one(str(row.subscription))
    tries = list(Attempt.objects.filter(delivery=row).order_by("id"))
    last = tries[-1] if tries else None
    return {
        "to": to,
        "away": away,
        "message": _message(row, to) if to else None,
        "last": _tried(last) if last else None,
        "tries": [_tried(one) for one in tries],
        "line": _line(tries),
    }


def _message(row: Delivery, to: Subscription) -> dict[str, Any]:
    sent = Sent(to, [row])
    body, what = sent.body(row), sent.change(row)
    return {
        "url": to.callback,
        "headers": list(_headers(row, to, sent.id_of(row), what, body)),
        "body": json.dumps(orjson.loads(body), indent=2, ensure_ascii=False),
        "size": len(body),
    }


def _headers(
    row: Delivery, to: Subscription, message_id: str, what: Event | None, body: bytes
) -> Sequence[tuple[str, str]]:
    signed = "v1,… by the secret of this subscription"
    if to.two_until(timezone.now()):
        signed = "v1,… v1,… by the new secret and, until it ends, the old one"
    thin = what is not None and b'"objectType":' in body[:1024] and b"ObjectState" not in body[:1024]
    found = [
        (signing.ID, message_id),
        (signing.TIMESTAMP, "the time of each attempt, in Unix seconds"),
        (signing.SIGNATURE, signed),
        ("o2-sequence", str(row.sequence)),
        ("Content-Type", "application/json"),
        ("User-Agent", USER_AGENT),
    ]
    if what is not None:
        traced = (("X-Request-Id", what.request_id), ("traceparent", what.traceparent))
        found += [(name, value) for name, value in traced if value]
    return [*found, ("o2-thin", "true")] if thin else found


def _tried(one: Attempt) -> dict[str, Any]:
    return {
        "number": one.number,
        "time": exact(one.started_at),
        "took": "-" if one.milliseconds is None else f"{one.milliseconds} ms",
        "ended": ended_word(one.outcome, one.status),
        "outcome": one.outcome or "under way",
        "status": one.status,
        "words": _WORDS.get(one.outcome, one.outcome),
        "worker": one.worker,
        "answer": one.answer,
        "arrived": one.outcome == Outcome.DELIVERED,
    }


def _line(tries: Sequence[Attempt]) -> str:
    """All attempts on one line of time: a dot arrived, a cross did not, a ring is under way."""
    if not tries:
        return ""
    first, last = tries[0].started_at, tries[-1].started_at
    marks = format_html_join("", "{}", ((_mark(one, first, last),) for one in tries))
    words = f"{len(tries)} attempts" if len(tries) > 1 else "One attempt"
    label = f"{words}, from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC: " + ", ".join(
        ended_word(one.outcome, one.status) for one in tries
    )
    middle = _HEIGHT // 2
    return format_html(
        '<svg class="line-of-time" role="img" aria-label="{}" viewBox="0 0 {} {}">'
        '<line x1="0" y1="{}" x2="{}" y2="{}"></line>{}</svg>',
        label, _WIDTH, _HEIGHT, middle, _WIDTH, middle, marks,
    )  # fmt: skip


def _mark(one: Attempt, first: datetime, last: datetime) -> str:
    whole = (last - first).total_seconds() or 1.0
    x = _EDGE + round((_WIDTH - 2 * _EDGE) * (one.started_at - first).total_seconds() / whole, 1)
    y, words = _HEIGHT // 2, f"{one.started_at:%H:%M:%S} {ended_word(one.outcome, one.status)}"
    if one.outcome == Outcome.DELIVERED:
        return format_html(
            '<circle class="arrived" cx="{}" cy="{}" r="6"><title>{}</title></circle>', x, y, words
        )
    if not one.outcome:
        return format_html(
            '<circle class="going" cx="{}" cy="{}" r="6"><title>{}</title></circle>', x, y, words
        )
    path = f"M{x - 5} {y - 5}L{x + 5} {y + 5}M{x + 5} {y - 5}L{x - 5} {y + 5}"
    return format_html('<path class="failed" d="{}"><title>{}</title></path>', path, words)
