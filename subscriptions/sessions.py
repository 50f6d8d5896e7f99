"""The connections of one worker to its subscribers, kept open between sends: those of each policy apart.

A policy is asked when an address is dialled, not when an open connection is used again. So each policy has a
session of its own: what one tenant may dial is never there for another, whatever host both of them name.
"""

import time
from collections.abc import Mapping
from typing import Self

import aiohttp

from subscriptions import delivery
from subscriptions.callback import Policy

SPARED_SECONDS = delivery.ALL_SECONDS + 1  # no send takes longer


class Sessions:
    """An async context manager. Tenants of one policy share a session; `usual` is the policy of those that
    have none of their own, and of the platform."""

    def __init__(self, usual: Policy) -> None:
        self._usual = usual
        self._tls = delivery.tls()  # one for all: it takes longer to make than anything else here
        self._current: Mapping[str, Policy] = {}
        self._open: dict[Policy, aiohttp.ClientSession] = {}
        self._usually: aiohttp.ClientSession
        self._of: dict[str, aiohttp.ClientSession] = {}
        self._left: list[tuple[float, aiohttp.ClientSession]] = []

    async def __aenter__(self) -> Self:
        self._open[self._usual] = self._usually = delivery.session(self._usual, self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in [*self._open.values(), *(one for _, one in self._left)]:
            await one.close()

    def of(self, tenant: str) -> aiohttp.ClientSession:
        """The one to send with for a tenant ('' for the platform)."""
        return self._of.get(tenant, self._usually)

    async def arrange(self, current: Mapping[str, Policy]) -> None:
        """Policies of tenants are these now. What sends under way began with stays open until they end."""
        if current is not self._current:
            self._current = current
            wanted = {self._usual, *current.values()}
            self._left += [
                (time.monotonic(), self._open.pop(policy)) for policy in self._open.keys() - wanted
            ]
            for policy in wanted - self._open.keys():
                self._open[policy] = delivery.session(policy, self._tls)
            self._of = {tenant: self._open[policy] for tenant, policy in current.items()}
        while self._left and time.monotonic() - self._left[0][0] > SPARED_SECONDS:
            await self._left.pop(0)[1].close()
