"""The index of the matcher: it says what a scan of everything says, looks at few, and at nothing foreign."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.types import Kind
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions.exclusion import Exclusion, parse_exclusion
from subscriptions.matcher import Happened, Interest, Matcher, Seen, Sight

KINDS = [str(kind) for kind in Kind]
EVENTS = ["CREATE", "MODIFY", "DELETE"]
CLOSED = Seen(source_shared=False, seers=frozenset())


def scan(interests: list[Interest], happened: Happened, seen: Seen) -> list[str]:
    """Who is told, the long way: written down again from the contract, without an index."""
    return sorted(one.id for one in interests if told(one, happened, seen))


def told(one: Interest, happened: Happened, seen: Seen) -> bool:
    kind, sight = Kind(happened.kind), one.scopes.get(happened.kind)
    if sight is None:
        return False
    if happened.tenant:
        visible = sight.tenant is None or (sight.own and sight.tenant == happened.tenant)
    else:
        beside = kind in {Kind.RESOURCE_TYPE, Kind.DEPLOYMENT_MANAGER} and sight.tenant in seen.seers
        visible = sight.tenant is None or (sight.shared and seen.source_shared) or (sight.own and beside)
    states = [state for state in (happened.before, happened.after) if state is not None]
    if not visible or not any(asked(one.selects, kind, state) for state in states):
        return False
    if one.selects.get("eventTypes") and happened.type not in one.selects["eventTypes"]:
        return False
    shown = one.shown.get(happened.kind)
    if happened.type == "MODIFY":
        first, second = (
            {key: state[key] for key in state if shown is None or key in shown} for state in states
        )
        if first == second:
            return False
    if one.excludes is None:
        return True
    return not one.excludes.excludes(happened.kind, happened.type, happened.before, happened.after)


def asked(selects: Mapping[str, frozenset[str]], kind: Kind, state: Mapping[str, Any]) -> bool:
    places = {
        "resourceId": {Kind.RESOURCE: "id"},
        "resourcePoolId": {Kind.RESOURCE: "pool_id", Kind.RESOURCE_POOL: "id"},
        "resourceTypeId": {Kind.RESOURCE: "type_id", Kind.RESOURCE_TYPE: "id"},
    }
    for name, by_kind in places.items():
        wanted = {value.lower() for value in selects.get(name, ())}
        if wanted and str(state.get(by_kind.get(kind, ""), "")).lower() not in wanted:
            return False
    return True


IDS = st.sampled_from(["a", "b", "c", "A"])
TENANTS = st.sampled_from(["acme", "globex"])
BODIES = st.fixed_dictionaries(
    {"id": st.just("a"), "pool_id": IDS, "type_id": IDS, "name": st.sampled_from(["x", "y"])}
)
EXCLUSIONS = [
    parse_exclusion(text, INVENTORY_V1.shapes)
    for text in (
        "(eq,name,x)",
        "(eq,objectType,ResourceInfo);(eq,resourcePoolId,a)",
        "(eq,notificationEventType,1)",
    )
]
SIGHTS = st.builds(Sight, st.none() | TENANTS, own=st.booleans(), shared=st.booleans())
SELECTS = st.dictionaries(
    st.sampled_from(["resourceId", "resourcePoolId", "resourceTypeId"]), st.frozensets(IDS, max_size=3)
)
INTERESTS = st.builds(
    lambda scopes, selects, events, excludes, shown: Interest(
        "", scopes, {**selects, "eventTypes": events}, excludes, shown
    ),
    st.dictionaries(st.sampled_from(KINDS), SIGHTS),
    SELECTS,
    st.frozensets(st.sampled_from(EVENTS), max_size=2),
    st.none() | st.sampled_from(EXCLUSIONS),
    st.dictionaries(st.sampled_from(KINDS), st.frozensets(st.sampled_from(["id", "name", "pool_id"]))),
)


@st.composite
def changes(draw: st.DrawFn) -> Happened:
    event = draw(st.sampled_from(EVENTS))
    before = None if event == "CREATE" else draw(BODIES)
    after = None if event == "DELETE" else draw(BODIES)
    return Happened(draw(st.sampled_from(KINDS)), "a", draw(TENANTS | st.just("")), event, before, after)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(INTERESTS, max_size=12),
    st.lists(changes(), min_size=1, max_size=6),
    st.builds(Seen, source_shared=st.booleans(), seers=st.frozensets(TENANTS)),
)
def test_the_index_says_what_a_scan_of_everything_says(
    made: list[Interest], happened: list[Happened], seen: Seen
) -> None:
    interests = [
        Interest(f"s{number}", one.scopes, one.selects, one.excludes, one.shown)
        for number, one in enumerate(made)
    ]
    matcher = Matcher(interests)
    for change in happened:
        assert matcher.matches(change, seen) == scan(interests, change, seen)
        assert set(matcher.matches(change, seen)) <= set(matcher.candidates(change, seen))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("pqr"), st.none() | INTERESTS), max_size=12),
    changes(),
    st.builds(Seen, source_shared=st.booleans(), seers=st.frozensets(TENANTS)),
)
def test_what_was_put_and_dropped_is_as_if_it_was_made_anew(
    steps: list[tuple[str, Interest | None]], happened: Happened, seen: Seen
) -> None:
    kept = Matcher()
    left: dict[str, Interest] = {}
    for name, one in steps:
        if one is None:
            kept.drop(name)
            left.pop(name, None)
        else:
            left[name] = replace(one, id=name)
            kept.put(left[name])
    assert kept.matches(happened, seen) == scan(list(left.values()), happened, seen)
    for name in left:
        kept.drop(name)
    assert kept._index == {}  # nothing is left behind


def everywhere(tenant: str | None, *, shared: bool = True) -> dict[str, Sight]:
    return {kind: Sight(tenant, own=True, shared=shared) for kind in KINDS}


def resource(tenant: str, number: int, *, event: str = "MODIFY") -> Happened:
    body = {"id": f"r{number}", "name": "n", "pool_id": f"p{number % 1000}", "type_id": f"t{number % 7}"}
    before = None if event == "CREATE" else {**body, "name": "old"}
    return Happened("Resource", body["id"], tenant, event, before, None if event == "DELETE" else body)


def crowd() -> Iterator[Interest]:
    """10,000 subscriptions of one tenant: by pool (10 of each), with a type beside it that all share."""
    for number in range(10_000):
        selects = {
            "resourcePoolId": frozenset({f"p{number % 1000}"}),
            "resourceTypeId": frozenset(f"t{each}" for each in range(7)),
        }
        yield Interest(f"s{number:05}", everywhere("acme"), selects)


def test_of_10_000_of_which_10_match_no_more_than_50_are_looked_at() -> None:
    matcher = Matcher(crowd())
    for number in (0, 17, 999, 12_345):
        for event in EVENTS:
            change = resource("acme", number, event=event)
            assert len(matcher.matches(change, CLOSED)) == 10
            assert len(matcher.candidates(change, CLOSED)) <= 50


def test_who_asks_for_other_events_other_kinds_or_another_tenant_is_not_looked_at() -> None:
    others = [
        *(Interest(f"e{n}", everywhere("acme"), {"eventTypes": frozenset({"DELETE"})}) for n in range(1000)),
        *(Interest(f"k{n}", {"ResourcePool": Sight("acme", own=True, shared=True)}) for n in range(1000)),
        *(Interest(f"t{n}", everywhere(f"tenant-{n}")) for n in range(1000)),
        *(
            Interest(f"r{n}", everywhere("acme"), {"resourceId": frozenset({f"other-{n}"})})
            for n in range(1000)
        ),
        Interest("one", everywhere("acme")),
    ]
    assert Matcher(others).candidates(resource("acme", 1), CLOSED) == ["one"]


def test_the_criterion_that_fewest_ask_for_finds_them_whichever_it_is() -> None:
    for rare, usual in (("resourcePoolId", "resourceTypeId"), ("resourceTypeId", "resourcePoolId")):
        usual_value = "t1" if usual == "resourceTypeId" else "p1"
        interests = [
            Interest(
                f"s{n}", everywhere("acme"), {usual: frozenset({usual_value}), rare: frozenset({f"x{n}"})}
            )
            for n in range(1000)
        ]
        assert len(Matcher(interests).candidates(resource("acme", 1), CLOSED)) <= 2


class Counted(Exclusion):
    """An exclusion that counts how often it is asked."""

    asked = 0

    def excludes(self, *change: Any) -> bool:
        Counted.asked += 1
        return super().excludes(*change)


def test_equal_exclusions_are_evaluated_once_for_a_change() -> None:
    def one() -> Counted:
        found = parse_exclusion("(eq,name,noise)", INVENTORY_V1.shapes)
        return Counted(found.text, found.attributes, found.alternatives)

    interests = [Interest(f"s{n}", everywhere("acme"), excludes=one()) for n in range(1000)]
    assert len(Matcher(interests).matches(resource("acme", 1), CLOSED)) == 1000
    assert Counted.asked == 1


def test_with_20_tenants_and_empty_filters_nobody_is_told_of_anything_foreign() -> None:
    interests = [
        Interest(f"tenant-{tenant}/{n}", everywhere(f"tenant-{tenant}"))
        for tenant in range(20)
        for n in range(5)
    ]
    matcher = Matcher(interests)
    everybody = Seen(source_shared=True, seers=frozenset(f"tenant-{tenant}" for tenant in range(20)))
    for tenant in range(20):
        for kind in KINDS:
            for event in EVENTS:
                happened = resource(f"tenant-{tenant}", tenant, event=event)
                change = Happened(
                    kind, happened.object_id, happened.tenant, event, happened.before, happened.after
                )
                own = [f"tenant-{tenant}/{n}" for n in range(5)]
                assert matcher.matches(change, everybody) == own
                assert sorted(matcher.candidates(change, everybody)) == own
