"""What happened to a subscription, as an entry of the audit trail: without its secret."""

from typing import Any

from subscriptions.subscription import Subscription
from tenancy.audit import Deed, Entry
from tenancy.permissions import Action, Resource

Wire = dict[str, Any]


def wire(subscription: Subscription) -> Wire:
    """What the trail keeps of one."""
    return {
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "callback": subscription.callback,
        "filter": subscription.filter,
        "consumerSubscriptionId": subscription.consumer_id,
    }


def told(
    deed: Deed,
    action: Action,
    one: Subscription,
    *,
    status: int | None = None,
    before: Wire | None = None,
    after: Wire | None = None,
    reason: str = "",
) -> Entry:
    """That something was done to `one`; `before` and `after` are what is worth saying of it."""
    return deed.entry(
        action,
        Resource.SUBSCRIPTION,
        one.id,
        status=status,
        label=one.name,
        tenant=one.tenant or "",
        before=before,
        after=after,
        reason=reason,
    )
