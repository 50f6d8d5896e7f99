"""Routing rules: which adapter of `gateway.yaml` takes what. Read here, applied by `adapters/router.py`.

There are two forms, and a file may have both:

    routing:
      rules:          # by the kind of object and the attributes in the body
        - {resourceType: ResourcePool, filter: {extensions.type: bare-metal}, adapter: dtias, priority: 10}
      ims:            # by labels; `dms` has the same for deployments, which a later release routes
        rules:
          - name: edge
            priority: 95
            plugin: dtias-edge
            conditions: {labels: {infrastructure.type: bare-metal}}
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.types import Kind
from adapters.yamlsection import LINE, NAME, Section, Spelling, shown

Scalar: TypeAlias = str | int | float | bool

_ANY = "*"
_PATH = Spelling(re.compile(r"(?=.{1,200}\Z)[^.\s]+(\.[^.\s]+)*\Z"), "use attributes with dots between them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What fits all that is said here goes to the adapter named `adapter` (it may be disabled).

    `kind` None: any. `filter`: a dotted path into the body to the values of which it must have one.
    `labels`: texts the body must have. `git_ops` None and `package_type` '': not asked. `name` may be ''.
    """

    adapter: str
    priority: int
    name: str = ""
    kind: Kind | None = None
    filter: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    git_ops: bool | None = None
    package_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """All rules, each list in the order of the file: `ims` for infrastructure, `dms` for deployments."""

    ims: tuple[Rule, ...] = ()
    dms: tuple[Rule, ...] = ()


def routing(section: Section | None, adapters: Collection[str]) -> Routing:
    """The rules under `routing:`. `adapters` are the names an infrastructure rule may send to; those of
    `dms` rules are not of this file. Raises `ConfigurationError`."""
    if section is None:
        return Routing()
    section.only("rules", "ims", "dms")
    entries: dict[str, list[tuple[Section, Rule]]] = {"ims": [], "dms": []}
    for key in section:  # in the file's order, which decides between rules of one priority
        if key == "rules":
            entries["ims"] += [(entry, _by_kind(entry)) for entry in section.sections("rules", "a rule")]
        elif role := section.section(key):
            role.only("rules")
            entries[key] += [(entry, _by_label(entry)) for entry in role.sections("rules", "a rule")]
    for entry, rule in entries["ims"]:
        if rule.adapter not in adapters:
            key = "adapter" if "adapter" in entry else "plugin"
            raise entry.error(f"{key}: this file has no adapter {shown(rule.adapter)}", key)
    return Routing(ims=_named_once(entries["ims"]), dms=_named_once(entries["dms"]))


def _named_once(entries: list[tuple[Section, Rule]]) -> tuple[Rule, ...]:
    seen: set[str] = set()
    for entry, rule in entries:
        if rule.name and rule.name in seen:
            raise entry.error(f"name: two rules are {shown(rule.name)}", "name")
        seen.add(rule.name)
    return tuple(rule for _, rule in entries)


def _by_kind(entry: Section) -> Rule:
    entry.only("name", "resourceType", "filter", "adapter", "priority")
    return Rule(
        adapter=entry.text("adapter", spelling=NAME),
        priority=entry.whole("priority"),
        name=entry.text("name", "", spelling=LINE),
        kind=_kind(entry, entry.text("resourceType")),
        filter=_filter(entry.section("filter")),
    )


def _by_label(entry: Section) -> Rule:
    entry.only("name", "resourceType", "packageType", "conditions", "plugin", "priority")
    labels, git_ops = _conditions(entry.section("conditions"))
    return Rule(
        adapter=entry.text("plugin", spelling=NAME),
        priority=entry.whole("priority"),
        name=entry.text("name", spelling=LINE),
        kind=_kind(entry, entry.text("resourceType", _ANY)),
        labels=labels,
        git_ops=git_ops,
        package_type=entry.text("packageType", "", spelling=LINE),
    )


def _conditions(section: Section | None) -> tuple[dict[str, str], bool | None]:
    if section is None:
        return {}, None
    section.only("labels", "gitOps")
    labels = section.section("labels")
    return (
        {key: labels.written(key) for key in labels} if labels else {},
        None if section.value("gitOps") is None else section.flag("gitOps", default=False),
    )


def _kind(entry: Section, text: str) -> Kind | None:
    if text == _ANY:
        return None
    if text not in list(Kind):
        there = ", ".join([*Kind, _ANY])
        raise entry.error(f"resourceType: {shown(text)} is none; there are {there}", "resourceType")
    return Kind(text)


def _filter(section: Section | None) -> dict[str, tuple[Scalar, ...]]:
    return {path: _any_of(section, path) for path in section} if section else {}


def _any_of(section: Section, path: str) -> tuple[Scalar, ...]:
    if not _PATH.pattern.match(path):
        raise section.error(f"filter: {shown(path)} is not allowed; {_PATH.words}", path)
    value = section.value(path)
    wanted = tuple(value) if isinstance(value, list) else (value,)
    if not wanted or not all(map(_is_scalar, wanted)):
        raise section.error(f"{path} must be text, a number, true or false, or a list of them", path)
    return wanted


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
