"""A receiving end for people who write one: it answers as told, and says of each request what there is to
see in it. Nothing of the gateway's is needed to run it, only the secret to verify with.

    GET, HEAD   204: the question that is asked when somebody subscribes
    POST        a notification: 204, or for a share of them another status, at once or slowly
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any

import orjson
from aiohttp import web

from subscriptions.signing import ID, Invalid, verify

SEQUENCE = "o2-sequence"

_BODY_LIMIT = 1024 * 1024
_SHOWN = 80
_REMEMBERED = 100_000
_EVENTS = ("CREATE", "MODIFY", "DELETE")
#: What tells a kind is the first of these that its state has.
_KINDS = {
    "deploymentManagerId": "DeploymentManager",
    "resourceId": "Resource",
    "resourcePoolId": "ResourcePool",
    "resourceTypeId": "ResourceType",
}
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How to answer: `fail` is the share (0 to 1) of notifications answered with `status`; `slow` is the
    seconds before any answer. `secrets` verify; without any nothing is verified."""

    secrets: tuple[str, ...] = ()
    fail: float = 0.0
    status: int = 503
    slow: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What there is to see in one request. Texts are short and printable, '' where there is nothing; `signed`
    is None where it was not verified; `marks` say what is odd: `again` after a failure, `duplicate` after a
    success, `gap 3-4`, `late`. `answered` is the status."""

    at: str
    path: str
    signed: bool | None
    verdict: str
    sequence: int | None
    event: str
    kind: str
    name: str
    id: str
    webhook_id: str
    marks: tuple[str, ...]
    answered: int

    def line(self) -> str:
        """For people."""
        sequence = "-" if self.sequence is None else str(self.sequence)
        said = [
            self.at[11:23],
            self.verdict,
            f"{sequence:>6}",
            f"{self.event:<6}",
            self.kind,
            self.name,
            self.id,
        ]
        told = " ".join(part for part in said if part)
        marks = f"  [{', '.join(self.marks)}]" if self.marks else ""
        return f"{told} -> {self.answered}{marks}"

    def json(self) -> str:
        """For programs: one JSON object."""
        return orjson.dumps(asdict(self)).decode()


def application(behaviour: Behaviour, tell: Callable[[Notice], None]) -> web.Application:
    """The server; `tell` is called with each notification as it comes, before it is answered."""
    listener = _Listener(behaviour, tell)
    made = web.Application(client_max_size=_BODY_LIMIT)
    made.router.add_get("/{path:.*}", listener.asked)
    made.router.add_post("/{path:.*}", listener.notified)
    return made


def printable(value: object) -> str:
    """A text that no terminal takes for anything else, and not a long one."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return "".join(each if each.isprintable() else "?" for each in text[:_SHOWN])


class _Listener:
    def __init__(self, behaviour: Behaviour, tell: Callable[[Notice], None]) -> None:
        self._behaviour = behaviour
        self._tell = tell
        self._dice = SystemRandom()
        self._accepted: dict[str, bool] = {}  # by webhook id, oldest first
        self._streams: dict[tuple[str, str], _Stream] = {}

    async def asked(self, _: web.Request) -> web.Response:
        """The validation of a callback."""
        return web.Response(status=204)

    async def notified(self, request: web.Request) -> web.Response:
        """One notification."""
        body = await request.read()
        fails = self._dice.random() < self._behaviour.fail
        notice = self._notice(request, body, self._behaviour.status if fails else 204)
        self._tell(notice)
        await asyncio.sleep(self._behaviour.slow)
        return web.Response(status=notice.answered)

    def _notice(self, request: web.Request, body: bytes, answered: int) -> Notice:
        now = time.time()
        told = _object(body)
        state = _state(told)
        kind = next((kind for key, kind in _KINDS.items() if key in state), told.get("objectType"))
        key = next((key for key in _KINDS if key in state), "")
        thing = state.get(key) or told.get("objectId") or str(told.get("objectRef") or "").rpartition("/")[2]
        sequence = request.headers.get(SEQUENCE, "")
        number = int(sequence) if _DIGITS.fullmatch(sequence) else None
        webhook_id = request.headers.get(ID, "")
        signed, verdict = self._verdict(request.headers, body, int(now))
        stream = (request.path, str(told.get("consumerSubscriptionId")))
        return Notice(
            at=datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            path=printable(request.path),
            signed=signed,
            verdict=verdict,
            sequence=number,
            event="TEST" if told.get("test") is True else _event(told.get("notificationEventType")),
            kind=printable(kind),
            name=printable(state.get("name")),
            id=printable(thing),
            webhook_id=printable(webhook_id),
            marks=tuple(self._marks(webhook_id, stream, number, accepted=200 <= answered < 300)),
            answered=answered,
        )

    def _verdict(self, headers: Mapping[str, str], body: bytes, now: int) -> tuple[bool | None, str]:
        wrong = ""
        for secret in self._behaviour.secrets:
            try:
                verify(secret, headers, body, now=now)
            except Invalid as error:
                wrong = str(error)
            else:
                return True, "✓ signed"
        return (False, f"✗ {wrong}") if wrong else (None, "? not verified")

    def _marks(
        self, webhook_id: str, stream: tuple[str, str], number: int | None, *, accepted: bool
    ) -> list[str]:
        known = self._accepted.pop(webhook_id, None) if webhook_id else None
        if webhook_id:
            self._accepted[webhook_id] = accepted or bool(known)
            if len(self._accepted) > _REMEMBERED:
                del self._accepted[next(iter(self._accepted))]
        if known is not None:
            return ["duplicate" if known else "again"]
        if number is None:
            return []
        return self._streams.setdefault(stream, _Stream(number)).marks(number)


class _Stream:
    """The sequence of one subscription, as far as it has come."""

    def __init__(self, first: int) -> None:
        self._next = first

    def marks(self, number: int) -> list[str]:
        missing, self._next = self._next, max(self._next, number + 1)
        if number < missing:
            return ["late"]
        if number == missing:
            return []
        return [f"gap {missing}" if number == missing + 1 else f"gap {missing}-{number - 1}"]


def _object(body: bytes | str) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _state(told: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is now, or as it was; some senders put JSON text there."""
    found = told.get("postObjectState") or told.get("priorObjectState")
    if isinstance(found, str):
        return _object(found)
    return found if isinstance(found, dict) else {}


def _event(number: object) -> str:
    if isinstance(number, int) and 0 <= number < len(_EVENTS):
        return _EVENTS[number]
    return printable(number) or "?"
