"""Where the callbacks of each tenant may go, and whether they have to answer: what the settings say for
everybody, and what the platform says of the tenant.

    somebody subscribes   Terms.of        the tenant as it is now
    something is sent     Policies        all tenants, in the memory of a worker: it follows the log of
                                          revocations, in which every change of a tenant is noted
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db.models import Max

from subscriptions import delivery
from subscriptions.callback import Policy
from tenancy.models import Tenant
from tenancy.revocations import Revocation

log = structlog.get_logger()

FOLLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the callbacks of one tenant; `check` is `strict`, `warn` or `off`."""

    policy: Policy
    check: str

    @classmethod
    def of(cls, tenant: str | None) -> "Terms":
        """Those of a tenant (None: the platform's own) now."""
        row = Tenant.objects.filter(pk=tenant).first() if tenant else None
        if row is None:
            return cls(delivery.policy(), settings.CALLBACK_CHECK)
        return cls(_policy(row), row.callback_check or settings.CALLBACK_CHECK)


class Policies:
    """`current` has the policy of each tenant that has networks of its own; for the others, `delivery.policy`
    is. It is another mapping whenever something in it is another."""

    def __init__(self) -> None:
        self.current: Mapping[str, Policy] = {}
        self._position: int | None = None
        self._followed = 0.0

    def follow(self) -> None:
        """Reads the tenants again where the log has grown, at most once in `FOLLOW_SECONDS`. Raises the
        database's errors."""
        if self._position is not None and time.monotonic() - self._followed < FOLLOW_SECONDS:
            return
        asked = time.monotonic()
        newest = Revocation.objects.aggregate(newest=Max("id"))["newest"] or 0
        if newest != self._position:
            found = {row.pk: _policy(row) for row in Tenant.objects.exclude(callback_networks=[])}
            self.current = self.current if found == self.current else found
            self._position = newest
        self._followed = asked


def _policy(tenant: Tenant) -> Policy:
    try:
        return delivery.policy(tenant.own_networks)
    except ValueError as error:  # by another hand than ours: what nobody can read allows nothing
        log.warning("callback_networks_unreadable", tenant=tenant.pk, error=str(error))
        return delivery.policy()
