"""Selectors: which attributes are left out, which combinations are refused, and when the default answer will
do.
"""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2ims.query import QueryError, Selector, parse_selector
from o2ims.representations.attribute import Attribute

HEALTH = (
    Attribute(name="status", key="status"),
    Attribute(name="note", key="note", required=False),
    Attribute(name="history", key="history", array=True, required=False, default_excluded=True),
)
SHAPE = (
    Attribute(name="resourceId", key="id", type="uuid"),
    Attribute(name="description", key="description"),
    Attribute(name="globalAssetId", key="asset", required=False),
    Attribute(name="capacity", key="capacity", type="map"),
    Attribute(name="tags", key="tags", array=True, required=False),
    Attribute(name="health", key="health", type="object", required=False, parts=HEALTH),
    Attribute(name="elements", key="elements", type="object", array=True, required=False, parts=HEALTH),
    Attribute(name="dictionary", key="dictionary", type="map", default_excluded=True),
    Attribute(name="serial", key="serial", default_excluded=True),
    Attribute(name="extensions", key="extensions", type="map", required=False, default_excluded=True),
)
WIRE: dict[str, Any] = {
    "resourceId": "1",
    "description": "d",
    "globalAssetId": "urn:1",
    "capacity": {"cpu": 4, "memory": 8},
    "tags": ["a", "b"],
    "health": {"status": "healthy", "note": "n", "history": [1]},
    "elements": [{"status": "up", "note": "x", "history": [2]}, {"status": "down"}],
    "dictionary": {"version": 1},
    "serial": "s",
    "extensions": {"k8s.instanceType": "m5", "labels": {"zone": "a", "row": "1"}, "a/b,c": 1},
}
PLAIN_HEALTH = {"status": "healthy", "note": "n"}
PLAIN_ELEMENTS = [{"status": "up", "note": "x"}, {"status": "down"}]
DEFAULT = {
    **{
        name: WIRE[name]
        for name in ("resourceId", "description", "globalAssetId", "capacity", "tags", "serial")
    },
    "health": PLAIN_HEALTH,
    "elements": PLAIN_ELEMENTS,
}
BASE = {name: WIRE[name] for name in ("resourceId", "description", "globalAssetId", "capacity", "serial")}


def selector(
    *,
    all_fields: str | None = None,
    fields: Sequence[str] = (),
    exclude_fields: Sequence[str] = (),
    exclude_default: str | None = None,
    shape: tuple[Attribute, ...] = SHAPE,
) -> Selector:
    return parse_selector(
        all_fields=all_fields,
        fields=fields,
        exclude_fields=exclude_fields,
        exclude_default=exclude_default,
        shape=shape,
    )


def fields(*texts: str) -> dict[str, Any]:
    return selector(fields=texts).apply(WIRE)


def excluding(*texts: str) -> dict[str, Any]:
    return selector(exclude_fields=texts).apply(WIRE)


@pytest.mark.parametrize("flag", [None, "", "true", "True"])
def test_asking_for_nothing_is_asking_to_leave_out_the_default(flag: str | None) -> None:
    chosen = selector(exclude_default=flag)
    assert chosen.plain
    assert chosen.key == ""
    assert chosen.apply(WIRE) == DEFAULT


@pytest.mark.parametrize("flag", ["", "true", "TRUE"])
def test_all_fields_leaves_out_nothing(flag: str) -> None:
    chosen = selector(all_fields=flag)
    assert not chosen.plain
    assert chosen.apply(WIRE) == WIRE


def test_fields_keeps_what_is_mandatory_or_simple_and_the_named() -> None:
    assert fields("tags") == {**BASE, "tags": ["a", "b"]}
    assert fields("resourceId") == BASE
    assert fields("extensions") == {**BASE, "extensions": WIRE["extensions"]}
    assert fields("dictionary,health") == {**BASE, "dictionary": {"version": 1}, "health": WIRE["health"]}


def test_fields_may_stand_in_parentheses_and_be_repeated_and_hold_blanks() -> None:
    expected = {**BASE, "tags": ["a", "b"], "dictionary": {"version": 1}}
    assert fields("(tags,dictionary)") == expected
    assert fields(" ( tags , dictionary ) ") == expected
    assert fields("tags", "dictionary") == expected
    assert fields("tags,tags,dictionary") == expected


def test_a_path_into_a_free_form_map_gives_only_that() -> None:
    assert fields("extensions/k8s.instanceType")["extensions"] == {"k8s.instanceType": "m5"}
    assert fields("extensions/labels/zone")["extensions"] == {"labels": {"zone": "a"}}
    assert fields("extensions/labels/zone,extensions/k8s.instanceType")["extensions"] == {
        "k8s.instanceType": "m5",
        "labels": {"zone": "a"},
    }
    assert fields("extensions/a~1b~ac")["extensions"] == {"a/b,c": 1}
    assert fields("extensions/absent")["extensions"] == {}
    assert fields("capacity/cpu") == {**BASE, "capacity": {"cpu": 4}}


def test_the_whole_wins_over_a_part_of_it() -> None:
    assert fields("extensions/labels/zone,extensions")["extensions"] == WIRE["extensions"]
    assert fields("extensions,extensions/labels/zone")["extensions"] == WIRE["extensions"]
    assert fields("extensions/labels,extensions/labels/row")["extensions"] == {
        "labels": WIRE["extensions"]["labels"]
    }


def test_a_path_into_an_object_gives_that_and_its_required_simple_parts() -> None:
    assert fields("health/history")["health"] == {"status": "healthy", "history": [1]}
    assert fields("health/status")["health"] == {"status": "healthy"}
    assert fields("elements/history")["elements"] == [{"status": "up", "history": [2]}, {"status": "down"}]


def test_exclude_fields_keeps_everything_but_the_named() -> None:
    assert excluding("tags") == {name: value for name, value in WIRE.items() if name != "tags"}
    assert excluding("(capacity,globalAssetId)").keys() == WIRE.keys() - {"capacity", "globalAssetId"}
    assert excluding("extensions/labels/row")["extensions"]["labels"] == {"zone": "a"}
    assert excluding("extensions/labels/row")["health"] == WIRE["health"]
    assert excluding("health/note")["health"] == {"status": "healthy", "history": [1]}
    assert excluding("elements/note")["elements"] == [{"status": "up", "history": [2]}, {"status": "down"}]
    assert "extensions" not in excluding("extensions/labels,extensions")


def test_required_simple_attributes_always_stay() -> None:
    assert excluding("resourceId,description") == WIRE
    assert excluding("health/status")["health"] == WIRE["health"]
    assert fields("tags")["serial"] == "s"  # even where a representation means to leave it out


def test_fields_goes_with_exclude_default() -> None:
    both = selector(fields=["tags"], exclude_default="")
    assert both.apply(WIRE) == fields("tags")


def test_names_that_the_shape_does_not_know_stay() -> None:
    assert selector().apply({"links": 1, "extensions": {}}) == {"links": 1}
    assert selector(fields=["tags"]).apply({"links": 1}) == {"links": 1}


def test_absent_and_null_attributes_are_no_error() -> None:
    everything = dict.fromkeys(WIRE)
    assert selector(fields=["health/note", "extensions/a/b"]).apply({}) == {}
    assert selector(fields=["health/note", "extensions/a/b"]).apply(everything)["health"] is None


def test_the_object_stays_as_it_is() -> None:
    before = copy.deepcopy(WIRE)
    fields("extensions/labels/zone,elements/note")
    excluding("extensions/labels/zone,elements/note")
    assert before == WIRE


@pytest.mark.parametrize(
    ("asked", "parameter", "says"),
    [
        ({"all_fields": "", "fields": ["tags"]}, "all_fields", "no other selector"),
        ({"all_fields": "", "exclude_fields": ["tags"]}, "all_fields", "no other selector"),
        ({"all_fields": "", "exclude_default": ""}, "all_fields", "no other selector"),
        ({"fields": ["tags"], "exclude_fields": ["tags"]}, "exclude_fields", "does not go with fields"),
        ({"exclude_fields": ["tags"], "exclude_default": ""}, "exclude_fields", "does not go with exclude"),
        ({"all_fields": "false"}, "all_fields", "takes no value; there is 'false'"),
        ({"exclude_default": "1"}, "exclude_default", "takes no value"),
        ({"fields": ["wrong"]}, "fields", "no attribute 'wrong'"),
        ({"fields": ["(resourceId,WrongAttrName)"]}, "fields", "no attribute 'WrongAttrName'"),
        ({"fields": ["tags", "wrong"]}, "fields", "no attribute 'wrong'"),
        ({"exclude_fields": ["wrong"]}, "exclude_fields", "no attribute 'wrong'"),
        ({"fields": ["health/wrong"]}, "fields", "no attribute 'wrong' in 'health/wrong'"),
        ({"fields": ["tags/0"]}, "fields", "nothing is below 'tags'"),
        ({"fields": ["resourceId/x"]}, "fields", "nothing is below 'resourceId'"),
        ({"fields": ["extensions/@key"]}, "fields", "@key belongs into filters"),
        ({"fields": ["@key"]}, "fields", "@key"),
        ({"fields": ["extensions/~x"]}, "fields", "'~x' at 12 is none of the escapes"),
        ({"fields": ["(tags,extensions/~x)"]}, "fields", "'~x' at 18 is none of the escapes"),
        ({"fields": [""]}, "fields", "a name is missing at 1"),
        ({"fields": ["()"]}, "fields", "a name is missing at 2"),
        ({"fields": ["tags,,serial"]}, "fields", "a name is missing at 6"),
        ({"exclude_fields": ["tags,"]}, "exclude_fields", "a name is missing at 6"),
        ({"fields": ["(tags"]}, "fields", "without its other half"),
        ({"fields": ["tags)"]}, "fields", "without its other half"),
        ({"fields": ["("]}, "fields", "without its other half"),
        ({"fields": ["extensions/a/b/c/d/e"]}, "fields", "more than 4 names below"),
        ({"fields": [",".join(["tags"] * 101)]}, "fields", "more than 100 names"),
        ({"fields": ["extensions/" + "a" * 4086]}, "fields", "4097 bytes"),
    ],
)
def test_what_is_no_selector_is_refused(asked: dict[str, Any], parameter: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        selector(**asked)
    assert caught.value.parameter == parameter
    assert says in caught.value.detail


def test_the_limits_themselves_are_allowed() -> None:
    assert fields(",".join(["tags"] * 100))["tags"] == ["a", "b"]
    assert fields("extensions/" + "a" * 4085)["extensions"] == {}


def test_a_selector_that_changes_nothing_is_plain() -> None:
    simple = (Attribute(name="name", key="name"), Attribute(name="tags", key="tags", array=True))
    assert selector(all_fields="", shape=simple).plain
    assert selector(fields=["tags"], shape=simple).plain
    assert selector(exclude_fields=["name"], shape=simple).plain
    assert not selector(exclude_fields=["tags"], shape=simple).plain


def test_a_key_says_what_is_left_out_and_not_how_it_was_asked() -> None:
    key = selector(fields=["tags,health/note"]).key
    assert key
    assert selector(fields=["(health/note)", "tags"], exclude_default="").key == key
    others = [
        selector(fields=["tags,health"]),
        selector(fields=["tags"]),
        selector(exclude_fields=["tags"]),
        selector(exclude_fields=["extensions/a~1b"]),
        selector(exclude_fields=["extensions/a/b"]),
        selector(all_fields=""),
        selector(),
    ]
    assert len({key, *(other.key for other in others)}) == 1 + len(others)


SIMPLE = ["resourceId", "serial", "globalAssetId"]
COMPLEX = ["tags", "capacity/cpu", "health", "health/note", "elements/history", "dictionary"]
FREE = ["extensions", "extensions/labels", "extensions/labels/row", "extensions/a~1b~ac"]
PATHS = st.sampled_from([*SIMPLE, *COMPLEX, *FREE])


@given(st.lists(PATHS, min_size=1), st.booleans())
@settings(deadline=None)
def test_the_same_key_is_the_same_answer_whatever_the_order(paths: list[str], only: bool) -> None:
    one = selector(fields=[",".join(paths)]) if only else selector(exclude_fields=[",".join(paths)])
    other = selector(fields=sorted(paths)) if only else selector(exclude_fields=sorted(paths))
    assert one.key == other.key
    assert one.apply(WIRE) == other.apply(WIRE)
    assert one.plain == (one.apply(WIRE) == DEFAULT)


@given(
    st.lists(st.text(max_size=20) | st.text(alphabet="(),/~@ tags", max_size=20), max_size=3), st.booleans()
)
@settings(deadline=None, max_examples=500)
def test_any_text_is_a_selector_or_refused(texts: list[str], only: bool) -> None:
    asked: dict[str, Any] = {"fields" if only else "exclude_fields": texts}
    outcome = selector_or_refusal(asked)
    if isinstance(outcome, QueryError):
        assert outcome.detail.isprintable()
    else:
        assert outcome.apply(WIRE).keys() <= WIRE.keys()


def selector_or_refusal(asked: dict[str, Any]) -> Selector | QueryError:
    try:
        return selector(**asked)
    except QueryError as error:
        return error
