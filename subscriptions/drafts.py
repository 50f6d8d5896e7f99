"""What somebody who subscribes asks for: the body, checked as far as that needs nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.bodies import Reading
from o2ims.query.error import QueryError
from o2ims.representations.representation import Representation
from subscriptions.callback import Forbidden, Policy, check_url
from subscriptions.registry import excluded

EVENT_TYPES = ("CREATE", "MODIFY", "DELETE")
IDS = ("resourcePoolId", "resourceTypeId", "resourceId")
MOST_VALUES = 100
CONSUMER_MOST, CALLBACK_MOST, FILTER_MOST = 255, 2048, 4096
_KEYS = frozenset({"callback", "filter", "consumerSubscriptionId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A subscription as somebody wants it. `ids` are the objects that its filter names: (pointer, key,
    id)."""

    callback: str
    filter: Mapping[str, Any] | str | None
    consumer_id: str | None
    ids: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)


def draft(
    body: Any, flavour: Representation, allowed: Policy, current: Mapping[str, Any] | None = None
) -> Draft:
    """The draft of POST or, with what is `current` on the wire, PUT. Raises `Malformed`."""
    reading = Reading(body)
    if flavour.envelope:
        reading.only(_KEYS, current)
    else:
        reading.only(_KEYS | {"subscriptionId"})  # assigned by the server, whatever was sent
    callback = reading.text("callback", CALLBACK_MOST, needed=True)
    if callback is not None:
        try:
            check_url(callback, allowed)
        except Forbidden as error:
            reading.fault("callback", error.reason)
    consumer_id = reading.text("consumerSubscriptionId", CONSUMER_MOST)
    wanted: Mapping[str, Any] | str | None
    wanted, ids = _selecting(reading) if flavour.envelope else (_excluding(reading, flavour), ())
    reading.end()
    return Draft(callback=callback or "", filter=wanted, consumer_id=consumer_id, ids=ids)


def _excluding(reading: Reading, flavour: Representation) -> str | None:
    """A filter of the O-RAN root: what need not be told (O-RAN.WG6.O2IMS-INTERFACE 3.2.6)."""
    text = reading.text("filter", FILTER_MOST, empty=True)
    try:
        excluded(text, flavour)
    except QueryError as error:
        reading.fault("filter", error.detail)
    return text or None


def _selecting(reading: Reading) -> tuple[dict[str, Any], tuple[tuple[str, str, str], ...]]:
    """A filter of the gateway's own API: what is wanted. Ids come in lower case."""
    given, found, ids = reading.mapping("filter"), dict[str, Any](), list[tuple[str, str, str]]()
    for key, value in given.items():
        values = value if isinstance(value, list) else [value]
        if key not in {*IDS, "eventTypes"}:
            reading.fault("filter", f"is not known here; there are {', '.join((*IDS, 'eventTypes'))}", key)
        elif not values or len(values) > MOST_VALUES:
            reading.fault("filter", f"must be one value, or a list of 1 to {MOST_VALUES}", key)
        elif key == "eventTypes" and not all(one in EVENT_TYPES for one in values):
            reading.fault("filter", f"must be of {', '.join(EVENT_TYPES)}", key)
        elif key != "eventTypes" and not all(_is_id(one) for one in values):
            reading.fault("filter", "must be the id of an object", key)
        else:
            values = sorted({one if key == "eventTypes" else one.lower() for one in values})
            found[key] = values if isinstance(value, list) else values[0]
            ids += [(f"/filter/{key}", key, one) for one in values if key != "eventTypes"]
    return found, tuple(ids)


def _is_id(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 36 and str(UUID(value)) == value.lower()
    except ValueError:
        return False


def replayed(body: Any) -> dict[str, Any]:
    """Which deliveries POST replay asks for, as conditions: after one sequence, up to another, of one state;
    at least one of them. Raises `Malformed`."""
    reading = Reading(body or {})
    if not body:
        reading.fault("after", "is needed, or until, or state; 0 means everything")
    reading.only(frozenset({"after", "until", "state"}))
    found: dict[str, Any] = {}
    for key, condition in (("after", "sequence__gt"), ("until", "sequence__lte")):
        value = reading.body.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            reading.fault(key, "must be a sequence: a whole number")
        found[condition] = value
    state = reading.choice("state", ("dead", "delivered"))
    reading.end()
    return found | ({"state": state} if state else {})
