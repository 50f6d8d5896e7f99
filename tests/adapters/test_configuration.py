"""gateway.yaml either loads or is refused with the line that is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adapters.configuration import Configuration, ConfigurationError, duration, load, parse

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
    assert second.o_cloud == "cloud-1"


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
        ("adapters: {name: one}\n", 1, "must be a list"),
        ("surprise: 1\nadapters:\n  - {name: one, type: mock}\n", 1, "surprise is no key"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(text, "gateway.yaml")
    assert said in refused.value.detail
    assert refused.value.line == line
    assert str(refused.value).startswith(f"gateway.yaml:{line}: ")


@given(st.text(alphabet=st.sampled_from("adptersnm:ky- \n[]{}\"'&*!|>%@`#,1\t\x00é"), max_size=200))
def test_any_text_either_loads_or_is_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Configuration)
    except ConfigurationError as error:
        assert error.detail


_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.just("mock"))
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_keys = st.sampled_from(["name", "type", "id", "enabled", "default", "tenant", "shared", "config", "other"])


@given(st.lists(st.dictionaries(_keys, _values, max_size=6), max_size=3))
def test_any_adapters_either_load_or_are_refused(adapters: list[dict[str, object]]) -> None:
    try:
        found = parse(yaml.safe_dump({"adapters": adapters}))
    except ConfigurationError as error:
        assert error.line >= 0
    else:
        assert len(found.backends) == len(adapters)


def test_a_bomb_of_aliases_is_refused_or_small() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    with pytest.raises(ConfigurationError):
        parse(bomb)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than"):
        load(tmp_path / "large.yaml")


def test_the_file_we_ship_is_good() -> None:
    assert (
        load(Path(__file__).parent.parent.parent / "config" / "gateway.yaml").backends[0].kind == "kubernetes"
    )


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration(text).total_seconds() == seconds
