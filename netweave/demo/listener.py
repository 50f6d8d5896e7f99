"""A subscriber of Alice's, in the demo's own process: what it is told scrolls by."""

import asyncio
import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

from aiohttp import web

from netweave.embedded.port import LOOPBACK
from subscriptions.listener import Behaviour, Notice, application

NAME = "demo"
_SECONDS = 10


def listen(url: str, token: str) -> str:
    """Subscribes at the gateway with that root, and prints what comes from now on. Returns where it listens.
    Raises `OSError` where the gateway does not take it."""
    listener = socket.socket()
    listener.bind((LOOPBACK, 0))
    callback = f"http://{LOOPBACK}:{listener.getsockname()[1]}/events"
    subscriptions = f"{url}/o2ims/v1/subscriptions"
    for left in _ask("GET", subscriptions, token)["items"]:  # of an earlier start
        if left.get("consumerSubscriptionId") == NAME:
            _ask("DELETE", f"{subscriptions}/{left['subscriptionId']}", token)
    made = _ask("POST", subscriptions, token, {"callback": callback, "consumerSubscriptionId": NAME})
    threading.Thread(target=lambda: asyncio.run(_serve(listener, made["secret"])), daemon=True).start()
    return callback


async def _serve(listener: socket.socket, secret: str) -> None:
    runner = web.AppRunner(application(Behaviour(secrets=(secret,)), _tell), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()


def _tell(notice: Notice) -> None:
    sys.stdout.write(f"event  {notice.line()}\n")
    sys.stdout.flush()


def _ask(method: str, url: str, token: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers=headers)  # noqa: S310 - ours, http
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
        text = answer.read()
    return json.loads(text) if text else None
