"""What a subscriber is sent: the Inventory Change Notification of O-RAN.WG6.O2IMS-INTERFACE 3.2.6, with
`notificationId`. Both states are JSON objects, and as the root that was subscribed on shows them.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.types import Kind
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation
from subscriptions.event import Event
from subscriptions.subscription import Subscription

FLAVOURS: Mapping[str, Representation] = {flavour.name: flavour for flavour in (GATEWAY_V1, INVENTORY_V1)}
EVENT_TYPES = {"CREATE": 0, "MODIFY": 1, "DELETE": 2}
MOST_BYTES = 256 * 1024
NOUNS = {
    Kind.DEPLOYMENT_MANAGER: "deploymentManagers",
    Kind.RESOURCE_TYPE: "resourceTypes",
    Kind.RESOURCE_POOL: "resourcePools",
    Kind.RESOURCE: "resources",
}
_KEPT = 2000


def webhook_id(source: str, sequence: int, subscription: str) -> str:
    """The id of what tells this change to this subscription: the same over retries, crashes and replays.
    `source` is the source's key."""
    what = f"{source}\0{sequence}\0{subscription}".encode()
    return hashlib.blake2b(what, digest_size=16).hexdigest()


def test_id(subscription: str, sequence: int) -> str:
    """The id of a test, which tells of no change."""
    return webhook_id("", sequence, subscription)


class Writer:
    """Writes notifications. What is the same for many subscribers is encoded once and kept a while."""

    def __init__(self) -> None:
        self._states: OrderedDict[tuple[int, str], tuple[bytes, bytes]] = OrderedDict()

    def write(self, to: Subscription, what: Event, message_id: str) -> tuple[bytes, bool]:
        """The body, and whether it is the thin form: where the whole one has more than `MOST_BYTES`, the
        object is only named."""
        states = self._encoded(what, FLAVOURS[to.flavour])
        named = _named(to, what, message_id)
        whole = _joined(named, what.type, states)
        if len(whole) <= MOST_BYTES:
            return whole, False
        return orjson.dumps({**named, "objectId": what.object_id, "objectType": str(what.kind)}), True

    def _encoded(self, what: Event, flavour: Representation) -> tuple[bytes, bytes]:
        key = (what.id, flavour.name)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = (state(what, what.before, flavour), state(what, what.after, flavour))
            if len(self._states) > _KEPT:
                self._states.popitem(last=False)
        return found


def state(what: Event, body: Mapping[str, Any] | None, flavour: Representation) -> bytes:
    """One state of the object, as its flavour shows it; nothing where there is none."""
    if body is None:
        return b""
    return orjson.dumps(flavour.wire(what.kind, {**body, "o_cloud_id": what.o_cloud}))


def test_body(to: Subscription, message_id: str) -> bytes:
    """What is sent to see whether it arrives: no change, and it says so."""
    return orjson.dumps({**_consumer(to), "notificationId": message_id, "test": True})


def _named(to: Subscription, what: Event, message_id: str) -> dict[str, Any]:
    named = {**_consumer(to), "notificationId": message_id, "notificationEventType": EVENT_TYPES[what.type]}
    if what.after is not None:
        named["objectRef"] = to.root + path(what, to.flavour)
    return named


def path(what: Event, flavour: str) -> str:
    """Where the object is, below its root."""
    if what.kind is Kind.RESOURCE and flavour == INVENTORY_V1.name:
        pool = (what.after or what.before or {})["pool_id"]
        return f"/resourcePools/{pool}/resources/{what.object_id}"
    return f"/{NOUNS[what.kind]}/{what.object_id}"


def _consumer(to: Subscription) -> dict[str, Any]:
    return {} if to.consumer_id is None else {"consumerSubscriptionId": to.consumer_id}


def _joined(named: Mapping[str, Any], type_: str, states: tuple[bytes, bytes]) -> bytes:
    before, after = states
    parts = [orjson.dumps(named)[:-1]]
    if type_ != "CREATE" and before:
        parts.append(b',"priorObjectState":' + before)
    if after:
        parts.append(b',"postObjectState":' + after)
    return b"".join(parts) + b"}"
