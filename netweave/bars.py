"""Bars of the last 60 minutes as SVG: drawn here, so that they need no script and can be printed."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join

from subscriptions.pulse import Minute

_WIDTH, _HEIGHT, _STEP = 600, 80, 10


def bars(rows: Sequence[Minute]) -> str:
    """What arrived, and on top of it what failed; whoever does not see it hears the numbers."""
    most = max((one.arrived + one.failed for one in rows), default=0) or 1
    drawn = format_html_join(
        "", "{}", ((_bar(number, one, most),) for number, one in enumerate(rows) if one.arrived or one.failed)
    )
    told = "; ".join(
        f"{one.at:%H:%M} {one.arrived} delivered, {one.failed} failed"
        for one in rows
        if one.arrived or one.failed
    )
    label = f"Attempts by the minute, UTC: {told or 'none'}"
    return format_html(
        '<svg class="bars" role="img" aria-label="{}" viewBox="0 0 {} {}">'
        '<line x1="0" y1="{}" x2="{}" y2="{}"></line>{}</svg>',
        label,
        _WIDTH,
        _HEIGHT + 1,
        _HEIGHT,
        _WIDTH,
        _HEIGHT,
        drawn,
    )


def _bar(number: int, one: Minute, most: int) -> str:
    x = number * _STEP + 1
    failed = -(-_HEIGHT * one.failed // most)  # however few: they are seen
    arrived = min(_HEIGHT * one.arrived // most, _HEIGHT - failed)
    return format_html(
        "<g><title>{} {} delivered, {} failed</title>"
        '<rect class="arrived" x="{}" y="{}" width="{}" height="{}"></rect>'
        '<rect class="failed" x="{}" y="{}" width="{}" height="{}"></rect></g>',
        f"{one.at:%H:%M}",
        one.arrived,
        one.failed,
        x,
        _HEIGHT - arrived,
        _STEP - 2,
        arrived,
        x,
        _HEIGHT - arrived - failed,
        _STEP - 2,
        failed,
    )
