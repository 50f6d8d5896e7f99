"""What the pages of subscriptions and deliveries have in common: words for states and ends, and links."""

from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import reverse
from django.utils.html import format_html

from subscriptions.figures import MANY, Figures, Rate
from subscriptions.models import Delivery, Endpoint
from subscriptions.schedule import Outcome
from subscriptions.subscription import Subscription
from tenancy.times import ago

_STATES = {
    Endpoint.State.HEALTHY: ("up", "●"),
    Endpoint.State.PROBING: ("holding", "▲"),
    Endpoint.State.SUSPENDED: ("down", "✕"),
    Delivery.State.DELIVERED: ("up", "●"),
    Delivery.State.WAITING: ("starting", "○"),
    Delivery.State.DEAD: ("down", "✕"),
}


def state_word(state: str, live: str = "") -> str:
    """Of an endpoint or a delivery: a word, a shape and a colour; `live` names it where it may change while
    somebody looks."""
    name = format_html(' data-live="{}"', live) if live else ""
    colour, words = state_mark(state)
    return format_html('<span class="state state-{}"{}>{}</span>', colour, name, words)


def state_mark(state: str) -> tuple[str, str]:
    """Of an endpoint or a delivery: its colour, its shape and word."""
    colour, mark = _STATES[state]  # type: ignore[index]
    word = Delivery.State.DEAD.label if state == Delivery.State.DEAD else state
    return colour, f"{mark} {word}"


def last_word(found: Figures) -> str:
    """What came of the last attempt, and when."""
    if found.last_at is None:
        return "Never"
    if found.last_outcome == Outcome.DELIVERED:
        return format_html("Delivered {}", ago(found.last_at))
    what = found.last_status or found.last_outcome
    return format_html('<span class="state state-down">✕ Failed: {}</span>, {}', what, ago(found.last_at))


def rate_word(rate: Rate) -> str:
    """The share of attempts that were answered 2xx, with the numbers on hover."""
    title = f"{rate.arrived} of {rate.tried} attempts"
    return format_html('<span title="{}">{}</span>', title, rate.percent)


def dead_word(many: int, *, of_them: bool = False) -> str:
    """How many dead letters; `of_them`: and that they are."""
    number = f"over {MANY}" if many > MANY else str(many)
    return f"{number} dead letter{'' if number == '1' else 's'}" if of_them else number


def ended_word(outcome: str, status: int | None) -> str:
    """How an attempt ended, in a word, and with what status."""
    return f"{outcome}, {status}" if status else outcome or "-"


def last_end(row: Any) -> str:
    """How the last attempt at a delivery of `exports.shown` ended, how long it took, and whether that was
    before its attempts were counted anew."""
    took = "" if row.milliseconds is None else f", {row.milliseconds} ms"
    before = ", before it was resumed or sent again" if row.outcome and not row.attempts else ""
    return ended_word(row.outcome, row.status) + took + before


def attempts_word(row: Delivery) -> str:
    """How many attempts at a delivery have ended: since it last began to wait, and in all where there were
    others before."""
    facts = row.tries.aggregate(ended=Count("ended_at"), all=Count("pk"))
    words = str(row.attempts)
    if facts["ended"] > row.attempts:
        words += f" since it was resumed or sent again, {facts['ended']} in all"
    return f"{words}, and one under way" if facts["all"] > facts["ended"] else words


def event_word(row: Delivery) -> str:
    """What happened that a delivery tells of."""
    return row.change.type if row.change else "test"


def thing_of(row: Any) -> str:
    """To what it happened, of a delivery of `exports.shown`: its kind, and its name as the way to more."""
    if row.change is None:
        return "-"
    url = reverse("admin:o2ims_change_change", args=[row.change_id])
    name = row.object_name or str(row.change.object_id)[:8]
    return format_html('{} <a href="{}" title="{}">{}</a>', row.change.kind, url, row.change.object_id, name)


def subscription_link(id_: UUID | str, to: Subscription | None = None) -> str:
    """Its name, where it is known, and the first eight characters of its id, as the way to the page of it."""
    name = to.name if to else ""
    link = '<a href="{}" title="{}">{}</a>'
    if not name:
        return format_html(link, subscription_page(id_), id_, str(id_)[:8])
    return format_html(f"{link} {{}}", subscription_page(id_), id_, name, str(id_)[:8])


def subscription_page(id_: UUID | str) -> str:
    """Where the page of a subscription is."""
    return reverse("admin:subscriptions_subscription_change", args=[str(id_)])


def deliveries(**query: Any) -> str:
    """Where those deliveries are listed."""
    return reverse("admin:subscriptions_delivery_changelist", query=query or None)
