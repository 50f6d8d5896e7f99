"""One source's objects in memory: what its indexes say while objects come, change, move and go."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.types import Kind
from api.pages import PageRequest
from o2ims.entry import Facts
from o2ims.inventory import Inventory
from o2ims.mirror import Mirror
from o2ims.query import parse_filter
from o2ims.query.filter import Filter, Pinned
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.shelf import Shelf
from tenancy.scope import TenantScope

VALUES = ("a", "b", 1, None, True, ["a"], {"a": 1})
TENANTS = ("acme", "globex", "")
EVERYBODY = TenantScope(None)
POOLS = {"p": "00000000-0000-4000-8000-00000000000a", "q": "00000000-0000-4000-8000-00000000000b"}


def shelf(number: int = 0) -> Shelf:
    facts = dict.fromkeys(Facts.__slots__, "") | {"order": number, "o_cloud": "o", "active": True}
    return Shelf(number, Facts(**facts))


def body(id_: str, value: Any = "a", *, pool: str = "p", **facts: Any) -> dict[str, Any]:
    return {"id": id_, "pool_id": pool, "extensions": {"place": value}, **facts}


def reading(*shelves: Shelf) -> Inventory:
    """What everybody's eyes see of these."""
    mirror = Mirror()
    mirror._show(shelves)
    mirror.ready = True
    return Inventory(EVERYBODY, mirror)


def a_filter(text: str) -> Filter:
    return parse_filter(text, GATEWAY_V1.shapes[Kind.RESOURCE])


steps = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(TENANTS),
        st.sampled_from(["p", "q"]),
        st.sampled_from(VALUES) | st.none(),
        st.booleans(),
    )
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(steps, st.frozensets(st.sampled_from(["a", "b", 1, None]), max_size=3), st.integers(0, 20))
def test_after_any_changes_a_column_leaves_out_nothing_that_may_match(
    changes: list[tuple[int, str, str, Any, bool]], wanted: frozenset[Any], made: int
) -> None:
    of, pinned = shelf(), Pinned("extensions", "place", wanted)
    for number, (id_, tenant, pool, value, there) in enumerate(changes):
        if number == made:
            of.narrowed(Kind.RESOURCE, "", pinned, "")  # the column exists from here on
        if there:
            of.put(Kind.RESOURCE, tenant, body(f"r-{id_}", value, pool=pool))
        else:
            of.drop(Kind.RESOURCE, f"r-{id_}")
    for tenant in TENANTS:
        mine = {id_: e for id_, e in of.entries[Kind.RESOURCE].items() if e.tenant == tenant}
        values = {id_: entry.body["extensions"]["place"] for id_, entry in mine.items()}
        found = of.narrowed(Kind.RESOURCE, tenant, pinned, "")
        assert all(index == sorted(set(index)) for index in found)
        given_ids = sorted(id_ for index in found for id_ in index)
        assert given_ids == sorted(
            id_ for id_, value in values.items() if isinstance(value, list | dict) or value in wanted
        )
        assert of.ids(Kind.RESOURCE, tenant) == sorted(mine)
        for pool in ("p", "q"):
            assert of.pool(pool, tenant) == sorted(id_ for id_, entry in mine.items() if entry.pool == pool)


def at_every_step(change: Callable[[], None], holds: Callable[[], bool]) -> None:
    """A reader may look between any two lines of a writer."""
    seen: list[bool] = []

    def look(_frame: Any, event: str, _value: Any) -> Any:
        if event in {"line", "return"}:
            seen.append(holds())
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        change()
    finally:
        sys.settrace(before)
    assert len(seen) > 10
    assert all(seen)


def test_what_changes_elsewhere_is_never_missing_from_a_column() -> None:
    of = shelf()
    for id_ in "1", "5", "9":
        of.put(Kind.RESOURCE, "acme", body(id_))
    (index,) = of.narrowed(Kind.RESOURCE, "acme", Pinned("extensions", "place", frozenset("a")), "")
    at_every_step(
        lambda: of.put(Kind.RESOURCE, "acme", body("5", pool="q", name="another")),
        lambda: index == ["1", "5", "9"],
    )


def test_what_moves_to_another_pool_is_never_missing_from_all_and_always_in_one() -> None:
    of = shelf()
    for id_ in "1", "5", "9":
        of.put(Kind.RESOURCE, "acme", body(id_))
    at_every_step(
        lambda: of.put(Kind.RESOURCE, "acme", body("5", pool="q")),
        lambda: (
            of.ids(Kind.RESOURCE, "acme") == ["1", "5", "9"]
            and ("5" in of.pool("p", "acme") or "5" in of.pool("q", "acme"))
        ),
    )


def test_what_moves_between_two_values_that_are_both_asked_for_is_found() -> None:
    of = shelf()
    for id_ in "1", "5", "9":
        of.put(Kind.RESOURCE, "acme", body(id_))
    found = of.narrowed(Kind.RESOURCE, "acme", Pinned("extensions", "place", frozenset("ab")), "")
    of.put(Kind.RESOURCE, "acme", body("5", "b"))
    assert sorted(id_ for index in found for id_ in index) == ["1", "5", "9"]


def test_a_filter_of_a_pool_shows_nothing_of_another() -> None:
    """Where the index of what the filter asks for is shorter than the pool's."""
    of = shelf()
    for number in range(8):
        of.put(Kind.RESOURCE_POOL, "acme", {"id": POOLS["pq"[number % 2]], "name": "", "extensions": {}})
        facts = body(str(number), "ab"[number > 3], pool=POOLS["pq"[number % 2]])
        of.put(Kind.RESOURCE, "acme", facts)
    for number in range(8, 20):
        of.put(Kind.RESOURCE, "acme", body(f"{number:02}", "c", pool=POOLS["p"]))
    page = reading(of).page(
        Kind.RESOURCE, PageRequest({}, 10), where=a_filter("(eq,extensions/place,a)"), pool=POOLS["p"]
    )
    assert [entry.id for entry in page.entries] == ["0", "2"]


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    "text", ["(eq,extensions/place,a)", "(in,extensions/place,a,c)", "(gte,extensions/size,5)"]
)
def test_a_filter_looks_at_little_more_than_its_page(count: int, text: str) -> None:
    """However much there is, and over however many sources it is spread, evenly or not. Each of the filters
    matches half of it."""
    shelves = [shelf(number) for number in range(count)]
    for number in range(10_000):
        extensions = {"place": "ab"[number % 2], "size": number % 10}
        facts = body(f"{number:05}") | {"extensions": extensions}
        shelves[number // 2 % count].put(Kind.RESOURCE, "acme", facts)
    where, looked = a_filter(text), []

    def matches(found: Any) -> bool:
        looked.append(found["id"])
        return where.matches(found)

    page = reading(*shelves).page(Kind.RESOURCE, PageRequest({}, 100), where=replace(where, matches=matches))
    wanted = [
        f"{n:05}"
        for n in range(10_000)
        if where.matches(body("") | {"extensions": {"place": "ab"[n % 2], "size": n % 10}})
    ]
    assert [entry.id for entry in page.entries] == wanted[:100]
    assert page.more
    assert len(looked) <= 8 * 100
