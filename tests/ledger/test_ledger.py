"""The checker: it believes a right ledger, and finds each way in which one can be wrong, and where."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.checker import check
from tests.ledger.receipt import NotALedgerError
from tests.ledger.spoiled import (
    AGREED,
    SEVERAL,
    WRONG,
    again,
    killed,
    lost,
)
from tests.ledger.written import Ledger, right, write


def broken(tmp_path: Path, records: Ledger) -> dict[str, list[str]]:
    """The messages by property, of those that are broken."""
    verdicts = check(write(tmp_path / "ledger", records))
    assert [verdict.name.partition(" ")[0] for verdict in verdicts] == [f"P{n}" for n in range(1, 11)]
    return {verdict.name.partition(" ")[0]: verdict.messages for verdict in verdicts if verdict.broken}


def test_a_right_ledger_holds(tmp_path: Path) -> None:
    assert broken(tmp_path, right()) == {}


@pytest.mark.parametrize(("spoil", "number", "message"), WRONG)
def test_what_is_wrong_is_found_and_shown(
    tmp_path: Path, spoil: Callable[[Ledger], None], number: str, message: str
) -> None:
    records = right()
    spoil(records)
    found = broken(tmp_path, records)
    assert any(message in each for each in found.get(number, [])), found
    if spoil not in SEVERAL:
        assert set(found) == {number}


def test_every_property_has_a_ledger_that_breaks_it() -> None:
    assert {number for _, number, _ in WRONG} == {f"P{n}" for n in range(1, 11)}


@pytest.mark.parametrize("happen", AGREED)
def test_what_is_as_agreed_is_not_wrong(tmp_path: Path, happen: Callable[[Ledger], None]) -> None:
    records = right()
    happen(records)
    assert broken(tmp_path, records) == {}


def test_one_duplicate_more_than_a_kill_allows_is_found(tmp_path: Path) -> None:
    records = right()
    killed(records)
    again(records, "root-6")
    assert set(broken(tmp_path, records)) == {"P3"}


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", "{}", '{"what":"weather"}', '{"what":"change"}', '{"what":"received","body":1}'],
)
def test_what_is_no_record_is_said_with_its_line(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "ledger", right()[:3])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(NotALedgerError, match="line 4"):
        check(path)


@pytest.mark.parametrize(("spoil", "status"), [(None, 0), (lost, 1)])
def test_the_command_says_it_and_exits_with_it(tmp_path: Path, spoil: Any, status: int) -> None:
    records = right()
    if spoil:
        spoil(records)
    path = write(tmp_path / "ledger", records)
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("P")]
    assert len(lines) == 10
    assert lines[0] == "P1 nothing lost: " + ("BROKEN 1 times" if spoil else "holds")
    assert ("never reached" in done.stdout) is bool(spoil)


def test_a_file_that_is_no_ledger_exits_with_2(tmp_path: Path) -> None:
    for path in (tmp_path / "none", write(tmp_path / "other", [{"what": "else"}])):
        done = subprocess.run(
            [sys.executable, "-m", "tests.ledger", path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "no ledger" in done.stderr
