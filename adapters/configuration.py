"""`gateway.yaml`: which backends there are, what they are called, and whose they are. Validated with the
line that is wrong."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_KEY = re.compile(r"[^\x00-\x1f]{1,200}\Z")
_TENANT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
MAX_BYTES = 1024 * 1024


class ConfigurationError(Exception):
    """The file cannot be used; the text says where (`path:line`) and what."""

    def __init__(self, path: Path | str, line: int, detail: str) -> None:
        super().__init__(f"{path}:{line}: {detail}")
        self.line = line
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class OCloud:
    """The O-Cloud this gateway is: `oCloud:` at the top of the file."""

    id: str
    global_cloud_id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One entry of `adapters:`. `key` makes the ids of its objects and never changes; `tenant` owns what
    carries no label;
    `poll` is how often a backend that cannot be watched is listed."""

    name: str
    kind: str
    key: str
    enabled: bool
    default: bool
    tenant: str | None
    shared: bool
    o_cloud: str
    poll: timedelta
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole file. `backends` keep the file's order."""

    o_cloud: OCloud
    backends: tuple[Backend, ...]


def duration(text: str) -> timedelta:
    """A length of time such as `500ms`, `30s` or `10m`. Raises `ValueError`."""
    if not (match := _DURATION.match(str(text))):
        raise ValueError(f"{text!r} is no length of time such as 500ms, 30s or 10m")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def load(path: Path) -> Configuration:
    """Reads and checks the file. Raises `ConfigurationError` naming the line."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(path, 0, f"cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise ConfigurationError(path, 0, f"is larger than {MAX_BYTES} bytes")
    return parse(text.decode("utf-8", "replace"), path)


def parse(text: str, path: Path | str = "gateway.yaml") -> Configuration:
    """Checks the text of a configuration. Raises `ConfigurationError` naming the line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationError(
            path, mark.line + 1 if mark else 0, f"is no YAML: {error.problem}"
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(path, 0, f"is no YAML: {error}") from error
    if root is None:
        raise ConfigurationError(path, 1, "is empty")
    return _configuration(_Section(path, root, "the file"))


@dataclass(slots=True)
class _Section:
    """A mapping of the file, read key by key, so that what nobody read is an error at its line."""

    path: Path | str
    node: yaml.Node
    what: str
    _nodes: dict[str, yaml.Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self.what} must be a mapping")
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(
                    self.path, key.start_mark.line + 1, f"{self.what}: a key must be text"
                )
            if key.value in self._nodes:
                raise ConfigurationError(self.path, key.start_mark.line + 1, f"{key.value} is here twice")
            self._nodes[key.value] = value

    def error(self, detail: str, key: str = "") -> ConfigurationError:
        node = self._nodes.get(key, self.node)
        return ConfigurationError(self.path, node.start_mark.line + 1, detail)

    def only(self, *keys: str) -> None:
        for key in self._nodes:
            if key not in keys:
                raise self.error(f"{key} is no key of {self.what}; there are {', '.join(keys)}", key)

    def text(self, key: str, default: str | None = None, pattern: re.Pattern[str] | None = None) -> str:
        value = self.value(key, default)
        if value is None:
            raise self.error(f"{self.what} needs {key}")
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} must be text", key)
        if pattern and not pattern.match(value):
            raise self.error(
                f"{key}: {value!r} is not allowed; use letters, digits, - (and ., _ in names)", key
            )
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.value(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key} must be true or false", key)
        return value

    def value(self, key: str, default: Any = None) -> Any:
        node = self._nodes.get(key)
        if node is None:
            return default
        try:
            loader = yaml.SafeLoader("")
            value = loader.construct_document(node)
        except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
            raise self.error(f"{key} cannot be read: {error}", key) from error
        return default if value is None else value

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.value(key, {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise self.error(f"{key} must be a mapping with text for keys", key)
        return value

    def section(self, key: str) -> "_Section | None":
        node = self._nodes.get(key)
        return None if node is None else _Section(self.path, node, key)

    def sections(self, key: str, what: str) -> list["_Section"]:
        node = self._nodes.get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"{key} must be a list", key)
        return [_Section(self.path, item, what) for item in node.value]


def _configuration(root: _Section) -> Configuration:
    root.only("oCloud", "adapters", "routing")
    if root.mapping("routing"):
        root.section("routing")  # no key twice; what the rules mean is the router's
    entries = root.sections("adapters", "an adapter")
    if not entries:
        raise root.error("adapters: at least one is needed", "adapters")
    o_cloud = _o_cloud(root.section("oCloud"), entries)
    backends = tuple(_backend(entry, o_cloud.id) for entry in entries)
    for what, of in (("name", lambda b: b.name), ("id", lambda b: b.key)):
        _unique(entries, backends, what, of)
    defaults = [entry for entry, backend in zip(entries, backends, strict=True) if backend.default]
    if len(defaults) > 1:
        raise defaults[1].error("default: only one adapter can be the default", "default")
    return Configuration(o_cloud=o_cloud, backends=backends)


def _unique(
    entries: list[_Section], backends: tuple[Backend, ...], what: str, of: Callable[[Backend], str]
) -> None:
    seen: set[str] = set()
    for entry, backend in zip(entries, backends, strict=True):
        if of(backend) in seen:
            raise entry.error(f"{what}: two adapters are {of(backend)!r}", what)
        seen.add(of(backend))


def _o_cloud(section: _Section | None, entries: list[_Section]) -> OCloud:
    if section is None:
        default = next((entry for entry in entries if entry.value("default") is True), entries[0])
        id_ = _cloud_id(default, default.mapping("config")) or "netweave"
        return OCloud(id=id_, global_cloud_id=id_, name=id_, description="")
    section.only("id", "globalCloudId", "name", "description")
    id_ = section.text("id", pattern=_KEY)
    return OCloud(
        id=id_,
        global_cloud_id=section.text("globalCloudId", id_),
        name=section.text("name", id_),
        description=str(section.value("description", "")),
    )


def _cloud_id(entry: _Section, config: Mapping[str, Any]) -> str:
    found = str(config.get("ocloudId") or "")
    if found and not _KEY.match(found):
        raise entry.error("config.ocloudId must be 1 to 200 characters in one line", "config")
    return found


def _backend(entry: _Section, o_cloud: str) -> Backend:
    entry.only("name", "type", "id", "enabled", "default", "tenant", "shared", "config")
    name = entry.text("name", pattern=_NAME)
    config = entry.mapping("config")
    tenant = entry.value("tenant")
    if tenant is not None:
        tenant = entry.text("tenant", pattern=_TENANT)
    try:
        poll = duration(config.get("poll", "30s"))
    except ValueError as error:
        raise entry.error(f"config.poll: {error}", "config") from error
    if poll < timedelta(milliseconds=100):
        raise entry.error("config.poll must be 100ms or more", "config")
    return Backend(
        name=name,
        kind=entry.text("type", pattern=_NAME),
        key=entry.text("id", name, pattern=_KEY),
        enabled=entry.flag("enabled", default=True),
        default=entry.flag("default", default=False),
        tenant=tenant,
        shared=entry.flag("shared", default=False),
        o_cloud=_cloud_id(entry, config) or o_cloud,
        poll=poll,
        config=config,
    )
