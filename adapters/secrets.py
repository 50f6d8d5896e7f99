"""References to secrets, as the configuration has them: resolved when a backend connects, never shown.

env:NAME      the environment variable NAME
file:/path    the file's text without its last line break
…${NAME}…     the environment variable NAME inside a text; ${NAME:-default} if it may be missing
"""

import os
import re
from pathlib import Path

from adapters.errors import Misconfigured

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_FILE_LIMIT = 1024 * 1024


def resolve(source: str, text: str) -> str:
    """What `text` stands for; a text that is no reference is itself. A missing one is `Misconfigured`, naming
    the reference."""
    if text.startswith("env:"):
        return _variable(source, text.removeprefix("env:"), text)
    if text.startswith("file:"):
        return _file(source, text)
    return _VARIABLE.sub(lambda found: _variable(source, found[1], found[0], found[2]), text)


def _variable(source: str, name: str, reference: str, default: str | None = None) -> str:
    value = os.environ.get(name)
    if value:
        return value
    if default is not None:
        return default
    raise Misconfigured(source, f"the secret {reference} is not set")


def _file(source: str, reference: str) -> str:
    try:
        with Path(reference.removeprefix("file:")).open(encoding="utf-8") as file:
            value = file.read(_FILE_LIMIT)
    except (OSError, ValueError) as error:
        raise Misconfigured(source, f"the secret {reference} cannot be read") from error
    if not value.strip():
        raise Misconfigured(source, f"the secret {reference} is empty")
    return value.rstrip("\r\n")
