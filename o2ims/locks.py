"""What a worker holds of a source beside its lease in Postgres: nothing, or with `LEADER_LEASE=kubernetes` a
Lease object of the cluster that netweave runs in, so that `kubectl get lease` tells who works.

    Lock          nothing
     └─ ClusterLock   one Lease: taken before the lease in Postgres, released after it

It protects nothing: that is the epoch's part (`o2ims/lease.py`). But who cannot renew it stops collecting,
`RENEW_DEADLINE` after the last time it could, which is before anybody else may take it.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.conf import settings

from adapters.configuration import Backend
from adapters.errors import BackendError, TimedOut, named
from adapters.kubelease import KubeLease, Namespace, Taken, lease_name
from o2ims.lease import RENEW_DEADLINE, RETRY_SECONDS, Lease, Lost
from o2ims.threads import in_thread

log = structlog.get_logger()
_R = TypeVar("_R")

#: What every error of the API server begins with.
SETTING = "LEADER_LEASE=kubernetes"


class Lock:
    """Nothing to hold."""

    async def take(self, source_id: int) -> bool:  # noqa: ARG002 - see ClusterLock
        """Whether it is ours now."""
        return True

    async def keep(self) -> None:
        """Until cancelled, or `Lost`."""

    async def release(self) -> None:
        """Lets go, if it was ours."""


class ClusterLock(Lock):
    """A Lease of Kubernetes. Its calls have a thread of their own: an API server that hangs delays no other
    source, and nothing in Postgres."""

    def __init__(self, source: str, lease: KubeLease) -> None:
        self._source, self._lease = source, lease
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=lease.name)
        self._trouble = ""
        self._other = ""

    async def take(self, source_id: int) -> bool:
        """Whether it is ours now. It is left where it is unless Postgres would give us the source too:
        whoever holds it works. Raises `DatabaseError`."""
        try:
            if not await self._call(self._lease.look):
                self._say(None)
                self._tell_holder()
                return False
            if not await in_thread(Lease.is_free, source_id):
                return False
            taken = await self._call(self._lease.take)
        except BackendError as error:
            self._say(error)
            return False
        self._say(None)
        self._other = ""
        return taken

    async def keep(self) -> None:
        """Renews it every `RETRY_SECONDS`. Raises `Lost` when it is another's, and when no renewal has
        succeeded that began in the last `RENEW_DEADLINE`, whatever the reason."""
        while (left := self._left()) > 0:
            await asyncio.sleep(min(RETRY_SECONDS, left))
            try:
                await self._call(self._lease.renew, self._left())
                self._say(None)
            except Taken as error:
                log.warning("cluster_lease_taken", **self._facts(), holder=self._lease.holder)
                raise Lost from error
            except BackendError as error:
                self._say(error)
        log.warning("cluster_lease_expired", **self._facts())
        raise Lost

    async def release(self) -> None:
        """Lets go, if it may be ours; what fails runs out by itself."""
        try:
            await self._call(self._lease.release)
        except BackendError as error:
            log.warning("cluster_lease_unreleased", **self._facts(), error=str(error))

    def _left(self) -> float:
        """For how many seconds it is ours without being renewed."""
        return self._lease.renewed + RENEW_DEADLINE - time.monotonic()

    async def _call(self, call: Callable[[], _R], seconds: float = RENEW_DEADLINE) -> _R:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except TimeoutError as error:
            raise TimedOut(SETTING, f"no answer about the Lease {self._lease.name} in time") from error

    def _say(self, error: BackendError | None) -> None:
        """Once when trouble begins, once when it becomes another, once when it ends."""
        trouble = named(error) if error else ""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if error is None:
            log.info("cluster_lease_available", **self._facts())
            return
        log.warning("cluster_lease_unavailable", **self._facts(), error_class=trouble, error=str(error))

    def _tell_holder(self) -> None:
        if self._lease.holder != self._other:
            self._other = self._lease.holder
            log.info("cluster_lease_held", **self._facts(), holder=self._other)

    def _facts(self) -> dict[str, str]:
        return {"source": self._source, "lease": self._lease.name}


@dataclass(frozen=True, slots=True)
class Locks:
    """The locks of one process: `namespace` is where their Leases are, or None."""

    namespace: Namespace | None

    def of(self, backend: Backend, owner: str) -> Lock:
        """That of one source, for one owner."""
        if self.namespace is None:
            return Lock()
        return ClusterLock(backend.name, self.namespace.lease(lease_name(backend.key), owner))

    def close(self) -> None:
        """Lets go of the connection to the API server."""
        if self.namespace is not None:
            self.namespace.connection.close()


def configured() -> Locks:
    """As `LEADER_LEASE` says. Reads files and asks nobody; raises `Misconfigured` where there is no service
    account."""
    if settings.LEADER_LEASE == "postgres":
        return Locks(None)
    return Locks(Namespace.of_pod(SETTING, settings.LEADER_LEASE_SERVICE_ACCOUNT))
