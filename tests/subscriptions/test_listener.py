"""The listener: what it makes of each request, over real HTTP."""

import time
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from subscriptions.listener import Behaviour, Notice, application
from subscriptions.signing import headers, new_secret

SECRET = new_secret()
POOL = {"resourcePoolId": "p", "name": "a"}
THIN = {"notificationEventType": 2, "objectId": "r9", "objectType": "ResourceInfo"}


class Heard:
    """A listener that runs, and what it told."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.notices: list[Notice] = []
        self._session = session
        self._runners: list[web.AppRunner] = []
        self.url = ""

    async def listen(self, **behaviour: Any) -> "Heard":
        runner = web.AppRunner(application(Behaviour(**behaviour), self.notices.append), access_log=None)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/smo"
        return self

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def send(
        self, number: int = 1, body: Any = None, *, webhook_id: str = "", secret: str = SECRET, **more: str
    ) -> int:
        """Posts one notification, signed; the status."""
        text = body if isinstance(body, bytes) else orjson.dumps(told() if body is None else body)
        signed = headers([secret], webhook_id or f"w{number}", int(time.time()), text)
        given = {**signed, "o2-sequence": str(number), **more}
        async with self._session.post(self.url, data=BytesIO(text), headers=given) as response:
            return response.status

    async def ask(self) -> int:
        async with self._session.get(self.url) as response:
            return response.status

    @property
    def last(self) -> Notice:
        return self.notices[-1]

    def marks(self) -> list[str]:
        return [" ".join(notice.marks) for notice in self.notices]


def told(**more: Any) -> dict[str, Any]:
    state = {"resourceId": "r-1", "resourcePoolId": "p-1", "resourceTypeId": "t-1", "name": "node-1"}
    return {"notificationEventType": 0, "postObjectState": state, "consumerSubscriptionId": "c", **more}


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with aiohttp.ClientSession() as session:
        made = Heard(session)
        yield made
        await made.close()


async def test_the_question_at_subscription_is_answered_and_not_told(heard: Heard) -> None:
    await heard.listen(fail=1.0)
    assert await heard.ask() == 204
    assert heard.notices == []


async def test_a_signed_notification_is_one_line_with_all_there_is_to_see(heard: Heard) -> None:
    await heard.listen(secrets=(SECRET,))
    assert await heard.send(17) == 204
    assert heard.last.line()[12:] == " ✓ signed     17 CREATE Resource node-1 r-1 -> 204"
    found = orjson.loads(heard.last.json())
    assert found == {
        "at": heard.last.at,
        "path": "/smo",
        "signed": True,
        "verdict": "✓ signed",
        "sequence": 17,
        "event": "CREATE",
        "kind": "Resource",
        "name": "node-1",
        "id": "r-1",
        "webhook_id": "w17",
        "marks": [],
        "answered": 204,
    }


async def test_a_signature_is_verified_with_each_secret_and_the_verdict_says_what_is_wrong(
    heard: Heard,
) -> None:
    await heard.listen(secrets=(new_secret(), SECRET))
    await heard.send(1)
    await heard.send(2, secret=new_secret())
    await heard.send(3, **{"webhook-timestamp": "1"})
    await heard.listen()
    await heard.send(4)
    assert [(notice.signed, notice.verdict) for notice in heard.notices] == [
        (True, "✓ signed"),
        (False, "✗ webhook-signature does not fit the body, the id and the time"),
        (False, "✗ webhook-timestamp is more than 300 s in the past"),
        (None, "? not verified"),
    ]


@pytest.mark.parametrize(
    ("body", "event", "kind", "name", "thing"),
    [
        (told(notificationEventType=1), "MODIFY", "Resource", "node-1", "r-1"),
        ({"notificationEventType": 2, "priorObjectState": POOL}, "DELETE", "ResourcePool", "a", "p"),
        (told(postObjectState={"resourceTypeId": "t"}), "CREATE", "ResourceType", "", "t"),
        (told(postObjectState={"deploymentManagerId": "d"}), "CREATE", "DeploymentManager", "", "d"),
        (told(postObjectState='{"resourceId": "text"}'), "CREATE", "Resource", "", "text"),
        ({"notificationEventType": 1, "objectRef": "https://x/v1/resources/r9"}, "MODIFY", "", "", "r9"),
        (THIN, "DELETE", "ResourceInfo", "", "r9"),
        (told(notificationEventType=7), "7", "Resource", "node-1", "r-1"),
        ({"notificationId": "n", "test": True}, "TEST", "", "", ""),
        (b"no json", "?", "", "", ""),
        ([], "?", "", "", ""),
        ({"postObjectState": 5, "notificationEventType": "x"}, "x", "", "", ""),
    ],
)
async def test_whatever_comes_is_told_as_far_as_it_can_be_read(
    heard: Heard, body: Any, event: str, kind: str, name: str, thing: str
) -> None:
    await heard.listen()
    assert await heard.send(1, body) == 204
    assert (heard.last.event, heard.last.kind, heard.last.name, heard.last.id) == (event, kind, name, thing)


async def test_only_printable_characters_are_told_and_not_many(heard: Heard) -> None:
    await heard.listen()
    state = {"resourceId": "\x1b[2J\u202er\n1", "name": "x" * 5000}
    await heard.send(1, told(postObjectState=state, notificationEventType="\x07"), webhook_id="w\u202e")
    assert heard.last.line().isprintable()
    assert len(heard.last.line()) < 400
    assert heard.last.id == "?[2J?r?1"
    assert orjson.loads(heard.last.json())["webhook_id"].isprintable()


async def test_gaps_and_what_comes_late_are_marked(heard: Heard) -> None:
    await heard.listen()
    for number in (5, 6, 8, 12, 7, 13):
        await heard.send(number)
    assert heard.marks() == ["", "", "gap 7", "gap 9-11", "late", ""]


async def test_each_subscription_has_a_sequence_of_its_own(heard: Heard) -> None:
    await heard.listen()
    for number, consumer in ((1, "a"), (50, "b"), (2, "a"), (51, "b"), (9, "a")):
        await heard.send(number, told(consumerSubscriptionId=consumer), webhook_id=f"{consumer}-{number}")
    assert heard.marks() == ["", "", "", "", "gap 3-8"]


async def test_a_retry_is_told_from_a_duplicate(heard: Heard) -> None:
    await heard.listen(fail=1.0)
    await heard.send(1)
    await heard.send(1)
    assert heard.marks() == ["", "again"]
    await heard.listen()
    heard.notices.clear()
    for _ in range(3):
        await heard.send(1)
    await heard.send(2)
    assert heard.marks() == ["", "duplicate", "duplicate", ""]


async def test_what_says_no_sequence_or_a_wild_one_is_told_without(heard: Heard) -> None:
    await heard.listen()
    for sequence in ("", "x", "-1", "9" * 4000, "٣"):
        assert await heard.send(1, **{"o2-sequence": sequence.encode().decode("latin-1")}) == 204
        assert heard.last.sequence is None
        assert "     - CREATE" in heard.last.line()


async def test_a_share_is_refused_with_the_status_asked_for(heard: Heard) -> None:
    await heard.listen(fail=0.5, status=429)
    answers = [await heard.send(number) for number in range(200)]
    assert set(answers) == {204, 429}
    assert 40 < answers.count(429) < 160
    assert [notice.answered for notice in heard.notices] == answers


async def test_a_slow_one_tells_at_once_and_answers_later(heard: Heard) -> None:
    await heard.listen(slow=0.2)
    begun = time.monotonic()
    assert await heard.send() == 204
    assert time.monotonic() - begun >= 0.2


async def test_what_is_too_large_is_refused_and_not_told(heard: Heard) -> None:
    await heard.listen()
    assert await heard.send(1, b"x" * (1024 * 1024 + 1)) == 413
    assert heard.notices == []
