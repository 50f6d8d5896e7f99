"""The subscriptions in the memory of one process: by their ids, and as a matcher. It follows the journal;
Redis is brought up first, where it can be reached."""

import threading

import structlog

from adapters.types import Kind
from o2ims.representations.representation import Representation
from subscriptions import journal, store
from subscriptions.exclusion import Exclusion, parse_exclusion
from subscriptions.matcher import Interest, Matcher, Sight
from subscriptions.notification import FLAVOURS
from subscriptions.subscription import Subscription

log = structlog.get_logger()


class Registry:
    """Safe to use from any thread; one of them follows at a time."""

    def __init__(self) -> None:
        self.version = 0
        self.subscriptions: dict[str, Subscription] = {}
        self.matcher = Matcher([])
        self._lock = threading.Lock()

    def follow(self) -> int:
        """Brings it up to the journal, and Redis too where that can be reached. Returns the version."""
        with self._lock:
            try:
                store.catch_up()
            except store.Away as error:
                log.debug("subscriptions_unstored", error=str(error))
            version, changed = journal.everything(self.version)
            for id_, subscription in changed:
                if subscription is None:
                    if self.subscriptions.pop(id_, None) is not None:
                        self.matcher.drop(id_)
                else:
                    self._put(subscription)
            self.version = version
        return version

    def _put(self, subscription: Subscription) -> None:
        """What nobody here can make sense of (another release's, or another hand's) hears nothing, and holds
        nobody else up."""
        try:
            wanted = interest(subscription)
        except (LookupError, TypeError, ValueError, AttributeError):
            log.exception("subscription_unreadable", subscription=subscription.id)
            self.matcher.drop(subscription.id)
            wanted = None
        self.subscriptions[subscription.id] = subscription
        if wanted is not None:
            self.matcher.put(wanted)


def interest(subscription: Subscription) -> Interest:
    """What a subscription wants to hear, as the matcher needs it."""
    flavour = FLAVOURS[subscription.flavour]
    return Interest(
        id=subscription.id,
        scopes={kind: _sight(subscription.tenant, sees) for kind, sees in subscription.sees.items()},
        selects=_selects(subscription),
        excludes=excluded(subscription.filter, flavour),
        shown={kind: frozenset(a.key for a in shape) for kind, shape in flavour.shapes.items()},
    )


def excluded(text: object, flavour: Representation) -> Exclusion | None:
    """What a filter of the O-RAN root excludes. Raises `QueryError`."""
    if not isinstance(text, str) or not text:
        return None
    return parse_exclusion(text, {Kind(kind): shape for kind, shape in flavour.shapes.items()})


def _sight(tenant: str | None, sees: str) -> Sight:
    if sees == "all":
        return Sight(tenant=None, own=True, shared=True)
    parts = sees.split("+")
    return Sight(tenant=tenant, own="own" in parts, shared="shared" in parts)


def _selects(subscription: Subscription) -> dict[str, frozenset[str]]:
    if not isinstance(subscription.filter, dict):
        return {}
    return {
        key: frozenset([values] if isinstance(values, str) else values)
        for key, values in subscription.filter.items()
    }


registry = Registry()
