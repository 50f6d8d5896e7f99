"""Which subscriptions a change is for: who may see it, who asked for it, to whom it is news."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.types import Kind
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions.exclusion import parse_exclusion
from subscriptions.matcher import Happened, Interest, Matcher, Seen, Sight, wants

CLOSED = Seen(source_shared=False, seers=frozenset())
SHARED = Seen(source_shared=True, seers=frozenset())
ACME_OWNS = Seen(source_shared=False, seers=frozenset({"acme"}))

OWN = Sight("acme", own=True, shared=False)
BOTH = Sight("acme", own=True, shared=True)
ONLY_SHARED = Sight("acme", own=False, shared=True)
ALL = Sight(None, own=True, shared=True)

BODY: Mapping[str, Any] = {
    "id": "r1",
    "name": "node",
    "pool_id": "p1",
    "type_id": "t1",
    "extensions": {"k8s.zone": "a"},
}


def everywhere(sight: Sight) -> dict[str, Sight]:
    return {str(kind): sight for kind in Kind}


def interest(sight: Sight = OWN, *, of: str = "s", **more: Any) -> Interest:
    selects = {key: frozenset(values) for key, values in more.pop("selects", {}).items()}
    return Interest(of, everywhere(sight), selects=selects, **more)


def created(kind: Kind = Kind.RESOURCE, *, tenant: str = "acme", **body: Any) -> Happened:
    after = {**BODY, **body}
    return Happened(kind, after["id"], tenant, "CREATE", None, after)


def deleted(**body: Any) -> Happened:
    before = {**BODY, **body}
    return Happened(Kind.RESOURCE, before["id"], "acme", "DELETE", before, None)


def modified(before: Mapping[str, Any], after: Mapping[str, Any]) -> Happened:
    return Happened(Kind.RESOURCE, "r1", "acme", "MODIFY", {**BODY, **before}, {**BODY, **after})


def told(one: Interest, happened: Happened, seen: Seen = CLOSED) -> bool:
    """Whether it is told, by the definition and by the index alike."""
    answer = wants(one, happened, seen)
    assert Matcher([one]).matches(happened, seen) == ([one.id] if answer else [])
    return answer


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    ("sight", "tenant", "seen", "visible"),
    [
        (OWN, "acme", CLOSED, True),
        (BOTH, "acme", CLOSED, True),
        (ONLY_SHARED, "acme", SHARED, False),
        (OWN, "globex", SHARED, False),
        (BOTH, "globex", SHARED, False),
        (ALL, "globex", CLOSED, True),
        (ALL, "", CLOSED, True),
        (OWN, "", SHARED, False),
        (BOTH, "", SHARED, True),
        (ONLY_SHARED, "", SHARED, True),
        (BOTH, "", CLOSED, False),
        (Sight("", own=True, shared=True), "", CLOSED, False),
    ],
)
def test_a_change_is_seen_by_whom_its_object_belongs_to_or_is_shared_with(
    kind: Kind, sight: Sight, tenant: str, seen: Seen, *, visible: bool
) -> None:
    assert told(interest(sight), created(kind, tenant=tenant), seen) is visible


def test_types_and_managers_are_seen_by_who_owns_something_beside_them() -> None:
    for kind in Kind:
        concerned = kind in {Kind.RESOURCE_TYPE, Kind.DEPLOYMENT_MANAGER}
        assert told(interest(OWN), created(kind, tenant=""), ACME_OWNS) is concerned
        assert told(interest(BOTH), created(kind, tenant=""), ACME_OWNS) is concerned
        assert not told(interest(ONLY_SHARED), created(kind, tenant=""), ACME_OWNS)
        assert not told(interest(Sight("globex", own=True, shared=True)), created(kind, tenant=""), ACME_OWNS)
        assert not told(interest(OWN), created(kind, tenant="globex"), ACME_OWNS)


def test_a_kind_without_a_sight_is_not_seen_at_all() -> None:
    pools_only = Interest("s", {str(Kind.RESOURCE_POOL): ALL})
    assert told(pools_only, created(Kind.RESOURCE_POOL))
    assert not told(pools_only, created(Kind.RESOURCE))
    assert not told(Interest("s", {}), created())


@pytest.mark.parametrize(
    ("selects", "kinds"),
    [
        ({}, set(Kind)),
        ({"resourcePoolId": []}, set(Kind)),
        ({"resourceId": ["x"]}, {Kind.RESOURCE}),
        ({"resourcePoolId": ["p1"]}, {Kind.RESOURCE}),
        ({"resourcePoolId": ["x"]}, {Kind.RESOURCE_POOL}),
        ({"resourcePoolId": ["x", "p1"]}, {Kind.RESOURCE_POOL, Kind.RESOURCE}),
        ({"resourcePoolId": ["P1"]}, {Kind.RESOURCE}),
        ({"resourceTypeId": ["t1"]}, {Kind.RESOURCE}),
        ({"resourceTypeId": ["x"]}, {Kind.RESOURCE_TYPE}),
        ({"resourcePoolId": ["p1"], "resourceTypeId": ["t1"]}, {Kind.RESOURCE}),
        ({"resourcePoolId": ["x"], "resourceTypeId": ["x"]}, set()),
        ({"resourcePoolId": ["p1"], "resourceTypeId": ["t2"]}, set()),
        ({"resourcePoolId": ["p1"], "resourceId": ["x"], "resourceTypeId": []}, {Kind.RESOURCE}),
        ({"eventTypes": ["CREATE"]}, set(Kind)),
        ({"eventTypes": ["create", "DELETE"]}, set(Kind)),
        ({"eventTypes": ["MODIFY"]}, set()),
    ],
)
def test_keys_are_joined_by_and_values_by_or(selects: dict[str, list[str]], kinds: set[Kind]) -> None:
    one = interest(selects=selects)
    assert {kind for kind in Kind if told(one, created(kind, id="X"))} == kinds


def test_a_criterion_that_there_is_not_is_no_interest() -> None:
    with pytest.raises(KeyError, match="colour"):
        Matcher([interest(selects={"colour": ["red"]})])
    kept = Matcher([interest()])
    with pytest.raises(KeyError, match="colour"):
        kept.put(interest(selects={"colour": ["red"]}))
    assert kept.matches(created(), CLOSED) == ["s"]


def test_a_modification_is_told_to_who_asked_for_the_state_before_or_the_one_after() -> None:
    moved = modified({"pool_id": "p1", "type_id": "t1"}, {"pool_id": "p2", "type_id": "t2"})
    for pools in (["p1"], ["p2"], ["p1", "p2"]):
        assert told(interest(selects={"resourcePoolId": pools}), moved)
    assert not told(interest(selects={"resourcePoolId": ["p3"]}), moved)
    # Both criteria must hold of one of the states.
    assert told(interest(selects={"resourcePoolId": ["p2"], "resourceTypeId": ["t2"]}), moved)
    assert not told(interest(selects={"resourcePoolId": ["p1"], "resourceTypeId": ["t2"]}), moved)


def test_a_deletion_is_told_to_who_asked_for_what_was() -> None:
    assert told(interest(selects={"resourcePoolId": ["p1"], "eventTypes": ["DELETE"]}), deleted())
    assert not told(interest(selects={"resourcePoolId": ["p1"], "eventTypes": ["CREATE"]}), deleted())


def test_what_a_flavour_does_not_show_is_no_news_to_it() -> None:
    names = interest(shown={str(Kind.RESOURCE): frozenset({"id", "name"})})
    everything = interest()
    renamed, zone = modified({}, {"name": "other"}), modified({}, {"extensions": {"k8s.zone": "b"}})
    assert told(names, renamed)
    assert not told(names, zone)
    assert told(everything, zone)
    assert not told(everything, modified({}, {}))
    # What comes and goes is news whatever is shown.
    assert told(interest(shown={str(Kind.RESOURCE): frozenset()}), created())
    assert told(interest(shown={str(Kind.RESOURCE): frozenset()}), deleted())
    assert told(interest(shown={str(Kind.RESOURCE_POOL): frozenset()}), zone)


def test_what_is_excluded_is_not_told_and_a_modification_only_where_both_states_are() -> None:
    quiet = interest(
        excludes=parse_exclusion("(eq,name,noise)|(eq,objectType,ResourceTypeInfo)", INVENTORY_V1.shapes)
    )
    assert told(quiet, created())
    assert not told(quiet, created(name="noise"))
    assert not told(quiet, created(Kind.RESOURCE_TYPE))
    assert told(quiet, modified({"name": "noise"}, {"name": "node"}))
    assert told(quiet, modified({"name": "node"}, {"name": "noise"}))
    assert not told(quiet, modified({"name": "noise"}, {"name": "noise", "pool_id": "p2"}))
    assert not told(quiet, deleted(name="noise"))
