"""All subscriptions there are, as those look through them who run the platform: from Redis, where they live,
and where that is away from the journal, which is said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from subscriptions import journal, pulse, store
from subscriptions.models import Endpoint, Journal
from subscriptions.subscription import Subscription
from tenancy.selection import uuid_of

PLATFORM = "the platform"  # as a tenant: no tenant's id has a space
NAMES = ("tenantId", "state", "name", "host", "id", "deadLetters")
_PART = 500


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the roll, in the order of ids: `more` says that there are others behind. `away` is how Redis
    failed, where these are the journal's; `behind` how many changes of the journal Redis does not have."""

    rows: Sequence[Subscription]
    more: bool
    away: str
    behind: int


def look(given: Mapping[str, str], after: str, most: int) -> Page:
    """Up to `most` of those that `given` selects (parameters of `NAMES`; `deadLetters`: those
    of which something became one in 24 hours), behind the id `after`."""
    away, behind, rows = "", 0, {}
    tenant = given.get("tenantId", "")
    try:
        behind = store.newest() - (store.version() or 0)
        ids = store.ids(None if tenant == PLATFORM else tenant, everybody=not tenant)
    except store.Away as error:
        away, rows = str(error), _journal(tenant)
        ids = sorted(rows)
    wanted = [id_ for id_ in _of_state(ids, given.get("state", "")) if id_ > after]
    wanted = [id_ for id_ in wanted if id_.startswith(given.get("id", "").lower())]
    if given.get("deadLetters"):
        dead = {one.subscription for one in pulse.dead.now()}
        wanted = [id_ for id_ in wanted if id_ in dead]
    host, name = given.get("host", "").lower(), given.get("name", "").lower()
    found = list[Subscription]()
    for start in range(0, len(wanted), _PART):
        part = wanted[start : start + _PART]
        some = [rows[id_] for id_ in part] if away else _read(part)
        found += [one for one in some if host in one.host and _is_called(one, name)]
        if len(found) > most:
            break
    return Page(found[:most], len(found) > most, away, behind)


def one(id_: str) -> tuple[Subscription | None, str]:
    """The subscription of this id, if there is one; and how Redis failed, where it is the journal's. Raises
    `PageError`."""
    wanted = str(uuid_of("id", id_))
    try:
        found = store.read([wanted])
    except store.Away as error:
        return journal.current(wanted), str(error)
    return (found[0] if found else None), ""


def those(ids: Collection[str]) -> dict[str, Subscription]:
    """The subscriptions of these ids that are there: the journal's, where Redis is away."""
    try:
        return {one.id: one for one in store.read(list(ids))}
    except store.Away:
        rows = Journal.objects.filter(subscription__in=ids).order_by("subscription", "-version")
        found = [Subscription.of(row.data) for row in rows.distinct("subscription") if row.data is not None]
        return {one.id: one for one in found}


def _is_called(one: Subscription, name: str) -> bool:
    return name in f"{one.consumer_id or ''} at {one.place}".lower()


def _of_state(ids: Sequence[str], state: str) -> Sequence[str]:
    if not state:
        return ids
    there = {str(pk) for pk in Endpoint.objects.filter(state=state).values_list("pk", flat=True)}
    return [id_ for id_ in ids if id_ in there]


def _read(ids: Sequence[str]) -> Sequence[Subscription]:
    try:
        return store.read(ids)
    except store.Away:  # it went while we looked
        return journal.kept(ids)


def _journal(tenant: str) -> dict[str, Subscription]:
    rows = store.latest(store.newest())
    whose = "" if tenant == PLATFORM else tenant
    return {
        str(row.subscription): Subscription.of(row.data or {})
        for row in rows
        if not tenant or row.tenant == whose
    }
