"""Filters: every operator, every rule about paths, lists and what is absent; what is no filter is a
QueryError.
"""

import sys
from datetime import UTC, datetime, timedelta, timezone
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2ims.query import Filter, QueryError, parse_filter
from o2ims.representations.attribute import Attribute

PART = (
    Attribute(name="resourceId", key="id", type="uuid"),
    Attribute(name="slot", key="slot", type="integer"),
    Attribute(name="state", key="state"),
)
SHAPE = (
    Attribute(name="resourceId", key="id", type="uuid"),
    Attribute(name="name", key="name"),
    Attribute(name="description", key="description"),
    Attribute(name="parentId", key="parent_id", type="uuid", required=False),
    Attribute(name="a/b", key="slashed"),
    Attribute(name="cores", key="cores", type="integer", required=False),
    Attribute(name="load", key="load", type="number", required=False),
    Attribute(name="alarmAcknowledged", key="acknowledged", type="boolean"),
    Attribute(name="alarmRaisedTime", key="raised_at", type="date-time"),
    Attribute(name="seenAt", key="seen", type="date-time", array=True),
    Attribute(name="globalLocationId", key="place_id", required=False),
    Attribute(name="note", key="note"),
    Attribute(name="tags", key="tags", array=True, required=False),
    Attribute(name="peers", key="peers", type="uuid", array=True, required=False),
    Attribute(name="place", key="place", type="object", parts=(Attribute(name="city", key="town"),)),
    Attribute(name="elements", key="elements", type="object", array=True, required=False, parts=PART),
    Attribute(name="extensions", key="extensions", type="map", required=False),
)
BODY: dict[str, Any] = {
    "id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "name": "it's",
    "description": "Edge, north (rack 3)",
    "parent_id": None,
    "slashed": "yes",
    "cores": 32,
    "load": 0.5,
    "acknowledged": True,
    "raised_at": "2026-01-01T00:30:00Z",
    "seen": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
    "place_id": "",
    "note": "",
    "tags": ["gold", "edge"],
    "peers": ["6BA7B810-9DAD-11D1-80B4-00C04FD430C8"],
    "place": {"town": "Turin"},
    "elements": [
        {"id": "e-1", "slot": 1, "state": "up"},
        {"id": "e-2", "slot": 2, "state": "down"},
        {"id": "e-3", "slot": 3},
    ],
    "extensions": {
        "mock.cpuCores": 32,
        "share": 0.25,
        "ready": False,
        "country": "US",
        "disks": ["sda", "sdb", 7],
        "labels": {"zone": "a", "a/b": "slash", "a,b": "comma", "@key": "at", "a~b": "tilde"},
        "addresses": [{"net": "prod", "addr": "10.0.0.1"}, {"net": "lab", "addr": "10.0.0.2"}],
        "hosts": {"h1": {"cpu": 4}},
        "count": "10",
        "nothing": None,
    },
}


def matches(text: str | list[str]) -> bool:
    return parse_filter(text, SHAPE).matches(BODY)


def refusal(text: str | list[str]) -> str:
    with pytest.raises(QueryError) as caught:
        parse_filter(text, SHAPE)
    assert caught.value.parameter == "filter"
    return caught.value.detail


MATCHING = [
    # The cases that a parser must get right.
    "(eq,name,'it''s')",
    "(in,name,'x,y','it''s')",
    "(eq,extensions/@key,country)",
    "(eq,a~1b,yes)",
    "(neq,parentId,1)",
    "(gt,alarmRaisedTime,2026-01-01T02:00:00+02:00)",
    "(eq,alarmAcknowledged,true)",
    "(cont,description,West,north)",
    "(eq,extensions/country,US);",
    # Each operator.
    "(eq,cores,32)",
    "(neq,cores,33)",
    "(in,cores,1,32)",
    "(nin,cores,1,33)",
    "(gt,cores,4)",  # as texts, '32' is less than '4'
    "(gte,cores,32)",
    "(lt,cores,100)",
    "(lte,cores,32)",
    "(cont,name,it)",
    "(ncont,name,that,those)",
    # Several terms, blanks, quotes.
    "(eq,cores,32);(eq,alarmAcknowledged,true)",
    " ( eq , cores , 32 ) ; ( cont , description , 'Edge, north (rack 3)' ) ; ",
    "(cont,description,'rack 3)')",
    "(cont,description,'')",
    "(cont,description,north (rack)",
    # Numbers.
    "(eq,cores,32.0)",
    "(eq,load,5e-1)",
    "(gt,load,-3)",
    "(eq,extensions/mock.cpuCores,32)",
    "(lt,extensions/mock.cpuCores,1e9)",
    "(gt,extensions/count,9)",  # a text that is a number has the order of numbers
    "(neq,extensions/mock.cpuCores,many)",
    # Booleans, and what a free-form map holds.
    "(eq,extensions/ready,false)",
    "(in,extensions/disks,x,sdb)",
    "(eq,extensions/disks,7)",
    "(eq,extensions/labels/zone,a)",
    "(eq,extensions/labels/a~1b,slash)",
    "(eq,extensions/labels/a~ab,comma)",
    "(eq,extensions/labels/~bkey,at)",
    "(eq,extensions/labels/a~0b,tilde)",
    "(eq,extensions/labels/@key,zone)",
    "(cont,extensions/@key,cpu)",
    "(gt,extensions/hosts/h1/cpu,3)",
    # Instants.
    "(eq,alarmRaisedTime,2026-01-01T01:30:00+01:00)",
    "(lt,alarmRaisedTime,2026-01-01t00:30:00.000000001z)",
    "(gte,alarmRaisedTime,2026-01-01T00:30:00.000Z)",
    "(gt,alarmRaisedTime,2025-12)",  # no instant: as texts
    "(in,alarmRaisedTime,never,2026-01-01T00:30:00+00:00)",
    # UUIDs have no case.
    "(eq,resourceId,1B4E28BA-2FA1-11D2-883F-0016D3CCA427)",
    "(in,peers,x,6ba7b810-9dad-11d1-80b4-00c04fd430c8)",
    # What is absent.
    "(nin,parentId,a,b)",
    "(ncont,parentId,a)",
    "(neq,extensions/absent,1)",
    "(neq,extensions/absent/deep,1)",
    "(neq,extensions/nothing,1)",
    "(neq,extensions/absent/@key,1)",
    "(neq,extensions/country/below,1)",
    "(neq,extensions/labels,1)",
    "(neq,extensions/absent/a,1);(neq,extensions/absent/b,2)",
    "(neq,globalLocationId,'')",  # an optional attribute that is empty is left out of answers: absent
    "(ncont,globalLocationId,'')",
    "(eq,note,'')",
    # Lists.
    "(eq,seenAt,2026-01-02T01:00:00+01:00)",
    "(gt,seenAt,2026-01-01T12:00:00Z)",
    "(eq,tags,edge)",
    "(eq,tags,edge);(eq,tags,gold)",  # each may find its own
    "(neq,tags,silver)",
    "(neq,tags,silver);(neq,tags,bronze)",
    "(eq,elements/slot,2)",
    "(eq,elements/slot,2);(eq,elements/state,down)",
    "(eq,elements/slot,2);(neq,elements/state,up)",
    "(eq,elements/slot,3);(neq,elements/state,up)",  # absent there
    "(neq,elements/slot,9);(neq,elements/state,gone)",
    "(eq,extensions/addresses/net,lab);(eq,extensions/addresses/addr,10.0.0.2)",
    "(eq,extensions/addresses/@key,addr)",
    "(eq,place/city,Turin)",
]
NOT_MATCHING = [
    "(eq,name,its)",
    "(eq,name,'IT''S')",  # texts have a case
    "(eq,extensions/@key,foo)",
    "(neq,extensions/@key,country)",
    "(gt,alarmRaisedTime,2026-01-01T02:30:00+02:00)",
    "(eq,alarmAcknowledged,false)",
    "(eq,alarmAcknowledged,1)",
    "(cont,description,West,south)",
    "(ncont,description,West,north)",
    "(neq,cores,32)",
    "(nin,cores,1,32)",
    "(in,cores,1,33)",
    "(lt,cores,4)",
    "(gt,cores,32)",
    "(eq,cores,32);(eq,cores,33)",
    "(cont,cores,3)",
    "(eq,parentId,1)",
    "(eq,parentId,None)",
    "(eq,parentId,null)",
    "(in,parentId,1)",
    "(gt,parentId,0)",
    "(lte,parentId,z)",
    "(cont,parentId,'')",
    "(eq,extensions/absent,1)",
    "(neq,extensions/absent/a,1);(eq,extensions/absent/b,2)",
    "(eq,globalLocationId,'')",
    "(lt,globalLocationId,z)",
    "(neq,seenAt,2026-01-02T01:00:00+01:00)",
    "(eq,extensions/absent/deep,1)",
    "(eq,extensions/nothing,None)",
    "(eq,extensions/labels,zone)",
    "(eq,extensions/ready,0)",
    "(gt,extensions/ready,-1)",
    "(lt,extensions/mock.cpuCores,many)",
    "(gt,extensions/mock.cpuCores,many)",
    "(gt,extensions/labels,a)",
    "(eq,extensions/count,10.0)",  # a text equals only the same text
    "(eq,extensions/labels/~bkey,zone)",
    "(neq,tags,edge)",
    "(ncont,tags,dg)",
    "(neq,elements/slot,2)",
    "(eq,elements/slot,1);(eq,elements/state,down)",  # both hold, of different elements
    "(eq,elements/slot,1);(neq,elements/state,up)",
    "(eq,extensions/addresses/net,lab);(eq,extensions/addresses/addr,10.0.0.1)",
    "(neq,extensions/addresses/net,lab)",
    "(neq,place/city,Turin)",
]


@pytest.mark.parametrize("text", MATCHING)
def test_a_filter_matches(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize("text", NOT_MATCHING)
def test_a_filter_does_not_match(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must begin with '('; at 1 there is the end"),
        ("   ", "must begin with '('"),
        (";", "at 1 there is ';'"),
        ("(eq,name,a);;", "at 13 there is ';'"),
        ("(eq,name,a);;(eq,name,b)", "at 13 there is"),
        (";(eq,name,a)", "at 1 there is"),
        ("(eq,name,a)(eq,name,b)", "must be followed by ';'; at 12"),
        ("(eq,name,a) or (eq,name,b)", "must be followed by ';'"),
        ("(eq,name,a", "must end with ')'; at 11 there is the end"),
        ("(eq,name,'a'", "must end with ')'"),
        ("(eq,name,'a'b)", "must end with ')'; at 13 there is 'b)'"),
        ("eq,name,a)", "must begin with '('"),
        ("(eq,name,a));", "must be followed by ';'"),
        ("name=a", "must begin with '('"),
        ("(like,name,a)", "'like' at 2 is no operator"),
        ("(EQ,name,a)", "'EQ' at 2 is no operator"),
        ("(,name,a)", "is no operator"),
        ("(eq)", "the operator eq must be followed by ','"),
        ("(eq,name)", "the attribute must be followed by ',' and a value"),
        ("(eq,,a)", "a name is missing"),
        ("(eq,name,)", "a value is missing at 10"),
        ("(in,name,a,)", "a value is missing at 12"),
        ("(eq,name,a,b)", "eq takes one value; there is another at 11"),
        ("(gt,cores,1,2)", "gt takes one value"),
        ("(eq,name,'a)", "the quote at 10 is not closed"),
        ("(eq,name,it's)", "a quote inside a bare value at 12"),
        ("(eq,wrong,a)", "there is no attribute 'wrong'"),
        ("(neq,wrong,a)", "there is no attribute 'wrong'"),
        ("(eq,id,a)", "there is no attribute 'id'"),  # the body's key is none of the client's business
        ("(eq,Name,a)", "there is no attribute 'Name'"),
        ("(eq,place/town,a)", "there is no attribute 'town' in 'place/town'"),
        ("(eq,name/first,a)", "nothing is below 'name'"),
        ("(eq,tags/0,a)", "nothing is below 'tags'"),
        ("(eq,place,a)", "is an object"),
        ("(eq,elements,a)", "is an object"),
        ("(eq,extensions,a)", "is an object"),
        ("(eq,@key,a)", "@key may stand only for the key of a map"),
        ("(eq,place/@key,a)", "@key may stand only"),
        ("(eq,extensions/@key/x,a)", "@key may stand only"),
        ("(eq,extensions/a@b,a)", "which is written ~b"),
        ("(eq,extensions/~c,a)", "'~c' at 16 is none of the escapes"),
        ("(eq,extensions/x~,a)", "'~' at 17 is none of the escapes"),
        ("(eq,extensions//x,a)", "a name is missing"),
        ("(eq,extensions/,a)", "a name is missing"),
        ("(eq,/name,a)", "a name is missing"),
        ("(gt,cores,many)", "a number is needed"),
        ("(lte,load,)", "a value is missing"),
        ("(lt,load,0x10)", "a number is needed"),
        ("(gt,alarmAcknowledged,false)", "true and false have no order"),
        ("(eq,extensions/a/b/c/d/e,1)", "more than 4 names below"),
        ("(eq,name," + "a" * 4087 + ")", "4097 bytes are more than the 4096 allowed"),
        ("(eq,name," + "é" * 2050 + ")", "4110 bytes"),
        (";".join(["(eq,name,a)"] * 33), "more than 32 terms"),
        ("(in,name," + ",".join("a" * 101) + ")", "more than 100 values"),
        (";".join(["(in,name,a,b,c,d,e,f,g,h,i,j,k)"] * 10), "more than 100 values"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_and_where(text: str, says: str) -> None:
    assert says in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "(eq,name," + "a" * 4086 + ")",
        ";".join(["(eq,name,a)"] * 32),
        "(in,name," + ",".join("a" * 100) + ")",
        "(eq,extensions/a/b/c/d,1)",
    ],
)
def test_the_limits_themselves_are_allowed(text: str) -> None:
    parse_filter(text, SHAPE)


def test_a_refusal_repeats_only_the_begin_of_what_was_sent() -> None:
    assert len(refusal(f"(eq,{'w' * 4000},1)")) < 100


def test_a_refusal_holds_no_control_characters_and_no_half_characters() -> None:
    detail = refusal("(eq,\x1b[31m\r\n\u202e\ud800,1)")
    assert detail.isprintable()
    detail.encode()


def test_several_filters_are_joined_by_and() -> None:
    assert matches(["(eq,cores,32)", "(eq,tags,edge);"])
    assert not matches(["(eq,cores,32)", "(eq,tags,silver)"])
    assert not matches(["(eq,elements/slot,1)", "(eq,elements/state,down)"])
    assert matches([])


def test_several_filters_share_one_limit() -> None:
    assert "bytes" in refusal(["(eq,name," + "a" * 3000 + ")"] * 2)
    assert "terms" in refusal(["(eq,name,a)"] * 33)
    assert "must begin" in refusal(["(eq,name,a)", ""])


def test_terms_tell_what_was_asked() -> None:
    first, second = parse_filter("(eq,name,a); (in,extensions/labels/a~1b,'x',y)", SHAPE).terms
    assert (first.operator, first.path.names, first.values, first.position) == ("eq", ("name",), ("a",), 1)
    assert (second.operator, second.path.names) == ("in", ("extensions", "labels", "a/b"))
    assert second.values == ("x", "y")
    assert second.position == 14
    assert second.path.attribute is None


@pytest.mark.parametrize(
    ("text", "equals"),
    [
        ("(eq,resourceId,ABC)", {"id": {"abc"}}),
        ("(in,name,a,B)", {"name": {"a", "B"}}),
        ("(in,name,a,b);(in,name,b,c)", {"name": {"b"}}),
        ("(eq,name,a);(eq,name,b)", {"name": set()}),
        ("(eq,name,a);(eq,resourceId,x)", {"name": {"a"}, "id": {"x"}}),
        ("(neq,name,a);(gt,name,a);(cont,name,a);(nin,name,b)", {}),
        ("(eq,tags,a)", {}),
        ("(eq,cores,1)", {}),
        ("(eq,alarmRaisedTime,2026-01-01T00:00:00Z)", {}),
        ("(eq,extensions/name,a);(eq,place/city,b)", {}),
    ],
)
def test_what_pins_a_key_is_told_to_callers_with_an_index(text: str, equals: dict[str, set[str]]) -> None:
    assert parse_filter(text, SHAPE).equals == equals


STRANGE: list[Any] = [{}, [], [[]], [{}], "x", 1, True, None, {"x": [None, [{"y": 1}]]}]


def test_an_empty_or_strange_body_is_no_error() -> None:
    assert not parse_filter(MATCHING[:20], SHAPE).matches({})
    for text in MATCHING + NOT_MATCHING:
        one = parse_filter(text, SHAPE)
        for value in STRANGE:
            one.matches(dict.fromkeys(BODY, value))


def test_a_number_of_any_length_in_a_body_is_a_number() -> None:
    body = {"extensions": {"count": "9" * 5000}}
    assert parse_filter("(gt,extensions/count,10)", SHAPE).matches(body)


def test_bodies_stay_as_they_are() -> None:
    before = repr(BODY)
    for text in MATCHING:
        matches(text)
    assert repr(BODY) == before


TEXT = st.text(max_size=60)
SPECIAL = st.text(alphabet="',)(;~/@ ab0é\u202e\n\x00😀", max_size=30)
NAME = st.text(min_size=1, max_size=20)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def escaped(name: str) -> str:
    for character, escape in (("~", "~0"), ("/", "~1"), (",", "~a"), ("@", "~b")):
        name = name.replace(character, escape)
    return name


@given(st.lists(TEXT | SPECIAL, min_size=1, max_size=5))
@settings(deadline=None)
def test_any_quoted_value_comes_back(values: list[str]) -> None:
    text = f"(in,name,{','.join(map(quoted, values))});"
    one = parse_filter(text, SHAPE)
    assert one.terms[0].values == tuple(values)
    assert all(one.matches({"name": value}) for value in values)
    assert one.equals == {"name": frozenset(values)}


@given((NAME | SPECIAL.filter(bool)).filter(lambda name: name == name.strip() and ")" not in name), TEXT)
@settings(deadline=None)
def test_any_name_below_a_map_comes_back(name: str, value: str) -> None:
    one = parse_filter(f"(eq,extensions/{escaped(name)},{quoted(value)})", SHAPE)
    assert one.terms[0].path.names == ("extensions", name)
    assert one.matches({"extensions": {name: value}})
    assert not one.matches({"extensions": {name: value + "x", name + "x": value}})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "b", "1", "true", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([("eq", "neq"), ("in", "nin"), ("cont", "ncont")]),
    st.sampled_from(
        ["name", "tags", "extensions/a", "extensions/a/b", "extensions/@key", "elements/state", "cores"]
    ),
    st.sampled_from(["a", "1", "true", "1.0"]),
    st.dictionaries(st.sampled_from(["name", "tags", "extensions", "elements", "cores"]), JSON),
)
@settings(deadline=None)
def test_a_negative_term_is_the_contrary_of_its_positive(
    operators: tuple[str, str], path: str, value: str, body: dict[str, Any]
) -> None:
    positive, negative = (
        parse_filter(f"({operator},{path},{value})", SHAPE).matches(body) for operator in operators
    )
    assert positive is not negative


@given(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.sampled_from(["gt", "gte", "lt", "lte"]),
)
@settings(deadline=None)
def test_numbers_have_the_order_of_numbers(held: float, limit: int, operator: str) -> None:
    expected = {"gt": held > limit, "gte": held >= limit, "lt": held < limit, "lte": held <= limit}[operator]
    assert parse_filter(f"({operator},load,{limit})", SHAPE).matches({"load": held}) is expected


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
@settings(deadline=None)
def test_instants_have_the_order_of_time(held: datetime, limit: datetime) -> None:
    held, limit = on_wire(held), on_wire(limit)
    body = {"raised_at": held.isoformat()}
    earlier = parse_filter(f"(lt,alarmRaisedTime,{limit.isoformat()})", SHAPE)
    same = parse_filter(f"(eq,alarmRaisedTime,{limit.isoformat()})", SHAPE)
    assert earlier.matches(body) is (held < limit)
    assert same.matches(body) is (held == limit)


def on_wire(moment: datetime) -> datetime:
    """The same moment with an offset of whole minutes, which is all that RFC 3339 can write."""
    offset = moment.utcoffset() or timedelta()
    try:
        return moment.astimezone(timezone(timedelta(minutes=offset // timedelta(minutes=1))))
    except OverflowError:  # in the first or last hours of time
        return moment.replace(tzinfo=UTC)


FRAGMENTS = ["(", ")", ",", ";", "'", "''", "~", "~0", "~1", "~b", "/", "@key", "eq", "in", "gt", "neq",
"name", "tags", "cores",
             "extensions", "elements/slot", "(eq,name,a)", " ", "1", "é", "\x00", "\ud800",
             "(in,extensions/x,"]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
@settings(deadline=None, max_examples=1000)
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    outcome = filter_or_refusal(text)
    if isinstance(outcome, QueryError):
        assert outcome.detail.isprintable()
    else:
        assert outcome.terms
        assert isinstance(outcome.matches(BODY), bool)


def filter_or_refusal(text: str) -> Filter | QueryError:
    try:
        return parse_filter(text, SHAPE)
    except QueryError as error:
        return error


BOMBS = {
    "quotes": lambda n: "(eq,name,'" + "''" * (n // 2),
    "open": lambda n: "(" * n,
    "terms": lambda n: "(eq,name,a);" * (n // 12),
    "values": lambda n: "(in,name," + "a," * (n // 2),
    "blanks": lambda n: "(eq,name," + " " * n,
    "blanks between": lambda n: "(eq,name,a)" + " " * n + "(",
    "escapes": lambda n: "(eq,extensions/" + "~0" * (n // 2) + ",1)",
    "slashes": lambda n: "(eq," + "/" * n + ",1)",
    "digits": lambda n: "(gt,load," + "1" * n + "x)",
    "semicolons": lambda n: "(eq,name,a)" + ";" * n,
}


def lines_run(text: str) -> int:
    """How many lines of Python run while `text` is parsed: a cost that no busy machine changes."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        parse_filter(text, SHAPE)
    except QueryError:
        pass
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_twice_the_size_costs_at_most_twice(bomb: str) -> None:
    small, large = lines_run(BOMBS[bomb](2000)), lines_run(BOMBS[bomb](4000))
    assert large <= 2 * small + 50
    assert large <= 10 * 4096
