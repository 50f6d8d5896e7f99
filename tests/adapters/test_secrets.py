"""References to secrets are resolved, and never shown."""

from pathlib import Path

import pytest

from adapters.errors import Misconfigured
from adapters.secrets import resolve


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWEAVE_TEST", "hidden")
    monkeypatch.setenv("NETWEAVE_EMPTY", "")
    monkeypatch.delenv("NETWEAVE_NONE", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("env:NETWEAVE_TEST", "hidden"),
        ("${NETWEAVE_TEST}", "hidden"),
        ("a-${NETWEAVE_TEST}-${NETWEAVE_TEST}", "a-hidden-hidden"),
        ("${NETWEAVE_NONE:-default}", "default"),
        ("${NETWEAVE_EMPTY:-default}", "default"),
        ("${NETWEAVE_NONE:-}", ""),
        ("${NETWEAVE_TEST:-default}", "hidden"),
        ("plain", "plain"),
        ("", ""),
        ("$NETWEAVE_TEST", "$NETWEAVE_TEST"),
        ("${not a name}", "${not a name}"),
    ],
)
def test_what_a_text_stands_for(text: str, value: str) -> None:
    assert resolve("lab", text) == value


@pytest.mark.parametrize("text", ["env:NETWEAVE_NONE", "env:NETWEAVE_EMPTY", "${NETWEAVE_NONE}"])
def test_what_is_missing_is_named(text: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        resolve("lab", text)
    assert str(raised.value) == f"lab: the secret {text} is not set"


def test_a_missing_one_beside_one_that_is_there_does_not_show_that() -> None:
    with pytest.raises(Misconfigured) as raised:
        resolve("lab", "${NETWEAVE_TEST}:${NETWEAVE_NONE}")
    assert "hidden" not in str(raised.value)


def test_a_file_is_its_text_without_the_last_line_break(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("one\ntwo\n")
    assert resolve("lab", f"file:{path}") == "one\ntwo"


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), (b"\n", "is empty"), (b"\xff", "cannot be read")]
)
def test_a_file_that_gives_nothing_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as raised:
        resolve("lab", f"file:{path}")
    assert str(raised.value) == f"lab: the secret file:{path} {says}"
