"""A write goes to one backend: the same from every process, and one that its tenant may write to."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.configuration import Backend, Configuration, OCloud, parse
from adapters.router import NoRoute, Wanted, fits, route
from adapters.routing import Routing, Rule
from adapters.types import Kind
from tests.adapters.test_configuration import DOCUMENT, DOCUMENT_ADAPTERS, DOCUMENT_LABELS

POOL = {"name": "p", "location": "eu"}


def to(
    text: str, facts: Mapping[str, Any], *, kind: Kind = Kind.RESOURCE_POOL, tenant: str | None = "acme"
) -> str:
    """The name of the backend that takes a write under this configuration."""
    return route(parse(text), Wanted(kind, facts, tenant)).name


def with_filter(text: str) -> str:
    """Two backends; a pool for which `text` is true goes to `edge`, any other to `cloud`."""
    return f"""
adapters:
  - {{name: cloud, type: mock, default: true}}
  - {{name: edge, type: mock}}
routing:
  rules: [{{resourceType: ResourcePool, filter: {text}, adapter: edge, priority: 1}}]
"""


def with_label(text: str) -> str:
    """The same by the labels of the other form."""
    return with_filter("{}").split("routing")[0] + (
        f"routing: {{ims: {{rules: [{{name: a, priority: 1, plugin: edge, conditions: {text}}}]}}}}"
    )


@pytest.mark.parametrize(
    ("kind", "extensions", "name"),
    [
        (Kind.RESOURCE_POOL, {"type": "bare-metal"}, "dtias"),
        (Kind.RESOURCE_POOL, {"type": "cloud"}, "kubernetes"),  # aws is disabled: the next rule decides
        (Kind.RESOURCE_POOL, {}, "kubernetes"),
        (Kind.RESOURCE, {"hasGPU": True}, "kubernetes"),
        (Kind.RESOURCE, {"type": "bare-metal"}, "kubernetes"),
    ],
)
def test_the_documents_first_example_routes_as_it_says(kind: Kind, extensions: Any, name: str) -> None:
    assert to(DOCUMENT, {**POOL, "extensions": extensions}, kind=kind) == name


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("openstack", "openstack-nfv"),
        ("bare-metal", "dtias-edge"),
        ("other", "kubernetes"),
        (None, "kubernetes"),
    ],
)
def test_the_documents_second_example_routes_as_it_says(label: str | None, name: str) -> None:
    facts = {**POOL, "extensions": {"infrastructure.type": label}}
    assert to(DOCUMENT_ADAPTERS + DOCUMENT_LABELS, facts) == name


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{}", {}),
        ("{location: eu}", {"location": "eu"}),
        ("{location: [us, eu]}", {"location": "eu"}),
        ("{extensions.type: a}", {"extensions": {"type": "a"}}),
        ("{extensions.k8s.machineTemplate: a}", {"extensions": {"k8s.machineTemplate": "a"}}),
        ("{extensions.k8s.machineTemplate: a}", {"extensions": {"k8s": {"machineTemplate": "a"}}}),
        ("{extensions.a.b.c: a}", {"extensions": {"a": {"b.c": "a"}}}),
        ("{extensions.n: 1}", {"extensions": {"n": 1.0}}),
        ("{extensions.n: 1.5}", {"extensions": {"n": 1.5}}),
        ("{extensions.gpu: true}", {"extensions": {"gpu": True}}),
        ("{extensions.gpu: false}", {"extensions": {"gpu": False}}),
        ("{location: eu, name: [a, b]}", {"location": "eu", "name": "b"}),
    ],
)
def test_a_filter_finds_what_it_names(text: str, facts: Any) -> None:
    assert to(with_filter(text), facts) == "edge"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{location: eu}", {}),
        ("{location: eu}", {"location": "us"}),
        ("{location: eu}", {"location": None}),
        ("{location: eu}", {"location": ["eu"]}),
        ("{location: eu}", {"location": {"eu": "eu"}}),
        ("{location: eu, name: a}", {"location": "eu"}),
        ("{extensions.gpu: true}", {"extensions": {"gpu": "true"}}),
        ("{extensions.gpu: true}", {"extensions": {"gpu": 1}}),
        ("{extensions.gpu: false}", {"extensions": {"gpu": 0}}),
        ("{extensions.gpu: false}", {"extensions": {}}),
        ("{extensions.n: 1}", {"extensions": {"n": True}}),
        ("{extensions.n: 1}", {"extensions": {"n": "1"}}),
        ('{extensions.n: "1"}', {"extensions": {"n": 1}}),
        ("{extensions.type: a}", {"extensions": "type"}),
        ("{extensions.type: a}", {"extensions": None}),
        ("{extensions.type: a}", {"extensions.type": "a"}),
        ("{extensions.a.b: a}", {"extensions": {"a": "b"}}),
        ("{extensions.a.b: a}", {"extensions": {"a.b": "c", "a": {"b": "a"}}}),
        ("{extensions: a}", {"extensions": {"a": "a"}}),
    ],
)
def test_a_filter_finds_nothing_else(text: str, facts: Any) -> None:
    assert to(with_filter(text), facts) == "cloud"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{labels: {a.b: x}}", {"extensions": {"a.b": "x"}}),
        ("{labels: {a.b: x}}", {"extensions": {"labels": {"a.b": "x"}}}),
        ("{labels: {a.b: x}}", {"labels": {"a.b": "x"}}),
        ("{labels: {a: x}}", {"labels": {"a": "x"}, "extensions": {"a": "y"}}),
        ("{labels: {a: true}}", {"labels": {"a": True}}),
        ("{labels: {a: true}}", {"labels": {"a": "true"}}),
        ("{labels: {a: 1.10}}", {"labels": {"a": "1.10"}}),
        ("{labels: {a: 3}}", {"labels": {"a": 3}}),
        ("{labels: {a: x, b: y}}", {"labels": {"a": "x"}, "extensions": {"b": "y"}}),
        ("{gitOps: false}", {}),
        ("{gitOps: true}", {"gitOps": True}),
    ],
)
def test_labels_are_looked_for_wherever_a_body_may_have_them(text: str, facts: Any) -> None:
    assert to(with_label(text), facts) == "edge"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{labels: {a: x}}", {}),
        ("{labels: {a: x}}", {"a": "x"}),
        ("{labels: {a: x}}", {"labels": {"a": ["x"]}, "extensions": None}),
        ("{labels: {a: x}}", {"labels": "a", "extensions": {"labels": ["a"]}}),
        ("{labels: {a: x, b: y}}", {"labels": {"a": "x"}}),
        ("{labels: {a: False}}", {"labels": {"a": False}}),  # a label is what is written
        ("{labels: {a: 1}}", {"labels": {"a": True}}),
        ("{gitOps: true}", {}),
        ("{gitOps: false}", {"gitOps": True}),
    ],
)
def test_labels_that_differ_do_not_fit(text: str, facts: Any) -> None:
    assert to(with_label(text), facts) == "cloud"


def test_a_rule_for_a_type_of_package_wants_one_in_the_body() -> None:
    rule = Rule(adapter="a", priority=1, package_type="helm")
    assert fits(rule, Wanted(Kind.RESOURCE, {"packageType": "helm"}, None))
    assert not fits(rule, Wanted(Kind.RESOURCE, {"packageType": ["helm"]}, None))
    assert not fits(rule, Wanted(Kind.RESOURCE, {}, None))


def test_a_rule_is_for_the_kind_it_names() -> None:
    assert to(with_filter("{}"), {}, kind=Kind.RESOURCE) == "cloud"
    assert to(with_filter("{}"), {}, kind=Kind.RESOURCE_POOL) == "edge"
    assert to(with_filter("{}").replace("ResourcePool", '"*"'), {}, kind=Kind.RESOURCE) == "edge"


def test_the_higher_priority_decides_and_among_equals_the_earlier_rule() -> None:
    def first(*rules: str) -> str:
        listed = ", ".join(f'{{resourceType: "*", {rule}}}' for rule in rules)
        return to(with_filter("{}").split("routing")[0] + f"routing: {{rules: [{listed}]}}", {})

    assert first("adapter: cloud, priority: 1", "adapter: edge, priority: 2") == "edge"
    assert first("adapter: cloud, priority: 2", "adapter: edge, priority: 2") == "cloud"
    assert first("adapter: edge, priority: 2", "adapter: cloud, priority: 2") == "edge"
    assert first("adapter: cloud, priority: -2", "adapter: edge, priority: -1") == "edge"


OWNED = """
adapters:
  - {name: ours, type: mock, tenant: acme}
  - {name: theirs, type: mock, tenant: globex, shared: true, default: true}
  - {name: idle, type: mock, enabled: false}
routing:
  rules: [{resourceType: "*", filter: {name: there}, adapter: theirs, priority: 1}]
"""


def test_a_tenant_writes_to_no_backend_of_another_whatever_the_rules_say() -> None:
    assert to(OWNED, {"name": "there"}, tenant="acme") == "ours"
    assert to(OWNED, {"name": "there"}, tenant="globex") == "theirs"
    assert to(OWNED, {"name": "there"}, tenant=None) == "theirs"


def test_without_a_rule_the_default_takes_it_and_without_one_the_only_backend() -> None:
    assert to(OWNED, {}, tenant="globex") == "theirs"
    assert to(OWNED, {}, tenant="acme") == "ours"


def test_a_disabled_default_is_none() -> None:
    text = with_filter("{name: a}").replace("default: true", "default: true, enabled: false")
    assert to(text, {}) == "edge"


def test_no_route_names_no_backend() -> None:
    for text, tenant in ((OWNED, "initech"), (with_filter("{a: b}").replace("default: true", ""), "acme")):
        with pytest.raises(NoRoute) as raised:
            to(text, {}, tenant=tenant)
        assert "this ResourcePool" in str(raised.value)
        assert not any(name in str(raised.value) for name in ("ours", "theirs", "idle", "cloud", "edge"))


def test_a_write_goes_where_the_rule_says_also_within_a_group() -> None:
    group = "aggregation: [{oCloud: netweave, strategy: fallback, sources: [cloud, edge]}]"
    assert to(with_filter("{}") + group, {}) == "edge"


deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=100)

NAMES = ["a", "b", "c", "d", "e"]
WORDS = st.sampled_from(["x", "y", "true", 1, 1.0, 2, True, False, None])
SCALARS = st.sampled_from(["x", "y", "true", 1, 2, True, False])
PATHS = st.sampled_from(["name", "extensions.k", "extensions.k.l", "extensions", "labels.k"])


def backends() -> st.SearchStrategy[tuple[Backend, ...]]:
    """Some backends, at most one of them the default."""

    def made(names: list[str], facts: list[tuple[bool, str | None]], default: int) -> tuple[Backend, ...]:
        return tuple(
            Backend(
                name=name,
                kind="mock",
                key=name,
                enabled=enabled,
                default=place == default,
                tenant=tenant,
                shared=False,
                o_cloud="cloud",
                poll=timedelta(seconds=30),
                config={},
            )
            for place, (name, (enabled, tenant)) in enumerate(zip(names, facts, strict=True))
        )

    fact = st.tuples(st.sampled_from([True, True, False]), st.sampled_from([None, None, "acme", "globex"]))
    return st.builds(
        made, st.permutations(NAMES), st.lists(fact, min_size=5, max_size=5), st.integers(0, 7)
    ).flatmap(lambda all_: st.integers(1, 5).map(lambda count: all_[:count]))


def rules(configured: tuple[Backend, ...]) -> st.SearchStrategy[Rule]:
    """A rule that names one of these."""
    return st.builds(
        Rule,
        adapter=st.sampled_from([backend.name for backend in configured]),
        priority=st.integers(-3, 9),
        kind=st.none() | st.sampled_from(Kind),
        filter=st.dictionaries(PATHS, st.lists(SCALARS, min_size=1, max_size=3).map(tuple), max_size=1),
        labels=st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["x", "1", "true"]), max_size=1),
        git_ops=st.sampled_from([None, None, None, True, False]),
        package_type=st.sampled_from(["", "", "", "x"]),
    )


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Backends and rules, the priorities of which may be equal."""
    configured = draw(backends())
    return Configuration(
        o_cloud=OCloud(id="cloud", global_cloud_id="cloud", name="cloud", description=""),
        backends=configured,
        routing=Routing(ims=tuple(draw(st.lists(rules(configured), max_size=6)))),
    )


_inner = (
    WORDS | st.dictionaries(st.sampled_from(["k", "l", "k.l", "labels"]), WORDS, max_size=3) | st.just([1])
)
_facts = st.dictionaries(
    st.sampled_from(["name", "extensions", "labels", "gitOps", "packageType"]), _inner, max_size=5
)
writes = st.builds(Wanted, st.sampled_from(Kind), _facts, st.sampled_from([None, "acme", "globex"]))


def taker(configuration: Configuration, wanted: Wanted) -> Backend | None:
    """Where it goes, None for nowhere."""
    try:
        return route(configuration, wanted)
    except NoRoute:
        return None


def with_rules(configuration: Configuration, *listed: Rule) -> Configuration:
    return replace(configuration, routing=Routing(ims=listed))


def deciding(configuration: Configuration, wanted: Wanted) -> Rule | None:
    """The rule that decides, found the long way round."""
    open_ = {
        b.name
        for b in configuration.backends
        if b.enabled and wanted.tenant in {None, b.tenant or wanted.tenant}
    }
    found = [rule for rule in configuration.routing.ims if rule.adapter in open_ and fits(rule, wanted)]
    return max(found, key=lambda rule: rule.priority) if found else None  # the first of the highest


@deterministic
@given(configurations(), writes)
def test_the_answer_is_an_enabled_backend_open_to_the_tenant_and_always_the_same(
    configuration: Configuration, wanted: Wanted
) -> None:
    before = deepcopy((configuration, wanted))
    found = taker(configuration, wanted)
    assert found is taker(configuration, wanted)
    assert before == (configuration, wanted)
    if found is not None:
        assert found.enabled
        assert found in configuration.backends
        assert wanted.tenant is None or found.tenant in {None, wanted.tenant}


@deterministic
@given(configurations(), writes)
def test_the_highest_rule_that_fits_decides(configuration: Configuration, wanted: Wanted) -> None:
    rule = deciding(configuration, wanted)
    found = taker(configuration, wanted)
    if rule is not None:
        assert found is not None
        assert found.name == rule.adapter
    elif found is not None:
        others = [
            b for b in configuration.backends if b.enabled and b.tenant in {None, wanted.tenant, found.tenant}
        ]
        assert found.default or others == [found]


@deterministic
@given(configurations(), writes, st.data())
def test_the_order_of_adapters_and_of_rules_with_distinct_priorities_is_nothing(
    configuration: Configuration, wanted: Wanted, data: st.DataObject
) -> None:
    listed = [replace(rule, priority=place) for place, rule in enumerate(configuration.routing.ims)]
    straight = with_rules(configuration, *listed)
    shuffled = replace(
        with_rules(configuration, *data.draw(st.permutations(listed))),
        backends=tuple(data.draw(st.permutations(configuration.backends))),
    )
    assert taker(straight, wanted) == taker(shuffled, wanted)


@deterministic
@given(configurations(), writes, st.data())
def test_among_equals_only_their_order_counts(
    configuration: Configuration, wanted: Wanted, data: st.DataObject
) -> None:
    """Rules of several priorities may be shuffled into each other, as long as equals keep their order; of
    equals that are shuffled, the first that fits and is open decides."""
    listed = configuration.routing.ims
    places = data.draw(st.permutations(range(len(listed))))
    by_priority = {rule.priority: iter([r for r in listed if r.priority == rule.priority]) for rule in listed}
    riffled = [next(by_priority[listed[place].priority]) for place in places]
    assert taker(with_rules(configuration, *riffled), wanted) == taker(configuration, wanted)
    shuffled = with_rules(configuration, *(listed[place] for place in places))
    before, after = deciding(configuration, wanted), deciding(shuffled, wanted)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before.priority == after.priority
        assert taker(shuffled, wanted) == route(with_rules(configuration, after), wanted)


@st.composite
def decided(draw: st.DrawFn) -> tuple[Configuration, Wanted, Rule]:
    """A configuration, a write, and the rule of it that decides."""
    configuration, wanted = draw(configurations()), draw(writes)
    first, *others = configuration.backends
    configuration = replace(configuration, backends=(replace(first, enabled=True, tenant=None), *others))
    listed = list(configuration.routing.ims)
    any_ = Rule(adapter=first.name, priority=draw(st.integers(-3, 9)))
    listed.insert(draw(st.integers(0, len(listed))), any_)
    configuration = with_rules(configuration, *listed)
    rule = deciding(configuration, wanted)
    assert rule is not None
    return configuration, wanted, rule


@deterministic
@given(decided(), st.data())
def test_a_rule_of_lower_priority_than_the_one_that_decides_changes_nothing(
    case: tuple[Configuration, Wanted, Rule], data: st.DataObject
) -> None:
    configuration, wanted, rule = case
    lower = replace(data.draw(rules(configuration.backends)), priority=rule.priority - 1)
    listed = list(configuration.routing.ims)
    listed.insert(data.draw(st.integers(0, len(listed))), lower)
    assert route(with_rules(configuration, *listed), wanted) == route(configuration, wanted)


@deterministic
@given(decided())
def test_a_rule_that_fits_above_all_others_decides(case: tuple[Configuration, Wanted, Rule]) -> None:
    configuration, wanted, _ = case
    top = configuration.backends[0]
    listed = [*configuration.routing.ims, Rule(adapter=top.name, priority=10)]
    assert route(with_rules(configuration, *listed), wanted) == top
