"""What a subscription on the O-RAN root does not want to hear of."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.types import Kind
from o2ims.query import QueryError
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions.exclusion import Exclusion, parse_exclusion

ID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
BODIES: dict[Kind, dict[str, Any]] = {
    Kind.RESOURCE: {
        "id": ID,
        "name": "node-1",
        "pool_id": OTHER,
        "type_id": OTHER,
        "extensions": {"k8s.zone": "a"},
    },
    Kind.RESOURCE_POOL: {"id": OTHER, "name": "pool-1", "location": "eu", "o_cloud_id": "c"},
    Kind.RESOURCE_TYPE: {"id": ID, "name": "m5", "vendor": "netweave"},
    Kind.DEPLOYMENT_MANAGER: {"id": ID, "name": "node-1", "o_cloud_id": "c", "capacity": {"cpu": 8}},
}


def parsed(text: str) -> Exclusion:
    return parse_exclusion(text, INVENTORY_V1.shapes)


def hit(text: str, event: str = "CREATE") -> str:
    """The kinds of which a body is hit, in short."""
    found = parsed(text)
    before, after = event != "CREATE", event != "DELETE"
    return " ".join(
        kind.name
        for kind, body in BODIES.items()
        if found.excludes(kind, event, body if before else None, body if after else None)
    )


def wrong(text: str) -> str:
    with pytest.raises(QueryError) as caught:
        parsed(text)
    assert caught.value.parameter == "filter"
    return caught.value.detail


EVERYTHING = "RESOURCE RESOURCE_POOL RESOURCE_TYPE DEPLOYMENT_MANAGER"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("(eq,objectType,ResourceInfo)", "RESOURCE"),
        ("[(eq,objectType,ResourceInfo)]", "RESOURCE"),
        (" [ (eq, objectType , ResourceInfo) ; ] ", "RESOURCE"),
        ("(eq,objectType,ResourceInfo)|(eq,objectType,ResourceTypeInfo)", "RESOURCE RESOURCE_TYPE"),
        (
            "[(eq,objectType,ResourceInfo)] | [(eq,objectType,DeploymentManagerInfo)]",
            "RESOURCE DEPLOYMENT_MANAGER",
        ),
        ("(in,objectType,ResourceInfo,ResourcePoolInfo)", "RESOURCE RESOURCE_POOL"),
        ("(neq,objectType,ResourceInfo)", "RESOURCE_POOL RESOURCE_TYPE DEPLOYMENT_MANAGER"),
        ("(nin,objectType,ResourceInfo,ResourceTypeInfo)", "RESOURCE_POOL DEPLOYMENT_MANAGER"),
        ("(eq,objectType,CloudInfo)", ""),
        ("(eq,objectType,ResourceInfo);(eq,objectType,ResourcePoolInfo)", ""),
        (f"(eq,objectType,ResourceInfo);(eq,resourceId,{ID})", "RESOURCE"),
        (f"(eq,objectType,ResourceInfo);(eq,resourceId,{ID.upper()})", "RESOURCE"),
        (f"(eq,objectType,ResourceInfo);(eq,resourceId,{OTHER})", ""),
        # The same name is another attribute in another kind; a kind that lacks it is not hit by neq either.
        (f"(eq,resourcePoolId,{OTHER})", "RESOURCE RESOURCE_POOL"),
        (f"(neq,resourceId,{OTHER})", "RESOURCE"),
        ("(eq,vendor,netweave);(eq,location,eu)", ""),
        ("(eq,vendor,netweave)|(eq,location,eu)", "RESOURCE_POOL RESOURCE_TYPE"),
        ("(eq,name,node-1)", "RESOURCE DEPLOYMENT_MANAGER"),
        ("(gt,capacity/cpu,4)", "DEPLOYMENT_MANAGER"),
        ("(eq,extensions/k8s.zone,a)", "RESOURCE"),
        ("(eq,name,'node-1')|(eq,name,'a|b;(c');(eq,name,'it''s|)')", "RESOURCE DEPLOYMENT_MANAGER"),
        ("(eq,name,'x)|(y;');(eq,vendor,v)|(eq,name,node-1)", "RESOURCE DEPLOYMENT_MANAGER"),
        ("(eq,name,'it''s)|(')|(eq,name,node-1)", "RESOURCE DEPLOYMENT_MANAGER"),
        ("(eq,name,pool-1)|(neq,name,'(');(eq,name,m5)", "RESOURCE_POOL RESOURCE_TYPE"),
        ("(eq,name,a|b)|(eq,name,pool-1)", "RESOURCE_POOL"),
        ("(neq,name,a[b|c;(d)", EVERYTHING),
        ("(eq,notificationEventType,0)", EVERYTHING),
        ("(eq,notificationEventType,1)", ""),
        ("(in,notificationEventType,CREATE,DELETE);(eq,objectType,ResourcePoolInfo)", "RESOURCE_POOL"),
        ("(neq,notificationEventType,0)", ""),
        ("(neq,notificationEventType,CREATE)", ""),
        ("(nin,notificationEventType,1,DELETE)", EVERYTHING),
    ],
)
def test_a_creation_is_excluded_where_an_alternative_hits_it(text: str, kinds: str) -> None:
    assert hit(text) == kinds


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("(eq,notificationEventType,0)", ["CREATE"]),
        ("(eq,notificationEventType,MODIFY)", ["MODIFY"]),
        ("(in,notificationEventType,2,CREATE)", ["CREATE", "DELETE"]),
        ("(neq,notificationEventType,2)", ["CREATE", "MODIFY"]),
        ("(eq,objectType,ResourceInfo)", ["CREATE", "MODIFY", "DELETE"]),
    ],
)
def test_event_types_are_numbers_or_words(text: str, events: list[str]) -> None:
    assert [event for event in ("CREATE", "MODIFY", "DELETE") if hit(text, event)] == events


def test_a_modification_is_excluded_only_if_both_states_are_hit() -> None:
    found = parsed("(eq,name,a)|(eq,name,b)")
    a, b, c = ({**BODIES[Kind.RESOURCE], "name": name} for name in "abc")
    assert found.excludes(Kind.RESOURCE, "MODIFY", a, b)
    assert not found.excludes(Kind.RESOURCE, "MODIFY", a, c)
    assert not found.excludes(Kind.RESOURCE, "MODIFY", c, a)
    assert found.excludes(Kind.RESOURCE, "DELETE", a, None)
    assert not found.excludes(Kind.RESOURCE, "CREATE", None, c)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "alternative is missing at 1"),
        ("(eq,name,a)|", "alternative is missing at 13"),
        ("|(eq,name,a)", "alternative is missing at 1"),
        ("(eq,name,a)||(eq,name,b)", "alternative is missing at 13"),
        ("[]", "term is missing"),
        (";", "term is missing"),
        ("(eq,name,a);;(eq,name,b)", "term is missing at 13"),
        ("[(eq,name,a)", "bracket"),
        ("(eq,name,a)]", "bracket"),
        ("[", "bracket"),
        ("[(eq,name,a)|(eq,name,b)]", "bracket"),
        ("[[(eq,name,a)]]", "begin with"),
        ("(eq,name,a)(eq,name,b)", "followed by ';'"),
        ("(eq,name,'a)|(eq,name,b)", "not closed"),
        ("name", "begin with"),
        ("(like,name,a)", "'like' at 2 is no operator"),
        ("(like,objectType,a)", "'like' at 2 is no operator"),
        ("(eq,name,a)|(like,name,a)", "'like' at 14 is no operator"),
        ("(eq,nothing,a)", "no attribute 'nothing'"),
        ("(eq,objectType,ResourceInfo);(eq,nothing,a)", "no attribute 'nothing'"),
        ("(eq,capacity,a)", "is an object"),
        ("(eq,objectType,resourceinfo)", "none of CloudInfo"),
        ("(eq,objectType,Resource)", "none of CloudInfo"),
        ("(eq,name,a)|(eq,objectType,x)", "'x' at 13"),
        ("(cont,objectType,ResourceInfo)", "does not go"),
        ("(gt,notificationEventType,0)", "does not go"),
        ("(eq,notificationEventType,3)", "none of 0, 1, 2, CREATE"),
        ("(eq,notificationEventType/x,1)", "nothing is below"),
        (f"(eq,name,{'a' * 4096})", "4096"),
        ("|".join(["(eq,name,a)"] * 33), "32 terms"),
        (";".join(["(eq,objectType,ResourceInfo)"] * 33), "32 terms"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_exclusion_is_refused_with_what_and_where(text: str, what: str) -> None:
    assert what in wrong(text)


def test_the_largest_one_allowed_is_allowed() -> None:
    assert len(parsed("|".join(["(eq,name,a)"] * 32)).alternatives) == 32


def test_two_are_equal_if_they_say_the_same_of_the_same_attributes() -> None:
    text = "(eq,objectType,ResourceInfo)"
    assert parsed(text) == parsed(text)
    assert hash(parsed(text)) == hash(parsed(text))
    assert parsed(text) != parsed(f"[{text}]")
    assert parsed(text) != parse_exclusion(text, GATEWAY_V1.shapes)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*"()[]|;,' ab", "(eq,name,a)", "(eq,objectType,ResourceInfo)", "eq"])).map(
        "".join
    )
)
def test_whatever_is_given_it_is_an_exclusion_or_a_query_error(text: str) -> None:
    try:
        found = parsed(text)
    except QueryError:
        return
    for kind, body in BODIES.items():
        assert found.excludes(kind, "CREATE", None, body) in {True, False}
