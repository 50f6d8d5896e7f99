"""A YAML file read key by key, so that every mistake is said with its line, and a key nobody reads is one.

    text ── read() ──▶ Section ── section(), sections() ──▶ Section ── text(), flag(), … ──▶ value

Only what JSON can say gets in: no other tags, and a date is text. Aliases and `<<` are welcome as long as the
file written out without them is finite and small, because what was read is compared and shown as a tree.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_DEPTH = 50
MAX_NODES = 50_000
_MAX_NUMBER = 64  # characters: what is longer cannot be shown, and takes quadratic time to read
_CORE = "tag:yaml.org,2002:"
_TAGS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
_NUMBERS = {_CORE + "int", _CORE + "float"}
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # escapes can say them; databases and UTF-8 cannot


class ConfigurationError(Exception):
    """The file cannot be used; the text says where (`path:line`, line 0: nowhere in particular) and what."""

    def __init__(self, path: Path | str, line: int, detail: str) -> None:
        super().__init__(f"{path}:{line}: {detail}")
        self.line = line
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a text may look like: `words` say what `pattern` demands of all of it."""

    pattern: re.Pattern[str]
    words: str


NAME = Spelling(
    re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z"), "use letters, digits, and . _ - inside"
)
LINE = Spelling(re.compile(r"[^\x00-\x1f]{1,200}\Z"), "use 1 to 200 characters in one line")


@dataclass(slots=True)
class Section:
    """A mapping of the file, read key by key. `what` names it in errors. Iterating gives its keys in the
    order of the file. A key whose value is null is one that is not there."""

    path: Path | str
    node: yaml.Node
    what: str
    _keys: dict[str, yaml.Node] = field(default_factory=dict)
    _nodes: dict[str, yaml.Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self.what} must be a mapping")
        try:
            yaml.SafeLoader("").flatten_mapping(self.node)
        except yaml.MarkedYAMLError as error:
            raise self._unreadable(error, "<<") from error
        for key, value in self.node.value:
            self._keys[key.value] = key
            self._nodes[key.value] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def error(self, detail: str, key: str = "") -> ConfigurationError:
        """The error to raise: at the line of `key`, or where the section begins."""
        return ConfigurationError(self.path, _line(self._keys.get(key, self.node)), detail)

    def only(self, *keys: str) -> None:
        """Refuses every key that is not among these."""
        for key in self:
            if key not in keys:
                named = key if key.isprintable() and len(key) <= 60 else shown(key)
                raise self.error(f"{named} is no key of {self.what}; there are {', '.join(keys)}", key)

    def value(self, key: str, default: Any = None) -> Any:
        """What stands there, as JSON would have it."""
        node = self._nodes.get(key)
        value = None if node is None else self._made(node, key)
        return default if value is None else value

    def text(self, key: str, default: str | None = None, *, spelling: Spelling | None = None) -> str:
        """A text; needed if there is no `default`, and not blank unless that is."""
        value = self._needed(key) if default is None else self.value(key)
        if value is None:
            return str(default)
        if not isinstance(value, str) or not (value.strip() or default == ""):
            raise self.error(f"{key} must be text", key)
        if spelling and not spelling.pattern.match(value):
            raise self.error(f"{key}: {shown(value)} is not allowed; {spelling.words}", key)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.value(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key} must be true or false", key)
        return value

    def whole(self, key: str) -> int:
        """A whole number, which is needed."""
        value = self._needed(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(f"{key} must be a whole number", key)
        return value

    def written(self, key: str) -> str:
        """A single value as it is written in the file: `1.10` stays `1.10`."""
        node = self._nodes[key]
        if not isinstance(node, yaml.ScalarNode) or self._made(node, key) is None:
            raise self.error(f"{key} must be text", key)
        return str(node.value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Anything at all under keys that are text."""
        value = self.value(key, {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise self.error(f"{key} must be a mapping with text for keys", key)
        return value

    def texts(self, key: str) -> list[tuple[str, int]]:
        """A list of texts, each with its line."""
        found = []
        for node in self._list(key):
            value = self._made(node, key)
            if not isinstance(value, str):
                raise ConfigurationError(self.path, _line(node), f"{key}: each must be text")
            found.append((value, _line(node)))
        return found

    def section(self, key: str) -> "Section | None":
        """The mapping there, if there is one."""
        node = self._nodes.get(key)
        return None if node is None or _is_null(node) else Section(self.path, node, key)

    def sections(self, key: str, what: str) -> list["Section"]:
        """The mappings of a list there; `what` is one of them."""
        return [Section(self.path, node, what) for node in self._list(key)]

    def _needed(self, key: str) -> Any:
        value = self.value(key)
        if value is None:
            raise self.error(f"{self.what} needs {key}", key)
        return value

    def _list(self, key: str) -> list[yaml.Node]:
        node = self._nodes.get(key)
        if node is None or _is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"{key} must be a list", key)
        return list(node.value)

    def _made(self, node: yaml.Node, key: str) -> Any:
        try:
            return _Loader("").construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise self._unreadable(error, key) from error

    def _unreadable(self, error: yaml.MarkedYAMLError, key: str) -> ConfigurationError:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else _line(self.node)
        return ConfigurationError(self.path, line, f"{key} cannot be read: {error.problem}")


def read(text: str, path: Path | str) -> Section:
    """The file as one section. Raises `ConfigurationError` for what is no YAML, or more YAML than is good."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise ConfigurationError(path, line, f"is no YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = len((text[: error.position] + ".").splitlines())
        raise ConfigurationError(path, line, f"is no YAML: it has {shown(text[error.position])}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape or a version out of range
        line = int(loader.line) + 1 if loader else 0  # how far it has read
        raise ConfigurationError(path, line, f"is no YAML: {error}") from error
    if root is None:
        raise ConfigurationError(path, 1, "is empty")
    _check(root, path)
    return Section(path, root, "the file")


def shown(value: object) -> str:
    """A value of the file as an error may show it: on one line, and not all of it if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


class _Loader(yaml.SafeLoader):
    """Reads no further than the limits. Dates and `=` are text, as in JSON."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if tag in _TAGS]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_NODES:
            here = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, _TOO_MUCH, here)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 PyYAML's
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError) as error:  # `!!int ''`, `!!bool maybe`
            detail = f"{shown(node.value)} is not what its tag says"
            raise yaml.constructor.ConstructorError(None, None, detail, node.start_mark) from error


_TOO_MUCH = f"the file has more than {MAX_NODES} values or {MAX_DEPTH} levels, or contains itself"


def _check(root: yaml.Node, path: Path | str) -> None:
    """Walks the file as if every alias were written out."""
    waiting = [(root, 0)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise ConfigurationError(path, _line(node), _TOO_MUCH)
        if detail := _fault(node):
            raise ConfigurationError(path, _line(node), detail)
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
            waiting += [(child, depth + 1) for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(child, depth + 1) for child in node.value]


def _fault(node: yaml.Node) -> str:
    if node.tag not in _TAGS:
        return f"the tag {shown(node.tag)} is not allowed"
    if node.tag in _NUMBERS and len(node.value) > _MAX_NUMBER:
        return f"a number may have {_MAX_NUMBER} characters"
    if isinstance(node, yaml.ScalarNode) and _NO_TEXT.search(node.value):
        return f"{shown(node.value)} is no text: it has a character that is none"
    return ""


def _check_keys(node: yaml.MappingNode, path: Path | str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigurationError(path, _line(key), "a key must be text")
        if key.value in seen:
            raise ConfigurationError(path, _line(key), f"{shown(key.value)} is here twice")
        seen.add(key.value)


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _CORE + "null")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
