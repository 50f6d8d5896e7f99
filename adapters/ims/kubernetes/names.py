"""The names of what we make: one that Kubernetes takes, free or made so, and the one that was asked for."""

import hashlib
import re
from collections.abc import Iterator

from adapters.errors import Invalid

_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_PART}(\.{_PART})*")
#: Machines get a suffix, and a selector is a label's value.
_LIMIT = 63
_TRIES = 4
_HASH = 8


def check(source: str, name: str) -> None:
    """Raises `Invalid` for a name that no object can have."""
    if not _NAME.fullmatch(name) or len(name) > _LIMIT:
        raise Invalid(
            source,
            f"a name is 1 to {_LIMIT} lower-case letters, digits, '-' and '.', and begins and ends with a"
            " letter or digit",
            pointer="/name",
        )


def candidates(name: str, owner: str | None) -> Iterator[str]:
    """The names to try for what `owner` calls `name`: that one, and then, because somebody else's object may
    have it, some that only depend on both: a repeat tries the same."""
    yield name
    for number in range(1, _TRIES):
        digest = hashlib.sha256(f"{number} {owner or ''} {name}".encode()).hexdigest()[:_HASH]
        yield f"{name[: _LIMIT - _HASH - 1].rstrip('-.')}-{digest}"


def pointer(*parts: str) -> str:
    """A JSON pointer."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)
