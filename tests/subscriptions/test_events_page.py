"""docs/events.md: its snippets verify what really arrives, and what it promises is what the code does."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from subscriptions import delivery, dispatch, notification, schedule, subscription
from subscriptions.schedule import STANDARD, Outcome, outcome_of
from tests.gateway import Gateway
from tests.sink import Received, Sink
from tests.subscriptions.conftest import subscribe

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
TEXT = " ".join(PAGE.split())
PROMISES = {
    key.strip(): text.strip() for key, text in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
}
NUMBERS = {3: "three", 4: "four"}


def snippet(language: str, holding: str) -> str:
    """The block of the page that is in this language and holds these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if holding in block)
    return str(found)


def in_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(compile(snippet("python", "def verify"), "docs/events.md", "exec"), names)
    try:
        names["verify"](secret, headers, body)
    except ValueError:
        return False
    return True


def in_shell(where: Path, secret: str, headers: dict[str, str], body: bytes) -> bool:
    (where / "body").write_bytes(body)
    given = {"secret": secret} | {
        name: headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")
    }
    told = subprocess.run(
        ["sh", "-euc", snippet("sh", "openssl")],
        cwd=where,
        env={"PATH": "/usr/bin:/bin", **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout in {"signed\n", "forged\n"}
    return told.stdout == "signed\n"


def test_its_snippets_verify_what_arrives(gateway: Gateway, sink: Sink, tmp_path: Path) -> None:
    def sent() -> Received:
        before = len(sink.got)
        path = f"/o2ims/v1/subscriptions/{made['subscriptionId']}"
        assert gateway.send("alice", "POST", f"{path}/test", If_Match="*").status == 202
        gateway.until(lambda: len(sink.got) > before, what="the notification")
        return sink.got[-1]

    def verified(secret: str, one: Received, body: bytes) -> set[bool]:
        return {in_python(secret, one.headers, body), in_shell(tmp_path, secret, one.headers, body)}

    made = subscribe(gateway, "alice", sink.url)
    first = sent()
    assert verified(made["secret"], first, first.body) == {True}
    assert verified(made["secret"], first, first.body + b" ") == {False}
    path = f"/o2ims/v1/subscriptions/{made['subscriptionId']}/rotate-secret"
    rotated = gateway.send("alice", "POST", path, If_Match="*").body["secret"]
    assert verified(rotated, first, first.body) == {False}
    second = sent()
    assert [verified(secret, second, second.body) for secret in (made["secret"], rotated)] == [{True}] * 2
    old = {**second.headers, "webhook-timestamp": str(int(second.at) - 400)}
    assert not in_python(rotated, old, second.body)


def said(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def test_its_times_are_those_of_the_code() -> None:
    first, *steps, last = STANDARD.steps
    assert (first, last) == (0, 3600)
    waits = ", ".join(said(step) for step in steps)
    assert PROMISES["again"].startswith(
        f"after {waits}, then every hour up to {STANDARD.last_for / 3600:.0f} h,"
        f" ± {STANDARD.jitter:.0%}".replace("%", " %")
        + f"; at least {schedule.WAIT_OF_SLOW:.0f} s after a timeout or 429"
    )
    limits = f"{delivery.CONNECT_SECONDS:.0f} s to connect, {delivery.ALL_SECONDS:.0f} s in all"
    assert PROMISES["one attempt"].startswith(limits)
    trouble = PROMISES["in trouble"]
    assert trouble.startswith(
        f"after {schedule.FAILURES_BEFORE_PROBING} failures in a row one notification a"
    )
    assert STANDARD.between_probes == 60
    assert f"After {STANDARD.last_for / 3600:.0f} h of nothing but failures: suspended" in trouble
    assert f"should answer 2xx within {delivery.VALIDATE_SECONDS:.0f} s" in TEXT


def test_its_figures_are_those_of_the_code() -> None:
    refused = [str(status) for status in range(200, 600) if outcome_of(status) is Outcome.REFUSED]
    assert (
        f"after {NUMBERS[schedule.TRIES_OF_REFUSED]} tries it is a dead letter"
        in PROMISES[", ".join(refused)]
    )
    assert [status for status in range(200, 600) if outcome_of(status) is Outcome.GONE] == [410]
    rate, lanes = settings.DELIVERY_RATE, NUMBERS[dispatch.PER_ENDPOINT]
    assert PROMISES["how fast"] == f"{rate} a second and subscription, {lanes} at a time"
    assert f"Over {notification.MOST_BYTES // 1024} KiB comes the thin form" in TEXT
    assert f"({settings.DELIVERY_RETENTION // timedelta(days=1)} days)" in PROMISES["gaps"]
    hours = subscription.OVERLAP // timedelta(hours=1)
    assert f"for {hours} hours both sign" in TEXT


@pytest.mark.parametrize("event", notification.EVENT_TYPES)
def test_its_event_types_are_those_of_the_code(event: str) -> None:
    assert f"{notification.EVENT_TYPES[event]} ({event}" in TEXT.split("`notificationEventType` is ")[1][:80]
