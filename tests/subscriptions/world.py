"""Subscriptions and deliveries in the database, without anybody who sends."""

import uuid
from dataclasses import replace
from typing import Any

from django.db import connection

from adapters.types import Kind
from o2ims.models import Change
from o2ims.representations.gateway_v1 import GATEWAY_V1
from subscriptions import journal, keyring, signing
from subscriptions.intake import lane_of
from subscriptions.models import Delivery, Endpoint, Lane
from subscriptions.subscription import Subscription

NOW = "2026-11-27T10:30:00.000Z"


def subscription(tenant: str | None = "acme", **facts: Any) -> Subscription:
    """One of a tenant that sees its own and what is shared, and wants everything; nowhere yet."""
    made = Subscription(
        id=str(uuid.uuid4()),
        tenant=tenant,
        flavour=GATEWAY_V1.name,
        root="https://gateway.example.com/o2ims/v1",
        callback=f"https://smo.example.com/{uuid.uuid4()}",
        filter={},
        consumer_id=None,
        sees={str(kind): "all" if tenant is None else "own+shared" for kind in Kind},
        born={},
        secrets=(keyring.seal(signing.new_secret()),),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **facts)


def subscribed(tenant: str | None = "acme", **facts: Any) -> Subscription:
    """The same, in the journal; Redis is brought up by whoever needs it."""
    with journal.changing():
        return journal.begin(subscription(tenant, **facts))


def delivered(to: Subscription, change: Change, **facts: Any) -> Delivery:
    """What has come of a change for a subscription: it arrived."""
    endpoint = Endpoint.objects.get(pk=to.id)
    endpoint.sequence += 1
    endpoint.save()
    given: dict[str, Any] = {
        "state": "delivered",
        "attempts": 1,
        "outcome": "delivered",
        "status": 204,
        **facts,
    }
    number = lane_of(str(change.object_id))
    if given["state"] == "waiting":
        lane = Lane.objects.get(endpoint=endpoint, number=number)
        lane.head = lane.head or endpoint.sequence
        lane.waiting += 1
        lane.save()
    return Delivery.objects.create(
        subscription=to.id, lane=number, sequence=endpoint.sequence, change=change, **given
    )


def somebody_waits() -> bool:
    """Whether somebody waits for a lock in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
