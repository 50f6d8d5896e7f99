"""gateway.yaml either loads or is refused with the line that is wrong."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.aggregation import Group, Strategy
from adapters.configuration import Backend, Configuration, ConfigurationError, duration, load, parse
from adapters.routing import Rule
from adapters.types import Kind

GOOD = """
oCloud: {id: cloud-1, name: Cloud}
adapters:
  - name: kubernetes
    type: k8s
    default: true
    config: {kubeconfig: /etc/k, ocloudId: other, poll: 5s}
  - name: sample
    type: mock
    id: old-name
    tenant: acme
    shared: true
    enabled: false
routing:
  rules: [{resourceType: "*", adapter: kubernetes, priority: 1}]
"""

# The document's two examples, word for word.
DOCUMENT = """
# config/gateway.yaml

adapters:
  # Kubernetes adapter (default)
  - name: kubernetes
    type: k8s
    enabled: true
    default: true
    config:
      kubeconfig: /etc/kubernetes/admin.conf
      namespace: default
      ocloudId: ocloud-kubernetes-1

  # Dell DTIAS adapter
  - name: dtias
    type: dtias
    enabled: true
    config:
      endpoint: https://dtias.dell.com/api
      apiKey: ${DTIAS_API_KEY}
      timeout: 30s
      ocloudId: ocloud-dtias-1

  # AWS adapter (disabled for now)
  - name: aws
    type: aws
    enabled: false
    config:
      region: us-east-1
      credentials: ~/.aws/credentials
      ocloudId: ocloud-aws-1

# Routing rules: which backend for which resource type
routing:
  rules:
    # All bare-metal resource pools go to DTIAS
    - resourceType: ResourcePool
      filter:
        extensions.type: "bare-metal"
      adapter: dtias
      priority: 10

    # Cloud resource pools go to AWS
    - resourceType: ResourcePool
      filter:
        extensions.type: "cloud"
      adapter: aws
      priority: 10

    # GPU resources go to Kubernetes
    - resourceType: Resource
      filter:
        extensions.hasGPU: true
      adapter: kubernetes
      priority: 10

    # Everything else goes to Kubernetes (default)
    - resourceType: "*"
      adapter: kubernetes
      priority: 1
"""
DOCUMENT_LABELS = """
routing:
  ims:
    rules:
      # OpenStack for legacy NFV infrastructure
      - name: openstack-nfv
        priority: 100
        plugin: openstack-nfv
        conditions:
          labels:
            infrastructure.type: openstack

      # Bare-metal edge to DTIAS
      - name: bare-metal-edge
        priority: 95
        plugin: dtias-edge
        conditions:
          labels:
            infrastructure.type: bare-metal

      # Default to Kubernetes
      - name: default-k8s
        priority: 1
        plugin: kubernetes

  dms:
    rules:
      # GitOps to ArgoCD
      - name: gitops-deployments
        priority: 100
        plugin: argocd-gitops
        conditions:
          gitOps: true

      # ONAP service models to ONAP LCM
      - name: onap-services
        priority: 95
        plugin: onap-lcm
        packageType: onap-service

      # Default to Helm
      - name: default-helm
        priority: 1
        plugin: helm-deployer
"""
DOCUMENT_ADAPTERS = """
adapters:
  - {name: openstack-nfv, type: openstack}
  - {name: dtias-edge, type: dtias}
  - {name: kubernetes, type: kubernetes}
"""

TWO = """\
adapters:
  - {name: one, type: mock}
  - {name: two, type: mock, enabled: false}
"""
PAIR = """\
adapters:
  - {name: one, type: mock, id: x, ocloudId: cloud}
  - {name: two, type: mock, id: x, ocloudId: cloud}
aggregation:
"""


def test_a_good_file_says_everything() -> None:
    found = parse(GOOD)
    first, second = found.backends
    assert (found.o_cloud.id, found.o_cloud.global_cloud_id, found.o_cloud.name) == (
        "cloud-1",
        "cloud-1",
        "Cloud",
    )
    assert (first.kind, first.key, first.default, first.o_cloud, first.tenant) == (
        "k8s",
        "kubernetes",
        True,
        "other",
        None,
    )
    assert first.poll == timedelta(seconds=5)
    assert (second.key, second.tenant, second.shared, second.enabled) == ("old-name", "acme", True, False)
    assert (second.ids, second.o_cloud, second.poll) == ("old-name", "cloud-1", timedelta(seconds=30))
    assert found.aggregation == ()


def test_the_documents_first_example_loads_as_it_stands() -> None:
    found = parse(DOCUMENT)
    assert [(b.name, b.kind, b.enabled, b.default, b.o_cloud) for b in found.backends] == [
        ("kubernetes", "k8s", True, True, "ocloud-kubernetes-1"),
        ("dtias", "dtias", True, False, "ocloud-dtias-1"),
        ("aws", "aws", False, False, "ocloud-aws-1"),
    ]
    assert found.backends[1].config["apiKey"] == "${DTIAS_API_KEY}"
    assert found.routing.ims == (
        Rule(
            kind=Kind.RESOURCE_POOL, filter={"extensions.type": ("bare-metal",)}, adapter="dtias", priority=10
        ),
        Rule(kind=Kind.RESOURCE_POOL, filter={"extensions.type": ("cloud",)}, adapter="aws", priority=10),
        Rule(kind=Kind.RESOURCE, filter={"extensions.hasGPU": (True,)}, adapter="kubernetes", priority=10),
        Rule(kind=None, adapter="kubernetes", priority=1),
    )


def test_the_documents_second_example_loads_with_the_adapters_it_names() -> None:
    found = parse(DOCUMENT_ADAPTERS + DOCUMENT_LABELS).routing
    assert found.ims == (
        Rule(
            name="openstack-nfv",
            priority=100,
            adapter="openstack-nfv",
            labels={"infrastructure.type": "openstack"},
        ),
        Rule(
            name="bare-metal-edge",
            priority=95,
            adapter="dtias-edge",
            labels={"infrastructure.type": "bare-metal"},
        ),
        Rule(name="default-k8s", priority=1, adapter="kubernetes"),
    )
    assert found.dms == (
        Rule(name="gitops-deployments", priority=100, adapter="argocd-gitops", git_ops=True),
        Rule(name="onap-services", priority=95, adapter="onap-lcm", package_type="onap-service"),
        Rule(name="default-helm", priority=1, adapter="helm-deployer"),
    )


def test_rules_of_both_forms_are_one_list_in_the_order_of_the_file() -> None:
    by_kind = "  rules: [{name: a, resourceType: Resource, adapter: one, priority: 1}]\n"
    by_label = "  ims: {rules: [{name: b, resourceType: ResourcePool, plugin: two, priority: 1}]}\n"
    assert [rule.name for rule in parse(f"{TWO}routing:\n{by_kind}{by_label}").routing.ims] == ["a", "b"]
    assert [rule.name for rule in parse(f"{TWO}routing:\n{by_label}{by_kind}").routing.ims] == ["b", "a"]


def test_a_filter_may_list_values_and_a_label_is_what_is_written() -> None:
    rules = """\
routing:
  rules:
    - {resourceType: Resource, filter: {name: [a, 1, 1.5, true], location: eu}, adapter: one, priority: 1}
  ims: {rules: [{name: b, plugin: two, priority: 0x10, conditions: {labels: {v: 1.10, on: yes}}}]}
"""
    first, second = parse(TWO + rules).routing.ims
    assert first.filter == {"name": ("a", 1, 1.5, True), "location": ("eu",)}
    assert second.labels == {"v": "1.10", "on": "yes"}
    assert second.priority == 16


@pytest.mark.parametrize(
    "empty", ["routing:", "routing: {}", "routing: {rules: , ims: {}, dms: {rules: []}}"]
)
def test_routing_may_be_empty(empty: str) -> None:
    assert parse(f"{TWO}{empty}\n").routing == parse(TWO).routing


def test_the_o_cloud_of_an_adapter_stands_beside_its_name_or_in_its_config() -> None:
    outer, inner, both, none = parse(
        """\
oCloud: {id: top}
adapters:
  - {name: a, type: mock, ocloudId: one}
  - {name: b, type: mock, config: {ocloudId: two}}
  - {name: c, type: mock, ocloudId: same, config: {ocloudId: same}}
  - {name: d, type: mock}
"""
    ).backends
    assert (outer.o_cloud, inner.o_cloud, both.o_cloud, none.o_cloud) == ("one", "two", "same", "top")
    assert parse("adapters:\n  - {name: a, type: mock, ocloudId: one}\n").o_cloud.id == "one"


def test_a_group_keeps_the_order_it_gives() -> None:
    found = parse(PAIR + "  - {oCloud: cloud, strategy: fallback, sources: [two, one]}\n")
    group = Group(o_cloud="cloud", strategy=Strategy.FALLBACK, sources=("two", "one"))
    assert found.aggregation == (group,)
    assert (found.group_of("one"), found.group_of("two"), found.group_of("three")) == (group, group, None)


@pytest.mark.parametrize("strategy", ["fallback", "first"])
def test_sources_read_one_at_a_time_share_ids_under_keys_of_their_own(strategy: str) -> None:
    one, two = parse(PAIR + f"  - {{oCloud: cloud, strategy: {strategy}, sources: [two, one]}}\n").backends
    assert (one.ids, one.key) == ("x", "x")
    assert (two.ids, two.key) == ("x", "x/two")


def test_an_o_cloud_may_have_several_groups() -> None:
    groups = """\
  - {oCloud: cloud, strategy: first, sources: [one, two]}
  - {oCloud: cloud, strategy: merge, sources: [three]}
"""
    more = PAIR.replace("aggregation", "  - {name: three, type: mock, ocloudId: cloud}\naggregation")
    assert [group.sources for group in parse(more + groups).aggregation] == [("one", "two"), ("three",)]


def test_a_backend_made_without_a_shared_id_has_its_key_for_ids() -> None:
    made = Backend(
        name="a",
        kind="mock",
        key="k",
        enabled=True,
        default=False,
        tenant=None,
        shared=False,
        o_cloud="",
        poll=timedelta(1),
        config={},
    )
    assert made.ids == "k"


def test_adapters_may_take_from_each_other_with_a_merge_key() -> None:
    first, second = parse(
        """\
adapters:
  - &first {name: a, type: mock, config: {poll: 5s}}
  - {<<: *first, name: b}
"""
    ).backends
    assert (first.name, second.name, second.kind, second.poll) == ("a", "b", "mock", first.poll)


def test_a_date_is_text_as_it_is_in_json() -> None:
    config = parse("adapters:\n  - {name: a, type: mock, config: {since: 2024-01-01}}\n").backends[0].config
    assert config == {"since": "2024-01-01"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("adapters: [", 1, "is no YAML"),
        ("- a\n", 1, "must be a mapping"),
        ("oCloud: {id: x}\n", 1, "at least one is needed"),
        ("adapters: []\n", 1, "at least one is needed"),
        ("adapters:\n  - type: mock\n", 2, "needs name"),
        ("adapters:\n  - name: one\n", 2, "needs type"),
        ("adapters:\n  - name: one\n    type: mock\n    colour: red\n", 4, "colour is no key"),
        ("adapters:\n  - name: one\n    type: mock\n    colour:\n      red\n", 4, "colour is no key"),
        ("adapters:\n  - name: one\n    type: mock\n    enabled: maybe\n", 4, "true or false"),
        ("adapters:\n  - name: one\n    type: mock\n    tenant: No Good\n", 4, "not allowed"),
        ("adapters:\n  - name: 'a b'\n    type: mock\n", 2, "not allowed"),
        ("adapters:\n  - name: one\n    name: two\n    type: mock\n", 3, "twice"),
        ("adapters:\n  - name: one\n    type: mock\n  - name: one\n    type: mock\n", 4, "two adapters"),
        (
            "adapters:\n  - {name: one, type: mock, id: x}\n  - {name: two, type: mock, id: x}\n",
            3,
            "two adapters",
        ),
        (
            "adapters:\n  - {name: a, type: mock, default: true}\n  - {name: b, type: mock, default: true}\n",
            3,
            "default",
        ),
        ("adapters:\n  - name: one\n    type: mock\n    config: [1]\n", 4, "must be a mapping"),
        ("adapters:\n  - name: one\n    type: mock\n    config: {poll: soon}\n", 4, "no length of time"),
        ("adapters:\n  - name: one\n    type: mock\n    config: {poll: 1ms}\n", 4, "100ms or more"),
        (
            f"adapters:\n  - name: one\n    type: mock\n    config:\n      poll: {'9' * 50}h\n",
            5,
            "longer than any time",
        ),
        ("adapters: {name: one}\n", 1, "must be a list"),
        ("surprise: 1\nadapters:\n  - {name: one, type: mock}\n", 1, "surprise is no key"),
        ("adapters:\n  - {name: a, type: mock}\noCloud: {id: x,\n  description: [1]}\n", 4, "must be text"),
        (
            "adapters:\n  - name: a\n    type: mock\n    ocloudId: x\n    config: {ocloudId: y}\n",
            4,
            "config.ocloudId says",
        ),
        ("adapters:\n  - name: a\n    type: mock\n    config:\n      ocloudId: 5\n", 5, "must be text"),
        ("adapters:\n  - name: a\n    type: mock\n    config: {a: {b: 1,\n      b: 2}}\n", 5, "twice"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    refuse(text, line, said)


def refuse(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(text, "gateway.yaml")
    assert said in refused.value.detail
    assert refused.value.line == line
    assert str(refused.value).startswith(f"gateway.yaml:{line}: ")


RULE = "resourceType: Resource, adapter: one, priority: 1"
LABELS = "routing:\n  ims:\n    rules:\n      - {name: a, priority: 1"
DEPLOYMENTS = "routing:\n  dms:\n    rules:\n      - {name: a, priority: 1, plugin: helm"


@pytest.mark.parametrize(
    ("routing", "line", "said"),
    [
        ("routing: [1]", 4, "must be a mapping"),
        ("routing:\n  rule: []", 5, "rule is no key of routing"),
        ("routing:\n  rules: {}", 5, "must be a list"),
        ("routing:\n  rules:\n    - one", 6, "a rule must be a mapping"),
        (f"routing:\n  rules:\n    - {{{RULE},\n       plugin: one}}", 7, "plugin is no key of a rule"),
        ("routing:\n  rules:\n    - {adapter: one, priority: 1}", 6, "needs resourceType"),
        ("routing:\n  rules:\n    - {resourceType: Resource, priority: 1}", 6, "needs adapter"),
        ("routing:\n  rules:\n    - {resourceType: Resource, adapter: one}", 6, "needs priority"),
        (
            "routing:\n  rules:\n    - adapter: one\n      priority: 1\n      resourceType: Pool",
            8,
            "'Pool' is none; there are DeploymentManager, ResourceType, ResourcePool, Resource, *",
        ),
        (
            "routing:\n  rules:\n    - resourceType: Resource\n      priority: 1\n      adapter: three",
            8,
            "adapter: this file has no adapter 'three'",
        ),
        (
            "routing:\n  rules:\n    - resourceType: Resource\n      adapter: one\n      priority: high",
            8,
            "priority must be a whole number",
        ),
        (
            "routing:\n  rules:\n    - resourceType: Resource\n      adapter: one\n      priority: true",
            8,
            "priority must be a whole number",
        ),
        (
            "routing:\n  rules:\n    - resourceType: Resource\n      adapter: one\n      priority: 1.0",
            8,
            "priority must be a whole number",
        ),
        (f"routing:\n  rules:\n    - {{{RULE},\n       filter: a}}", 7, "filter must be a mapping"),
        (
            f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       name: {{a: b}}}}}}",
            7,
            "must be text, a number",
        ),
        (f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       name: ~}}}}", 7, "must be text, a number"),
        (f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       name: []}}}}", 7, "must be text, a number"),
        (
            f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       name: [[a]]}}}}",
            7,
            "must be text, a number",
        ),
        (
            f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       name: .nan}}}}",
            7,
            "must be text, a number",
        ),
        (
            f"routing:\n  rules:\n    - {{{RULE}, filter: {{\n       a..b: 1}}}}",
            7,
            "filter: 'a..b' is not allowed",
        ),
        (
            f"routing:\n  rules:\n    - {{{RULE}, name: a}}\n    - {{{RULE},\n       name: a}}",
            8,
            "two rules are 'a'",
        ),
        ("routing:\n  ims: []", 5, "ims must be a mapping"),
        ("routing:\n  ims:\n    rule: []", 6, "rule is no key of ims"),
        ("routing:\n  ims:\n    rules:\n      - {name: a, priority: 1}", 7, "needs plugin"),
        ("routing:\n  ims:\n    rules:\n      - {plugin: one, priority: 1}", 7, "needs name"),
        ("routing:\n  ims:\n    rules:\n      - {plugin: one, name: a}", 7, "needs priority"),
        (
            f"{LABELS},\n         plugin: three}}",
            8,
            "plugin: this file has no adapter 'three'",
        ),
        (
            f"{LABELS}, plugin: one,\n         adapter: one}}",
            8,
            "adapter is no key of a rule",
        ),
        (
            f"{LABELS}, plugin: one, conditions: {{\n         label: {{}}}}}}",
            8,
            "label is no key of conditions",
        ),
        (
            f"{LABELS}, plugin: one, conditions: {{\n         labels: a}}}}",
            8,
            "labels must be a mapping",
        ),
        (
            f"{LABELS}, plugin: one, conditions: {{labels: {{\n         a: [b]}}}}}}",
            8,
            "a must be text",
        ),
        (
            f"{LABELS}, plugin: one, conditions: {{labels: {{\n         a: }}}}}}",
            8,
            "a must be text",
        ),
        (
            f"{DEPLOYMENTS}, conditions: {{\n         gitOps: 1}}}}",
            8,
            "gitOps must be true or false",
        ),
        (
            f"{DEPLOYMENTS},\n         packageType: [x]}}",
            8,
            "packageType must be text",
        ),
        (
            f"{DEPLOYMENTS}}}\n      - {{name: a, priority: 1, plugin: helm}}",
            8,
            "two rules are 'a'",
        ),
        (
            f"{LABELS}, plugin: one}}\n  rules:\n    - {{{RULE},\n       name: a}}",
            10,
            "two rules are 'a'",
        ),
    ],
)
def test_a_bad_rule_is_refused_with_its_line(routing: str, line: int, said: str) -> None:
    refuse(f"{TWO}{routing}\n", line, said)


def test_a_rule_for_infrastructure_and_one_for_deployments_may_have_one_name() -> None:
    rule = "{rules: [{name: a, plugin: one, priority: 1}]}"
    found = parse(f"{TWO}routing: {{ims: {rule}, dms: {rule}}}\n").routing
    assert found.ims == found.dms


GROUP = "  - {oCloud: cloud, strategy: first, sources:"


@pytest.mark.parametrize(
    ("groups", "line", "said"),
    [
        ("  - {strategy: first, sources: [one, two]}", 5, "needs oCloud"),
        ("  - {oCloud: cloud, sources: [one, two]}", 5, "needs strategy"),
        ("  - {oCloud: cloud, strategy: first}", 5, "needs sources"),
        ("  - {oCloud: cloud, strategy: first,\n     sources: []}", 6, "needs sources"),
        ("  - {oCloud: cloud, strategy: first,\n     sources: one}", 6, "must be a list"),
        ("  - {oCloud: cloud, strategy: first, sources: [one,\n      2]}", 6, "each must be text"),
        ("  - {oCloud: cloud, sources: [one],\n     strategy: best}", 6, "there are merge, fallback, first"),
        ("  - {oCloud: cloud, strategy: first, sources: [one],\n     weight: 1}", 6, "weight is no key"),
        ("  - {oCloud: cloud, strategy: first, sources: [one,\n      three]}", 6, "has no adapter 'three'"),
        ("  - {oCloud: cloud, strategy: first, sources: [one,\n      one]}", 6, "in a group already"),
        (f"{GROUP} [two]}}\n{GROUP} [two]}}", 6, "two is in a group already"),
        (
            "  - {oCloud: other, strategy: first, sources:\n      [one]}",
            6,
            "one is of the O-Cloud 'cloud', not of 'other'",
        ),
        ("  - {oCloud: cloud, strategy: merge, sources: [one, two]}", 3, "outside a fallback or first group"),
        ("  - {oCloud: cloud, strategy: first, sources: [one]}", 3, "outside a fallback or first group"),
        ("  oCloud: cloud", 4, "must be a list"),
    ],
)
def test_a_bad_group_is_refused_with_its_line(groups: str, line: int, said: str) -> None:
    refuse(f"{PAIR}{groups}\n", line, said)


def test_a_key_made_for_a_shared_id_is_nobodys_own_id() -> None:
    group = "  - {oCloud: cloud, strategy: first, sources: [one, two]}\n"
    last = PAIR.replace("aggregation", "  - {name: three, type: mock, id: x/two}\naggregation")
    refuse(last + group, 4, "'x/two' is what two is kept under already")
    first = PAIR.replace("adapters:\n", "adapters:\n  - {name: three, type: mock, id: x/two}\n")
    refuse(first + group, 4, "'x/two' is what three is kept under already")
    refuse(PAIR.replace("id: x,", f"id: {'x' * 200},") + group, 3, "longer than 200 characters")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("&a [*a]", "contains itself"),
        ("&a {b: *a}", "contains itself"),
        ("&a {<<: *a}", "contains itself"),
        ("[" * 60 + "]" * 60, "50 levels"),
        ("[" * 500_000, "50 levels"),
        ("!!python/object/apply:os.system [ls]", "tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("!!binary aGk=", "tag 'tag:yaml.org,2002:binary'"),
        ("!!timestamp soon", "tag 'tag:yaml.org,2002:timestamp'"),
        ("!!set {a}", "tag"),
        ("!own a", "tag '!own'"),
        ("!!int ''", "cannot be read"),
        ("!!int a", "cannot be read"),
        ("!!float ''", "cannot be read"),
        ("!!bool perhaps", "cannot be read"),
        ("!!str [a]", "cannot be read"),
        ("!!map a", "cannot be read"),
        ("{<<: 1}", "expected a mapping or list of mappings for merging"),
        ("9" * 65, "a number may have 64 characters"),
        ("0x" + "f" * 5000, "a number may have 64 characters"),
        ("1" + ":59" * 5000, "a number may have 64 characters"),
        ("{? [a] : b}", "a key must be text"),
        ("*nowhere", "undefined alias"),
        (r'"\ud800"', "a character that is none"),
        (r'"\0"', "a character that is none"),
        (r'{"\ud800": 1}', "a character that is none"),
        (r'"\U00110000"', "chr() arg not in range"),
        ("a\x00b", r"it has '\x00'"),
        ("a\x1bb", r"it has '\x1b'"),
        ("\ud800", r"it has '\ud800'"),
        ("@", "is no YAML"),
        ("\ta: b", "is no YAML"),
    ],
)
def test_yaml_that_does_harm_is_refused_with_its_line(config: str, said: str) -> None:
    text = f"adapters:\n- name: a\n  type: mock\n  config: {{inner:\n    {config}}}\n"
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert said in refused.value.detail
    assert "\n" not in refused.value.detail
    assert refused.value.line == 5


def test_a_file_is_one_document() -> None:
    refuse(f"{TWO}---\na: b\n", 4, "is no YAML: but found another document")


def test_an_alias_bomb_is_refused_before_anybody_expands_it() -> None:
    for lists, link in (("[{}]", "*a{}"), ("{{<<: [{}]}}", "*a{}")):
        bomb = "  a0: &a0 {k: v}\n" + "".join(
            f"  a{n}: &a{n} {lists.format(','.join([link.format(n - 1)] * 9))}\n" for n in range(1, 12)
        )
        with pytest.raises(ConfigurationError, match="50000 values"):
            parse(f"adapters:\n- name: a\n  type: mock\n  config:\n{bomb.replace('  a', '    a')}")


def test_a_chain_of_aliases_is_as_deep_as_what_it_says() -> None:
    chain = "    a0: &a0 []\n" + "".join(f"    a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60))
    with pytest.raises(ConfigurationError, match="50 levels"):
        parse(f"adapters:\n- name: a\n  type: mock\n  config:\n{chain}")


def test_a_file_with_too_many_values_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="50000 values"):
        parse("adapters: [" + "1," * 50_001 + "]")


deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=120)


def loads_or_says_where(text: str) -> None:
    """The one property of any text."""
    try:
        assert isinstance(parse(text), Configuration)
    except ConfigurationError as error:
        assert error.detail
        assert 1 <= error.line <= len((text + ".").splitlines())
        assert "\n" not in error.detail
        str(error).encode()


NASTY = [
    *(
        "&a ",
        "*a",
        "&a [*a]",
        "<<: *a",
        "!!python/object:os.system ",
        "!!binary ",
        "!!int ",
        "!!bool ",
        "!x ",
    ),
    *(
        "9" * 70,
        "0x" + "f" * 70,
        "1:59:59",
        "2001-99-99",
        "2024-01-01",
        ".nan",
        ".inf",
        "1e999",
        "~",
        "=",
        "<<",
    ),
    *("\t", "\x00", "\x1b", "\x85", "\u2028", "\ufeff", "\ud800", r'"\ud800"', r'"\U00110000"', "é"),
    *(
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "%TAG ! x\n",
        "? ",
        "| \n",
        ">-\n",
        "[" * 60,
        "{",
        "}",
        "[",
        "]",
        ", ",
    ),
    *("\n", "\n  ", "\n    - ", ": ", "#", "'", '"', "a", "1", "true", "adapters: ", "name: ", "type: mock"),
]


@deterministic
@given(st.text(alphabet=st.sampled_from("adptersnm:ky- \n[]{}\"'&*!|>%@`#,1\t\x00é"), max_size=200))
def test_any_text_either_loads_or_is_refused(text: str) -> None:
    loads_or_says_where(text)


@deterministic
@given(st.text(max_size=200))
def test_any_characters_at_all_either_load_or_are_refused(text: str) -> None:
    loads_or_says_where(text)


@deterministic
@given(st.lists(st.sampled_from(NASTY), max_size=20))
def test_any_pieces_of_yaml_either_load_or_are_refused(pieces: list[str]) -> None:
    loads_or_says_where("".join(pieces))


@deterministic
@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_bytes_in_a_good_file_either_load_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, some: bytes, place: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    data = GOOD.encode()[:place] + some + GOOD.encode()[place:]
    path.write_bytes(data)
    try:
        assert load(path).backends
    except ConfigurationError as error:
        assert 0 <= error.line <= len((data.decode(errors="replace") + ".").splitlines())


WHOLE = (
    GOOD.replace("routing:", "  - {name: other, type: mock, id: old-name}\nrouting:")
    + """\
  ims:
    rules: [{name: a, priority: 2, plugin: sample, conditions: {labels: {a: b}, gitOps: true}}]
  dms: {rules: [{name: a, priority: 2, plugin: helm, packageType: x, resourceType: Resource}]}
aggregation:
  - oCloud: cloud-1
    strategy: first
    sources: [sample, other]
"""
)


def test_the_file_to_be_mutated_is_good() -> None:
    assert [backend.key for backend in parse(WHOLE).backends] == ["kubernetes", "old-name", "old-name/other"]


@deterministic
@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), st.sampled_from(["", *NASTY])), max_size=3
    )
)
def test_a_good_file_with_mistakes_either_loads_or_is_refused(mistakes: list[tuple[int, int, str]]) -> None:
    text = WHOLE
    for start, length, piece in mistakes:
        text = text[:start] + piece + text[start + length :]
    loads_or_says_where(text)


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**70, 10**71),
    st.floats(),
    st.dates(),
    st.binary(max_size=5),
    st.text(max_size=10),
    st.sampled_from(["mock", "kubernetes", "sample", "cloud-1", "first", "Resource", "*", "old-name"]),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(
    [*re.findall(r"(\w+):", WHOLE), "name", "filter", "ocloudId", "extensions.type", "other"]
)


def places(node: Any) -> list[Any]:
    """Every mapping and list of a document."""
    if not isinstance(node, dict | list):
        return []
    inner = node.values() if isinstance(node, dict) else node
    return [node, *(place for child in inner for place in places(child))]


@deterministic
@given(st.data())
def test_a_good_document_changed_anywhere_either_loads_or_is_refused(data: st.DataObject) -> None:
    document = yaml.safe_load(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(document)))
        if isinstance(place, list):
            place[:] = data.draw(st.permutations(place) | st.lists(_values, max_size=2))
        elif place and data.draw(st.booleans()):
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_values)
        else:
            place[data.draw(_keys)] = data.draw(_values)
    loads_or_says_where(yaml.safe_dump(document, allow_unicode=True, sort_keys=data.draw(st.booleans())))


@deterministic
@given(st.lists(st.dictionaries(_keys, _values, max_size=6), max_size=3))
def test_any_adapters_either_load_or_are_refused(adapters: list[dict[str, object]]) -> None:
    loads_or_says_where(yaml.safe_dump({"adapters": adapters}))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than"):
        load(tmp_path / "large.yaml")


def test_a_file_is_utf_8_with_or_without_its_mark(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(TWO.encode() + b"# caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"latin.yaml:4: is no UTF-8"):
        load(tmp_path / "latin.yaml")
    (tmp_path / "marked.yaml").write_text(TWO, encoding="utf-8-sig")
    assert len(load(tmp_path / "marked.yaml").backends) == 2


def test_the_file_we_ship_is_good() -> None:
    assert (
        load(Path(__file__).parent.parent.parent / "config" / "gateway.yaml").backends[0].kind == "kubernetes"
    )


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration(text).total_seconds() == seconds
