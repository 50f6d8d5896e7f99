"""Settings: from NAME or a file, and a wrong one stops the start with its name."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from netweave import environment as env


def test_a_setting_comes_from_its_name_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THING", "direct")
    assert env.text("THING") == "direct"
    (tmp_path / "thing").write_text("from a file\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "thing"))
    assert env.text("THING") == "from a file"
    assert env.text("OTHER_THING", "default") == "default"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("maybe", env.flag),
        ("200", lambda name: env.rate(name, "0")),
        ("/nowhere/issuers.yaml", env.jwt_issuers),
        ("soon", lambda name: env.duration(name, "1s")),
        ("mysql://x/y", lambda name: env.database(name, env.text(name))),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, value: str, read: object) -> None:
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match="THING"):
        read("THING")  # type: ignore[operator]


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="NO_SUCH_THING is not set"):
        env.text("NO_SUCH_THING")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match="THING_FILE: cannot read"):
        env.text("THING")


def test_a_database_url_is_taken_apart() -> None:
    found = env.database("X", "postgresql://us%40er:p%2Fw@db.example:6432/net?sslmode=verify-full")
    assert [found[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        "us@er",
        "p/w",
        "db.example",
        "6432",
        "net",
    ]
    options = found["OPTIONS"]
    assert isinstance(options, dict)
    assert (options["connect_timeout"], options["sslmode"]) == (5, "verify-full")


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret/w@h:5432/d", "postgresql://u:secret@h:port/d", "postgresql://u:secret@h"]
)
def test_a_wrong_url_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        env.database("DATABASE_URL", url)
    assert "DATABASE_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_flags_names_and_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("1", True), ("Yes", True), ("0", False), ("", False)):
        monkeypatch.setenv("THING", value)
        assert env.flag("THING") is expected
    monkeypatch.setenv("THING", "a, b,,c")
    assert env.names("THING") == ["a", "b", "c"]
    monkeypatch.setenv("THING", "10m")
    assert env.duration("THING", "1s") == timedelta(minutes=10)
