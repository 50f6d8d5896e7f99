"""Times on admin pages: exact and in UTC, or relative with the exact time on hover."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince, timeuntil


def exactly(field: str, words: str, *, never: str = "-") -> Callable[[Any, Any], str]:
    """A column or field of an admin page: the time `field` of its row in UTC, or `never` without one."""

    @admin.display(description=f"{words} (UTC)", ordering=field)
    def shown(_page: Any, row: Any) -> str:
        at = getattr(row, field)
        return exact(at) if at else never

    return shown


def exact(at: datetime) -> str:
    """A time in UTC, to the second."""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), digits(at))


def ago(at: datetime) -> str:
    """How long ago `at` was."""
    seconds = int((timezone.now() - at).total_seconds())
    since = _seconds(max(seconds, 0)) if seconds < 60 else timesince(at)
    return format_html('<time datetime="{}" title="{} UTC">{} ago</time>', at.isoformat(), digits(at), since)


def until(at: datetime) -> str:
    """In how long `at` will be."""
    seconds = int((at - timezone.now()).total_seconds())
    if seconds <= 0:
        return format_html('<time datetime="{}" title="{} UTC">now</time>', at.isoformat(), digits(at))
    left = _seconds(seconds) if seconds < 60 else timeuntil(at)
    return format_html('<time datetime="{}" title="{} UTC">in {}</time>', at.isoformat(), digits(at), left)


def clock(at: datetime) -> str:
    """A time as plain text, in UTC: its date only where that is not today's."""
    shown = digits(at)
    return f"{shown if shown[:10] != digits(timezone.now())[:10] else shown[11:]} UTC"


def days(span: timedelta) -> str:
    """A span of time, in days where it is of whole ones."""
    return f"{span.days} days" if span == timedelta(days=span.days) else str(span)


def _seconds(many: int) -> str:
    return f"{many} second{'' if many == 1 else 's'}"


def digits(at: datetime) -> str:
    """A time in UTC, to the second, as plain text."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
