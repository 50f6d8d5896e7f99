"""JSON on one line, whatever is in it: one line is one record, and looks like what it says.

JSON may hold as they are: the line separators U+0085, U+2028 and U+2029, marks that turn the direction of
what follows, and other characters that nobody sees. Here they are escaped, which means the same to whoever
reads the JSON.
"""

import json


def plain(text: str) -> str:
    """The same JSON in printable characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1]
