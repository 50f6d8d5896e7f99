"""The dashboard's panel of deliveries: how sending goes, what waits, who is in trouble."""

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from netweave.bars import bars
from subscriptions import pulse, roll
from subscriptions.admin.words import dead_word, deliveries, rate_word, state_word, subscription_link
from subscriptions.models import Endpoint
from tenancy.times import ago

_TROUBLE = (Endpoint.State.PROBING, Endpoint.State.SUSPENDED)


def sending() -> dict[str, Any]:
    """What the template shows."""
    rows, now = pulse.minutes(), timezone.now()
    states, oldest, waits = pulse.states(), pulse.oldest(), pulse.waiting()
    return {
        "bars": bars(rows),
        "minutes": [
            {
                "at": f"{one.at:%H:%M}",
                "arrived": one.arrived,
                "failed": one.failed,
                "arrived_url": _tried(one.at, "delivered"),
                "failed_url": _tried(one.at, "failed"),
            }
            for one in reversed(rows)
            if one.arrived or one.failed
        ],
        "rates": [
            {
                "words": words,
                "arrived": rate_word(rate),
                "failed": rate_word(rate.failed) if rate.tried > rate.arrived else "",
                "arrived_url": deliveries(tried="delivered", triedFrom=_stamp(now - span)),
                "failed_url": deliveries(tried="failed", triedFrom=_stamp(now - span)),
                "all_url": "" if rate.tried else deliveries(triedFrom=_stamp(now - span)),
            }
            for words, rate, span in (
                ("in 1 h", pulse.rate_of(rows), timedelta(hours=1)),
                ("in 24 h", pulse.day.now(), timedelta(hours=24)),
            )
        ],
        "waiting": waits,
        "waiting_url": deliveries(state="waiting"),
        "oldest": ago(oldest.since) if oldest else "",
        "oldest_url": reverse("admin:subscriptions_delivery_change", args=[oldest.delivery])
        if oldest
        else "",
        "trouble": [
            {
                "count": states[state],
                "word": state_word(state),
                "url": reverse("admin:subscriptions_subscription_changelist", query={"state": str(state)}),
                "key": str(state),
            }
            for state in _TROUBLE
        ],
        "dead": _dead(),
        "all": reverse("admin:subscriptions_subscription_changelist"),
        "list": deliveries(),
    }


def _dead() -> dict[str, Any]:
    """Whose notifications were given up in 24 hours: however healthy they are."""
    every = pulse.dead.now()
    rows = every[: pulse.COUNTED]
    there = roll.those([one.subscription for one in rows])
    return {
        "count": len(every),
        "url": reverse("admin:subscriptions_subscription_changelist", query={"deadLetters": "24h"}),
        "rows": [
            {
                "to": subscription_link(one.subscription, there.get(one.subscription)),
                "letters": dead_word(one.kept, of_them=True),
                "url": deliveries(subscription=one.subscription, state="dead"),
                "last": ago(one.last_at),
            }
            for one in rows
        ],
        "more": len(every) - len(rows),
    }


def _tried(at: datetime, how: str) -> str:
    return deliveries(tried=how, triedFrom=_stamp(at), triedTo=_stamp(at + timedelta(minutes=1)))


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
