"""Groups of sources of which one is read at a time: whose turn it is.

    fallback   the first healthy one, in the order of the group
    first      the one that is read now, while it is healthy; then the one that was last heard of

Where none is healthy, the one that is read now goes on: old data rather than none. A worker decides, for all
processes: the choice is a column of Source. With it the difference is announced (`o2ims/switch.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Extract, Now

from adapters.aggregation import Strategy
from o2ims import switch
from o2ims.models import Source

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source of a group: `silent` is for how many seconds nothing was heard of it, None if nothing ever
    was."""

    id: int
    name: str
    active: bool
    up: bool
    silent: float | None
    fresh_seconds: float

    @property
    def healthy(self) -> bool:
        """Whether what we have of it is what it has now."""
        return self.up and self.silent is not None and self.silent < self.fresh_seconds


def choose(strategy: str, candidates: Sequence[Candidate]) -> Candidate:
    """The one to read, of at least one candidate in the order of their group."""
    now = next((one for one in candidates if one.active), candidates[0])
    healthy = [one for one in candidates if one.healthy]
    if not healthy:
        return now
    if strategy == Strategy.FALLBACK:
        return healthy[0]
    return now if now.healthy else min(healthy, key=lambda one: one.silent or 0.0)


def take_turns() -> int:
    """Decides for every group. Returns how many sources now are, or no longer are, the one that is read."""
    changed = 0
    for _, group in groupby(_grouped(), key=lambda row: row.group):
        members = list(group)
        chosen = choose(members[0].strategy, [_candidate(row) for row in members])
        if [row.pk for row in members if row.active] != [chosen.id]:
            changed += _switch([row.pk for row in members], chosen)
    return changed + _join()


def _join() -> int:
    """Sources that have left their group are read again, and told of as what is new."""
    left = list(Source.objects.present().filter(group="", active=False).values_list("pk", flat=True))
    for pk in left:
        with transaction.atomic():
            row = Source.objects.select_for_update(no_key=True).get(pk=pk)
            switch.announce([], row)
            Source.objects.filter(pk=pk).update(active=True)
    return len(left)


def _grouped() -> Iterable[Source]:
    silent = Extract(Now() - F("contact_at"), "epoch")
    present = Source.objects.present().exclude(group="")
    return present.annotate(silent=silent).order_by("group", "turn", "id")


def _switch(members: list[int], chosen: Candidate) -> int:
    with transaction.atomic():
        locked = Source.objects.select_for_update(no_key=True).filter(pk__in=members).order_by("pk")
        rows = {row.pk: row for row in locked}
        before = {pk: row.active for pk, row in rows.items()}
        switch.announce([row for row in rows.values() if row.active], rows[chosen.id])
        Source.objects.filter(pk__in=members).exclude(pk=chosen.id).update(active=False)
        Source.objects.filter(pk=chosen.id).update(active=True)
    log.warning("source_switched", source=chosen.name, healthy=chosen.healthy)
    return sum(active != (pk == chosen.id) for pk, active in before.items())


def _candidate(row: Source) -> Candidate:
    silent: float | None = row.silent  # type: ignore[attr-defined]
    return Candidate(row.pk, row.name, row.active, row.state == Source.State.UP, silent, row.fresh_seconds)
