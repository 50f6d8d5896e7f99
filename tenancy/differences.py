"""What is shown of an object before and after: the parts that differ, and each of the two as JSON."""

import json
from typing import Any

from django.utils.html import format_html, format_html_join

from api.lines import plain

WHOLE = "the whole object"


def difference(before: Any, after: Any) -> str:
    """Only what is not the same before and after (JSON; None where there is no object), as HTML."""
    if before is None or after is None:
        return WHOLE
    old, new = _leaves(before), _leaves(after)
    changed = sorted(path for path in old | new if old.get(path) != new.get(path))
    rows = ((path, old.get(path, ""), new.get(path, "")) for path in changed)
    return format_html_join("", "<p>{}: <del>{}</del> <ins>{}</ins></p>", rows) or "none"


def pretty(value: Any) -> str:
    """JSON for people, as HTML."""
    if value is None:
        return "-"
    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    return format_html("<pre>{}</pre>", "\n".join(map(plain, lines)))


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    """What is not a map in `value`, as JSON, by its path."""
    if not isinstance(value, dict):
        return {plain(path): plain(json.dumps(value, ensure_ascii=False))}
    inner = (_leaves(part, f"{path}/{key}" if path else key) for key, part in value.items())
    return {path: leaf for leaves in inner for path, leaf in leaves.items()}
