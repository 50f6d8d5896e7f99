"""Groups of sources: how several adapters of one O-Cloud are read as one. `aggregation:` in `gateway.yaml`.

aggregation:
  - {oCloud: ocloud-1, strategy: fallback, sources: [primary, standby]}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapters.yamlsection import LINE, ConfigurationError, Section, shown


class Strategy(StrEnum):
    """How the sources of a group are read."""

    MERGE = "merge"  # all of them, each thing once
    FALLBACK = "fallback"  # the first healthy one, in the group's order
    FIRST = "first"  # the one whose last successful read is freshest

    @property
    def takes_turns(self) -> bool:
        """Is one source read at a time? Then its sources stand for the same things, and may share ids."""
        return self is not Strategy.MERGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sources of one O-Cloud that are read together: names of adapters, in the order given."""

    o_cloud: str
    strategy: Strategy
    sources: tuple[str, ...]


def groups(sections: list[Section], o_clouds: Mapping[str, str]) -> tuple[Group, ...]:
    """The groups under `aggregation:`. `o_clouds` maps the name of each adapter to its O-Cloud. Raises
    `ConfigurationError`."""
    taken: set[str] = set()
    return tuple(_group(section, o_clouds, taken) for section in sections)


def _group(section: Section, o_clouds: Mapping[str, str], taken: set[str]) -> Group:
    section.only("oCloud", "strategy", "sources")
    o_cloud = section.text("oCloud", spelling=LINE)
    strategy = section.text("strategy")
    if strategy not in list(Strategy):
        there = ", ".join(Strategy)
        raise section.error(f"strategy: {shown(strategy)} is none; there are {there}", "strategy")
    sources = section.texts("sources")
    if not sources:
        raise section.error("a group needs sources", "sources")
    for name, line in sources:
        if fault := _fault(name, o_cloud, o_clouds, taken):
            raise ConfigurationError(section.path, line, f"sources: {fault}")
        taken.add(name)
    return Group(o_cloud=o_cloud, strategy=Strategy(strategy), sources=tuple(name for name, _ in sources))


def _fault(name: str, o_cloud: str, o_clouds: Mapping[str, str], taken: set[str]) -> str:
    if name not in o_clouds:
        return f"this file has no adapter {shown(name)}"
    if o_clouds[name] != o_cloud:
        return f"{name} is of the O-Cloud {shown(o_clouds[name])}, not of {shown(o_cloud)}"
    if name in taken:
        return f"{name} is in a group already"
    return ""
