"""Which backend takes a write: a pure function of the configuration and of what is wanted.

Rules are tried by priority, highest first, and among equals in the order of the file; the first that fits and
names a backend this tenant may write to decides. Then the default decides, then being the only one. The order
is total, so the same write goes to the same backend from every process. Reads are not routed: they see every
source in the tenant's scope.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.configuration import Backend, Configuration
from adapters.routing import Rule, Scalar
from adapters.types import Kind


class NoRoute(Exception):
    """No backend takes this write. The text may be shown to the tenant: it names no backend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A write: the kind of the object, the JSON body with its names as on the wire, and the tenant that asks
    (None: the platform)."""

    kind: Kind
    facts: Mapping[str, Any]
    tenant: str | None


def route(configuration: Configuration, wanted: Wanted) -> Backend:
    """The enabled backend, open to the tenant, that takes this write, whatever group it is in. Raises
    `NoRoute`."""
    candidates = {b.name: b for b in configuration.backends if _may_take(b, wanted.tenant)}
    for rule in sorted(configuration.routing.ims, key=lambda rule: -rule.priority):
        if rule.adapter in candidates and fits(rule, wanted):
            return candidates[rule.adapter]
    for backend in candidates.values():
        if backend.default or len(candidates) == 1:
            return backend
    raise NoRoute(f"no backend takes this {wanted.kind}: no rule fits it, and there is no default")


def fits(rule: Rule, wanted: Wanted) -> bool:
    """Is this write one the rule speaks of?"""
    facts = wanted.facts
    return (
        rule.kind in {None, wanted.kind}
        and all(_is_any_of(_at(facts, path), values) for path, values in rule.filter.items())
        and all(_has_label(facts, key, text) for key, text in rule.labels.items())
        and rule.git_ops in {None, facts.get("gitOps") is True}
        and rule.package_type in ("", facts.get("packageType"))
    )


def _may_take(backend: Backend, tenant: str | None) -> bool:
    return backend.enabled and (tenant is None or backend.tenant in {None, tenant})


def _at(facts: Mapping[str, Any], path: str) -> Any:
    """What the dotted path leads to, or None. The rest of a path may be one key: those of `extensions` have
    dots."""
    attribute, _, path = path.partition(".")
    found = facts.get(attribute)
    while path:
        if not isinstance(found, Mapping):
            return None
        if path in found:
            return found[path]
        key, _, path = path.partition(".")
        found = found.get(key) if path else None
    return found


def _is_any_of(found: Any, values: tuple[Scalar, ...]) -> bool:
    return any(_same(found, value) for value in values)


def _same(found: Any, value: Scalar) -> bool:
    """Equal in JSON: 1 is 1.0, but true is neither 1 nor "true"."""
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return isinstance(found, str | int | float) and found == value


def _has_label(facts: Mapping[str, Any], key: str, text: str) -> bool:
    extensions = _mapping(facts.get("extensions"))
    places = (extensions, _mapping(extensions.get("labels")), _mapping(facts.get("labels")))
    return any(key in place and _text(place[key]) == text for place in places)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
