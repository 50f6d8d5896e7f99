"""`manage.py receive_webhooks` as a process: what it prints, how it answers, how it is stopped."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.error import HTTPError

import pytest
from cryptography import x509
from django.core.management import call_command
from django.core.management.base import CommandError

import netweave
from subscriptions.management.commands.receive_webhooks import Command
from subscriptions.signing import headers, new_secret
from tests.certificates import Authority, client

ROOT = Path(netweave.__file__).parent.parent
SECRET = new_secret()
BODY = b'{"notificationEventType":0,"postObjectState":{"resourceId":"r-1","name":"node-1"}}'


@contextmanager
def running(*options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The listener's URL and its process, which is stopped in the end and must have stopped well."""
    command = [sys.executable, "manage.py", "receive_webhooks", "--port", "0", *options]
    nothing = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with subprocess.Popen(
        command, cwd=ROOT, env=nothing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            assert said.startswith("listening on "), said
            yield said.split()[-1], process
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def post(url: str, number: int = 1, *, trusted: ssl.SSLContext | None = None) -> int:
    given = {**headers([SECRET], f"w{number}", int(time.time()), BODY), "o2-sequence": str(number)}
    request = urllib.request.Request(url, BODY, given)
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_it_verifies_prints_and_answers() -> None:
    with running("--secret", SECRET) as (url, process):
        assert post(url) == 204
        assert line(process)[12:] == " ✓ signed      1 CREATE Resource node-1 r-1 -> 204"
        assert post(url) == 204
        assert line(process).endswith("-> 204  [duplicate]")
        assert post(url, 4) == 204
        assert line(process).endswith("[gap 2-3]")
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 204


def test_another_secret_shows() -> None:
    with running("--secret", new_secret()) as (url, process):
        assert post(url) == 204
        assert " ✗ webhook-signature does not fit" in line(process)


def test_as_json_each_line_is_an_object() -> None:
    with running("--json", "--fail", "100%") as (url, process):
        assert post(url) == 503
        found = json.loads(line(process))
        assert (found["answered"], found["kind"], found["signed"]) == (503, "Resource", None)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["--status", "410"], 410),
        (["--status", "410", "--fail", "0%"], 204),
        (["--fail", "100", "--status", "400"], 400),
    ],
)
def test_it_fails_as_it_is_told(options: list[str], answer: int) -> None:
    with running(*options) as (url, _):
        assert post(url) == answer


def test_it_waits_as_it_is_told() -> None:
    with running("--slow", "300ms") as (url, _):
        begun = time.monotonic()
        assert post(url) == 204
        assert time.monotonic() - begun >= 0.3


def test_it_listens_with_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue(names=["sink"], sans=[x509.IPAddress(ip_address("127.0.0.1"))])
    with running("--tls-cert", str(shown.certificate), "--tls-key", str(shown.key)) as (url, process):
        assert url.startswith("https://")
        assert post(url, trusted=client(authority)) == 204
        assert "CREATE Resource" in line(process)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--fail", "101%"], "no percentage"),
        (["--fail", "-1%"], "expected one argument"),
        (["--fail", "many"], "no percentage"),
        (["--slow", "2h"], "no time"),
        (["--status", "99"], "no status"),
        (["--status", "1000"], "no status"),
        (["--secret", "hunter2"], "a secret is whsec_"),
        (["--tls-key", "x"], "needs --tls-cert"),
        (["--tls-cert", "/nowhere"], "cannot be used"),
        (["--host", "192.0.2.77"], "cannot listen on 192.0.2.77"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], what: str) -> None:
    with pytest.raises(CommandError, match=what):
        call_command(Command(), "--port", "0", *options)


def test_a_port_is_needed() -> None:
    with pytest.raises(CommandError, match="--port"):
        call_command(Command())
