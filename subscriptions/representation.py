"""A subscription and a delivery on the wire, on each root."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from o2ims.representations.attribute import Attribute, Shape
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from subscriptions.models import Delivery, Endpoint
from subscriptions.subscription import Subscription

_ID = "5a0f5f0e-1f7c-4e5e-9d0b-0a6c3f1f7b20"

_id = Attribute(
    name="subscriptionId", key="id", type="uuid", description="Identifies the subscription.", example=_ID
)
_callback = Attribute(
    name="callback",
    key="callback",
    type="uri",
    description="Where notifications are POSTed to.",
    example="https://smo.example.com/notifications",
)
_consumer = Attribute(
    name="consumerSubscriptionId",
    key="consumer_id",
    required=False,
    description="The subscriber's own name of it, repeated in each notification.",
    example="smo-sub-456",
)

GATEWAY: Shape = (
    _id,
    _callback,
    _consumer,
    Attribute(
        name="filter",
        key="filter",
        type="map",
        description="What is wanted: resourcePoolId, resourceTypeId, resourceId, eventTypes; each one value"
        " or a list of which any may fit, all keys together. Empty: everything.",
        example={"resourcePoolId": "b3a2b1de-6f6d-5d40-9a4e-3f1f1c5f7a10"},
    ),
    Attribute(
        name="createdAt",
        key="created_at",
        type="date-time",
        description="When it was made.",
        example="2026-11-27T10:30:00.000Z",
    ),
    Attribute(
        name="updatedAt",
        key="updated_at",
        type="date-time",
        description="When it was changed last.",
        example="2026-11-27T10:30:00.000Z",
    ),
    Attribute(
        name="createdBy",
        key="created_by",
        required=False,
        description="The user that made it. It is the tenant's, and goes on when they are gone.",
        example="alice@acme",
    ),
    Attribute(
        name="state",
        key="state",
        enum=tuple(Endpoint.State.values),
        description="How the other end does: healthy; probing: it fails, one notification a minute is tried;"
        " suspended: nothing is tried until somebody resumes it.",
        example="healthy",
    ),
    Attribute(
        name="reason",
        key="reason",
        required=False,
        description="Why it is not healthy.",
        example="five failures in a row, the last: connect",
    ),
)
INVENTORY: Shape = (
    _id,
    _consumer,
    Attribute(
        name="filter",
        key="filter",
        required=False,
        description="What need not be told: `(eq,objectType,ResourceInfo);(eq,resourceId,x)`, alternatives"
        " with `|`.",
        example="(eq,objectType,ResourceTypeInfo)",
    ),
    _callback,
)
SHAPES: Mapping[str, Shape] = {GATEWAY_V1.name: GATEWAY, INVENTORY_V1.name: INVENTORY}
COMPONENTS = {GATEWAY_V1.name: "Subscription", INVENTORY_V1.name: "InventorySubscriptionInfo"}


class Standing(NamedTuple):
    """How the other end of a subscription does, and why it is not well."""

    state: str
    reason: str


WELL = Standing(Endpoint.State.HEALTHY, "")


def body(subscription: Subscription, standing: Standing) -> dict[str, Any]:
    """What filters and shapes read."""
    return {
        "id": subscription.id,
        "callback": subscription.callback,
        "consumer_id": subscription.consumer_id,
        "filter": subscription.filter,
        "created_at": subscription.created_at,
        "updated_at": subscription.updated_at,
        "created_by": subscription.created_by or None,
        "state": str(standing.state),
        "reason": standing.reason or None,
    }


def delivery(row: Delivery, message_id: str, notification: Mapping[str, Any] | None) -> dict[str, Any]:
    """One delivery: `notification` is what is sent, or None where that is not known any more."""
    return {
        "sequence": row.sequence,
        "webhookId": message_id,
        "state": row.state,
        "attempts": row.attempts,
        "outcome": row.outcome or None,
        "status": row.status,
        "createdAt": row.created_at,
        "endedAt": row.ended_at,
        "notification": notification,
    }
