"""Which subscriptions a change is for: visible to their tenant, selected by their filter, news in their
flavour, and not excluded.

    Interest ──► index: kind, event, and whose objects (a tenant's, everybody's, what is shared)
                        └─ by the id it asks for that fewest others ask for, or none
    Happened ──► the places of the index it belongs to ──► candidates ──► each looked at ──► ids

`wants` is the definition; the index only narrows. So a change costs by those whom it may concern, not by how
many subscriptions there are. Pure: no database, no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeAlias

from adapters.types import Kind
from subscriptions.exclusion import Body, Exclusion

POOL, TYPE, RESOURCE, EVENTS = "resourcePoolId", "resourceTypeId", "resourceId", "eventTypes"
CREATE, MODIFY, DELETE = "CREATE", "MODIFY", "DELETE"

#: Of each kind, where its bodies have what a filter asks for. A filter that asks for anything else is not
#: about that kind at all.
CRITERIA: Mapping[str, Mapping[str, str]] = {
    Kind.RESOURCE: {RESOURCE: "id", POOL: "pool_id", TYPE: "type_id"},
    Kind.RESOURCE_POOL: {POOL: "id"},
    Kind.RESOURCE_TYPE: {TYPE: "id"},
    Kind.DEPLOYMENT_MANAGER: {},
}
SHARED_WITH_SEERS = frozenset({Kind.RESOURCE_TYPE, Kind.DEPLOYMENT_MANAGER})
"""What is nobody's and still seen by whoever owns something in the same source."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who sees what is nobody's in a source: everybody with a shared sight (`source_shared`), and of types
    and deployment managers the tenants who own something there (`seers`)."""

    source_shared: bool
    seers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Happened:
    """One change. `kind` is a `Kind`, `tenant` '' where the object is nobody's, `type` CREATE, MODIFY or
    DELETE; `before` and `after` are stored bodies (snake_case)."""

    kind: str
    object_id: str
    tenant: str
    type: str
    before: Body | None
    after: Body | None

    @property
    def states(self) -> tuple[Body, ...]:
        """What there was and what there is now."""
        return tuple(state for state in (self.before, self.after) if state is not None)


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose objects of one kind a subscription may hear of: everybody's (`tenant` None), or its tenant's own
    (`own`) and nobody's where they are shared (`shared`)."""

    tenant: str | None
    own: bool
    shared: bool


@dataclass(frozen=True, slots=True)
class Interest:
    """One subscription, as far as it matters here.

    `scopes` by kind; a kind that is not there is not seen. `selects` are the ids and event types asked for
    (`POOL`, `TYPE`, `RESOURCE`, `EVENTS`), in any case; one without values, or absent, asks for nothing in
    particular. `shown` by kind: the keys of a body that its flavour shows, all where a kind is not there.
    """

    id: str
    scopes: Mapping[str, Sight]
    selects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    excludes: Exclusion | None = None
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict)


def wants(interest: Interest, happened: Happened, seen: Seen) -> bool:
    """Whether the subscription is to be told of the change."""
    return _wants(_Asked.of(interest), _Change(happened), seen)


def is_visible(sight: Sight, happened: Happened, seen: Seen) -> bool:
    """Whether a change is of an object that this sight takes in."""
    if sight.tenant is None:
        return True
    if happened.tenant:
        return sight.own and sight.tenant == happened.tenant
    if sight.shared and seen.source_shared:
        return True
    return happened.kind in SHARED_WITH_SEERS and sight.own and sight.tenant in seen.seers


class Matcher:
    """All subscriptions of one moment, indexed; it can be kept up instead of being made again."""

    def __init__(self, interests: Iterable[Interest] = ()) -> None:
        self._index: dict[_Place, _Bucket] = {}
        self._asked: dict[str, _Asked] = {}
        for interest in interests:
            self.put(interest)

    def put(self, interest: Interest) -> None:
        """Adds a subscription, in place of the one with its id if there is one."""
        asked = _Asked.of(interest)
        self.drop(interest.id)
        self._asked[interest.id] = asked
        for place in asked.places:
            self._index.setdefault(place, _Bucket()).add(asked)

    def drop(self, subscription: str) -> None:
        """Takes out the subscription with that id, if there is one."""
        asked = self._asked.pop(subscription, None)
        if asked is None:
            return
        for place in asked.places:
            self._index[place].remove(asked)
            if self._index[place].is_empty:
                del self._index[place]

    def matches(self, happened: Happened, seen: Seen) -> list[str]:
        """The ids, sorted, of the subscriptions to be told of a change."""
        change = _Change(happened)
        return sorted(
            asked.interest.id for asked in self._candidates(change, seen) if _wants(asked, change, seen)
        )

    def candidates(self, happened: Happened, seen: Seen) -> list[str]:
        """The ids of the subscriptions that `matches` looks at, in no order: what a change costs."""
        return [asked.interest.id for asked in self._candidates(_Change(happened), seen)]

    def _candidates(self, change: "_Change", seen: Seen) -> Iterable["_Asked"]:
        happened = change.happened
        found: dict[int, _Asked] = {}  # one may be found by two ways
        for group in _groups(happened, seen):
            bucket = self._index.get((happened.kind, happened.type, group))
            if bucket is not None:
                found.update((id(asked), asked) for asked in bucket.candidates(change))
        return found.values()


_Group: TypeAlias = tuple[str, ...]
_Place: TypeAlias = tuple[str, str, _Group]
_Key: TypeAlias = tuple[str, str]

_EVERYBODY: _Group = ("", "everybody")
_SHARED: _Group = ("", "shared")
_ANYTHING: _Key = ("", "")


def _groups_of(sight: Sight) -> list[_Group]:
    """The groups of objects that a sight takes in."""
    if sight.tenant is None:
        return [_EVERYBODY]
    return [*([(sight.tenant,)] if sight.own else []), *([_SHARED] if sight.shared else [])]


def _groups(happened: Happened, seen: Seen) -> Iterator[_Group]:
    """The places of the index where those are who may see the object."""
    yield _EVERYBODY
    if happened.tenant:
        yield (happened.tenant,)
        return
    if seen.source_shared:
        yield _SHARED
    if happened.kind in SHARED_WITH_SEERS:
        for seer in seen.seers:
            yield (seer,)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """An interest with what it asks for in the index's spelling: ids in lower case, events in capitals."""

    interest: Interest
    criteria: Mapping[str, frozenset[str]]
    events: frozenset[str]

    @classmethod
    def of(cls, interest: Interest) -> "_Asked":
        """Raises `KeyError` for a criterion that there is not: it would select nothing, or everything."""
        unknown = interest.selects.keys() - {POOL, TYPE, RESOURCE, EVENTS}
        if unknown:
            raise KeyError(f"{interest.id} selects by {', '.join(sorted(unknown))}")
        criteria = {
            name: frozenset(value.lower() for value in values)
            for name, values in interest.selects.items()
            if values and name != EVENTS
        }
        events = frozenset(value.upper() for value in interest.selects.get(EVENTS, ()))
        return cls(interest, criteria, events)

    @property
    def places(self) -> Iterator[_Place]:
        """Where in the index it belongs: for each kind it is about, each event, each group of objects."""
        for kind, sight in self.interest.scopes.items():
            if not self.criteria.keys() <= CRITERIA[Kind(kind)].keys():
                continue
            for group in _groups_of(sight):
                for event in self.events or (CREATE, MODIFY, DELETE):
                    yield kind, event, group

    @property
    def keys(self) -> list[list[_Key]]:
        """By each criterion alone, where in a bucket it may be found."""
        return [[(name, value) for value in values] for name, values in self.criteria.items()] or [
            [_ANYTHING]
        ]


class _Bucket:
    """Those who see the same: by the one criterion that fewest others are found by, or by none."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[_Key, list[_Asked]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._by_key

    def add(self, asked: _Asked) -> None:
        for key in min(asked.keys, key=self._crowd):
            self._by_key.setdefault(key, []).append(asked)

    def remove(self, asked: _Asked) -> None:
        for key in chain.from_iterable(asked.keys):  # which criterion was chosen is not kept
            found = self._by_key.get(key)
            if found is None or asked not in found:
                continue
            found.remove(asked)
            if not found:
                del self._by_key[key]

    def candidates(self, change: "_Change") -> Iterator[_Asked]:
        for key in change.keys:
            yield from self._by_key.get(key, ())

    def _crowd(self, keys: Sequence[_Key]) -> int:
        return sum(1 + len(self._by_key.get(key, ())) for key in keys)


class _Change:
    """A change, and what was found out about it: each question is asked once, whoever asks."""

    __slots__ = ("_excluded", "_news", "criteria", "happened", "keys")

    def __init__(self, happened: Happened) -> None:
        self.happened = happened
        keys = CRITERIA[Kind(happened.kind)]
        self.criteria = [
            {name: str(state.get(key) or "").lower() for name, key in keys.items()}
            for state in happened.states
        ]
        self.keys = {_ANYTHING, *(pair for state in self.criteria for pair in state.items())}
        self._news: dict[frozenset[str] | None, bool] = {}
        self._excluded: dict[Exclusion, bool] = {}

    def is_news(self, shown: frozenset[str] | None) -> bool:
        """Whether it can be seen in a flavour that shows these keys."""
        return _once(self._news, shown, self._differs)

    def is_excluded(self, by: Exclusion) -> bool:
        """Whether an exclusion hits it."""
        return _once(self._excluded, by, self._hits)

    def _differs(self, shown: frozenset[str] | None) -> bool:
        before, after = self.happened.before, self.happened.after
        if before is None or after is None:
            return True
        keys = before.keys() | after.keys() if shown is None else shown
        return any(before.get(key) != after.get(key) for key in keys)

    def _hits(self, by: Exclusion) -> bool:
        happened = self.happened
        return by.excludes(happened.kind, happened.type, happened.before, happened.after)


def _once(known: dict[Any, bool], about: Any, ask: Callable[[Any], bool]) -> bool:
    if about not in known:
        known[about] = ask(about)
    return known[about]


def _wants(asked: _Asked, change: _Change, seen: Seen) -> bool:
    interest, happened = asked.interest, change.happened
    sight = interest.scopes.get(happened.kind)
    if sight is None or not is_visible(sight, happened, seen):
        return False
    if not _selects(asked, change):
        return False
    if not change.is_news(interest.shown.get(happened.kind)):
        return False
    return interest.excludes is None or not change.is_excluded(interest.excludes)


def _selects(asked: _Asked, change: _Change) -> bool:
    """Whether the state before or the one after is all that is asked for."""
    if asked.events and change.happened.type not in asked.events:
        return False
    return not asked.criteria or any(
        all(state.get(name) in values for name, values in asked.criteria.items()) for state in change.criteria
    )
