"""`gateway.yaml`: which backends there are, what they are called, whose they are, which of them takes a write
(`routing`), and which are read as one (`aggregation`). Validated with the line that is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.aggregation import Group, groups
from adapters.routing import Routing, routing
from adapters.yamlsection import LINE, NAME, ConfigurationError, Section, Spelling, read, shown

__all__ = ["Backend", "Configuration", "ConfigurationError", "OCloud", "duration", "load", "parse"]

MAX_BYTES = 1024 * 1024
MAX_KEY = 200
_POLL = timedelta(seconds=30)
_TENANT = Spelling(
    re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"), "use small letters, digits, and - inside"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class OCloud:
    """The O-Cloud this gateway is: `oCloud:` at the top of the file."""

    id: str
    global_cloud_id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One entry of `adapters:`.

    `key` is whom its row belongs to: unique, and it never changes. `shared_id` is the `id:` of an adapter
    before it, if it shares that one (their group reads one of them at a time), else ''. `tenant` owns what
    carries no label; `poll` is how often a backend that cannot be watched is listed.
    """

    name: str
    kind: str
    key: str
    shared_id: str = ""
    enabled: bool
    default: bool
    tenant: str | None
    shared: bool
    o_cloud: str
    poll: timedelta
    config: Mapping[str, Any]

    @property
    def ids(self) -> str:
        """What the ids of its objects are made with (`adapters.types.object_id`): `id:`, else its name."""
        return self.shared_id or self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole file. `backends` and `aggregation` keep the file's order."""

    o_cloud: OCloud
    backends: tuple[Backend, ...]
    routing: Routing = field(default_factory=Routing)
    aggregation: tuple[Group, ...] = ()

    def group_of(self, name: str) -> Group | None:
        """The group that the adapter of this name is read in, if it is in one."""
        return next((group for group in self.aggregation if name in group.sources), None)


def duration(text: str) -> timedelta:
    """A length of time such as `500ms`, `30s` or `10m`. Raises `ValueError`."""
    if not (match := _DURATION.match(str(text))):
        raise ValueError(f"{shown(text)} is no length of time such as 500ms, 30s or 10m")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{shown(text)} is longer than any time") from error


def load(path: Path) -> Configuration:
    """Reads and checks the file. Raises `ConfigurationError` naming the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(path, 0, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError(path, 0, f"is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(path, line, f"is no UTF-8: {error.reason}") from error
    return parse(text, path)


def parse(text: str, path: Path | str = "gateway.yaml") -> Configuration:
    """Checks the text of a configuration. Raises `ConfigurationError` naming the line."""
    root = read(text, path)
    root.only("oCloud", "adapters", "routing", "aggregation")
    entries = root.sections("adapters", "an adapter")
    if not entries:
        raise root.error("adapters: at least one is needed", "adapters")
    o_cloud = _o_cloud(root.section("oCloud"), entries)
    backends = [_backend(entry, o_cloud.id) for entry in entries]
    _check_names(entries, backends)
    aggregation = groups(
        root.sections("aggregation", "a group"), {backend.name: backend.o_cloud for backend in backends}
    )
    return Configuration(
        o_cloud=o_cloud,
        backends=_keyed(entries, backends, aggregation),
        routing=routing(root.section("routing"), {backend.name for backend in backends}),
        aggregation=aggregation,
    )


def _check_names(entries: list[Section], backends: list[Backend]) -> None:
    seen: set[str] = set()
    default = False
    for entry, backend in zip(entries, backends, strict=True):
        if backend.name in seen:
            raise entry.error(f"name: two adapters are {backend.name!r}", "name")
        if backend.default and default:
            raise entry.error("default: only one adapter can be the default", "default")
        seen.add(backend.name)
        default = default or backend.default


def _keyed(
    entries: list[Section], backends: list[Backend], aggregation: tuple[Group, ...]
) -> tuple[Backend, ...]:
    """The backends, those that share the `id:` of one before them under keys of their own. No other id may be
    there twice."""
    first: dict[str, Backend] = {}
    keyed: dict[str, Backend] = {}
    for entry, given in zip(entries, backends, strict=True):
        earlier = first.setdefault(given.key, given)
        backend = given if earlier is given else _sharing(entry, given, earlier, aggregation)
        if backend.key in keyed:
            other = keyed[backend.key].name
            raise entry.error(f"id: {shown(backend.key)} is what {other} is kept under already", "id")
        keyed[backend.key] = backend
    return tuple(keyed.values())


def _sharing(entry: Section, given: Backend, earlier: Backend, aggregation: tuple[Group, ...]) -> Backend:
    pair = {given.name, earlier.name}
    if not any(group.strategy.takes_turns and pair <= set(group.sources) for group in aggregation):
        raise entry.error(f"id: two adapters are {shown(given.key)} outside a fallback or first group", "id")
    key = f"{given.key}/{given.name}"
    if len(key) > MAX_KEY:
        raise entry.error(f"id: {shown(key)} is longer than {MAX_KEY} characters", "id")
    return replace(given, key=key, shared_id=given.key)


def _o_cloud(section: Section | None, entries: list[Section]) -> OCloud:
    if section is None:
        default = next((entry for entry in entries if entry.value("default") is True), entries[0])
        id_ = _cloud_id(default) or "netweave"
        return OCloud(id=id_, global_cloud_id=id_, name=id_, description="")
    section.only("id", "globalCloudId", "name", "description")
    id_ = section.text("id", spelling=LINE)
    return OCloud(
        id=id_,
        global_cloud_id=section.text("globalCloudId", id_),
        name=section.text("name", id_),
        description=section.text("description", ""),
    )


def _cloud_id(entry: Section) -> str:
    """`ocloudId` of the adapter, or of its config; '' if neither has one."""
    config = entry.section("config")
    inner = config.text("ocloudId", "", spelling=LINE) if config else ""
    outer = entry.text("ocloudId", inner, spelling=LINE)
    if inner and inner != outer:
        raise entry.error(f"ocloudId is not the {shown(inner)} that config.ocloudId says", "ocloudId")
    return outer


def _backend(entry: Section, o_cloud: str) -> Backend:
    entry.only("name", "type", "id", "ocloudId", "enabled", "default", "tenant", "shared", "config")
    name = entry.text("name", spelling=NAME)
    return Backend(
        name=name,
        kind=entry.text("type", spelling=NAME),
        key=entry.text("id", name, spelling=LINE),
        enabled=entry.flag("enabled", default=True),
        default=entry.flag("default", default=False),
        tenant=entry.text("tenant", "", spelling=_TENANT) or None,
        shared=entry.flag("shared", default=False),
        o_cloud=_cloud_id(entry) or o_cloud,
        poll=_poll(entry.section("config")),
        config=entry.mapping("config"),
    )


def _poll(config: Section | None) -> timedelta:
    if config is None:
        return _POLL
    try:
        poll = duration(config.value("poll", "30s"))
    except ValueError as error:
        raise config.error(f"config.poll: {error}", "poll") from error
    if poll < timedelta(milliseconds=100):
        raise config.error("config.poll must be 100ms or more", "poll")
    return poll
