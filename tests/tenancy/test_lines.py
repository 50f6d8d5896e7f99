"""T33: whoever writes something that looks like another line, or like nothing, is in the trail, the exports
and the log with one record that shows what it is."""

import csv
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from netweave.logs import configure
from tenancy.audit import waiting
from tenancy.differences import difference, pretty
from tenancy.exports import written
from tenancy.tables import CSV, JSON_LINES
from tenancy.trail import AuditEntry
from tests.world import Cast

Call = Callable[..., Any]
HOSTILE = {
    "a line feed": '\n{"forged":1}',
    "a carriage return": "\r\n2026,forged",
    "a next line": "\x85forged",
    "a line separator": "\u2028forged",
    "a paragraph separator": "\u2029forged",
    "a form feed": "\x0bforged\x0c\x1c\x1d\x1e",
    "a terminal's red": "\x1b[31mforged\x1b[2K\x1b[1A",
    "a bell and a backspace": "\x07\x08\x08\x7f",
    "the other direction": "\u202egpj.exe\u2066\u2069",
    "nothing to be seen": "\u200b\u200d\ufeff\u2060\U000e0041",
}


@pytest.fixture(params=HOSTILE.values(), ids=list(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> Iterator[str]:
    waiting.__init__()  # type: ignore[misc]
    yield f"a{request.param}b"
    waiting.__init__()  # type: ignore[misc]


def test_one_entry_is_one_line_in_every_export(cast: Cast, call: Call, edit: Call, hostile: str) -> None:
    told = {"X-Audit-Reason": hostile.encode().decode("latin-1")}
    call("alice", f"/o2ims/v1/{quote(hostile)}", method="DELETE", headers=told)
    assert (
        edit("root", "PATCH", "/admin/v1/tenants/acme", {"metadata": {hostile: hostile}}).status_code == 200
    )
    waiting.flush()
    rows = AuditEntry.objects.exclude(action="read")
    assert rows.count() == 2
    for entry in rows:
        assert (entry.path + entry.reason).isprintable()
    as_json = b"".join(written(rows, JSON_LINES)).decode()
    as_csv = b"".join(written(rows, CSV)).decode()
    changed, _ = [json.loads(line) for line in as_json.splitlines()]
    assert changed["after"]["metadata"] == {hostile: hostile}  # it means the same
    assert len(list(csv.DictReader(io.StringIO(as_csv)))) == 2
    assert [len(as_csv.splitlines()), as_csv.replace("\r\n", "").isprintable()] == [3, True]
    assert as_json.replace("\n", "").isprintable()


def test_one_event_is_one_line_of_the_log(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure(level="INFO")
        logging.getLogger("somebody").info("request %s", hostile)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert json.loads(line)["event"] == f"request {hostile}"


def test_a_difference_shows_what_nobody_sees(hostile: str) -> None:
    shown = pretty({hostile: hostile}) + difference({hostile: 1}, {hostile: hostile})
    assert shown.replace("\n", "").isprintable()
