"""One Lease object (`coordination.k8s.io/v1`) in a Kubernetes API, and one who would hold it.

    look ─► may it be taken? ─► take ─► renew … ─► release
      ▲ no        │                       │
      └───────────┘     Taken: it is somebody else's, or gone

Every write is conditional on the version that was seen last (`resourceVersion`). A Lease that another holds
may be taken when its spec was *observed* unchanged for as long as it lasts, by this machine's monotonic
clock: the times in it are for people, and never compared. The written fields are those that client-go's
elector writes, and mean the same. Nothing here waits or repeats; each call has the connection's time limit.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.errors import Conflict, Misconfigured, NotFound
from adapters.kube import Connection
from adapters.kubeconfig import SERVICE_ACCOUNT

DURATION_SECONDS = 8
#: The time limit of one call: two of them fit between a renewal and the end of holding.
CALL_SECONDS = 2.0

_API = "coordination.k8s.io/v1"
_PREFIX = "netweave-source-"
_LONGEST = 63
_HASH = 10


class Taken(Exception):
    """The Lease is not ours any more: somebody else holds it, it was released, or it is gone."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The API server we run in, and the namespace there that is ours."""

    connection: Connection
    name: str

    @classmethod
    def of_pod(cls, source: str, folder: str = "") -> "Namespace":
        """By the service account in `folder` (default: where Kubernetes puts it). `source` starts every
        error's message. Nothing is asked yet; raises `Misconfigured` naming what is missing."""
        place = Path(folder or SERVICE_ACCOUNT)
        for file in ("token", "ca.crt"):
            _text(source, place / file)  # with its name, which the library does not tell
        connection = Connection(source, service_account=str(place), timeout=CALL_SECONDS)
        connection.access()
        return cls(connection, _text(source, place / "namespace"))

    def lease(self, name: str, holder: str) -> "KubeLease":
        """The Lease of that name, for that holder. Nothing is asked yet."""
        return KubeLease(self, name, holder)


class KubeLease:
    """For one thread at a time. `renewed` is when (by `time.monotonic`) the last write that made it ours or
    kept it was begun."""

    def __init__(self, namespace: Namespace, name: str, me: str) -> None:
        self.name = name
        self.renewed = 0.0
        self._connection, self._namespace, self._me = namespace.connection, namespace.name, me
        self._path = f"/apis/{_API}/namespaces/{namespace.name}/leases"
        self._seen: Mapping[str, Any] = {}
        self._since = time.monotonic()
        self._maybe_mine = False

    @property
    def holder(self) -> str:
        """Who has it, as last seen; '' for nobody."""
        return str(self._spec.get("holderIdentity") or "")

    def look(self) -> bool:
        """Whether it may be taken: nobody or we ourselves hold it, or nobody has renewed it for too long.
        Raises `BackendError`."""
        try:
            found = self._connection.get(f"{self._path}/{self.name}", what=f"read the Lease {self.name}")
        except NotFound:
            found = {}
        if (found.get("spec") or {}) != self._spec:
            self._since = time.monotonic()
        self._seen = found
        lasts = max(DURATION_SECONDS, self._spec.get("leaseDurationSeconds") or 0)
        return self.holder in {"", self._me} or time.monotonic() - self._since >= lasts

    def take(self) -> bool:
        """Takes what `look` saw; False where somebody was faster. Raises `BackendError`."""
        now, spec = _micro_time(), self._spec
        changes = {"holderIdentity": self._me, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": now}
        if self.holder != self._me:
            transitions = spec.get("leaseTransitions") or 0
            changes |= {"acquireTime": now, "leaseTransitions": transitions + 1 if self._seen else 0}
        try:
            self._write(changes)
        except (Conflict, NotFound) as error:
            self._maybe_mine = False
            if isinstance(error, NotFound) and not self._seen:
                raise  # the namespace is not there
            return False
        return True

    def renew(self) -> None:
        """Keeps it. Raises `Taken`, or `BackendError` where that is not known."""
        self._rewrite({"renewTime": _micro_time()})

    def release(self) -> None:
        """Lets go at once, if it may be ours. Raises `BackendError`; then it runs out by itself."""
        if not self._maybe_mine:
            return
        now = _micro_time()
        nobody = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
        try:
            self._rewrite(nobody)
        except Taken:
            return
        finally:
            self._maybe_mine = False

    def _rewrite(self, changes: Mapping[str, Any]) -> None:
        """Writes what is ours. After a conflict it looks again: the answer to our own last write may have
        been lost, or somebody has put a label on it."""
        try:
            self._write(changes)
        except (Conflict, NotFound) as error:
            self.look()
            if self.holder != self._me:
                self._maybe_mine = False
                raise Taken from error
            self._write(changes)

    def _write(self, changes: Mapping[str, Any]) -> None:
        asked, self._maybe_mine = time.monotonic(), True
        body = {**self._seen, "spec": {**self._spec, **changes}}
        if self._seen:
            what = f"write the Lease {self.name}"
            self._seen = self._connection.put(f"{self._path}/{self.name}", body, what=what)
        else:
            new = {"apiVersion": _API, "kind": "Lease", "metadata": {"name": self.name}, **body}
            self._seen = self._connection.post(self._path, new, what=f"create the Lease {self.name}")
        self.renewed = self._since = asked

    @property
    def _spec(self) -> Mapping[str, Any]:
        return self._seen.get("spec") or {}


def lease_name(key: str) -> str:
    """What the Lease of the source with this key is called: `netweave-source-<key>` where that is a label of
    RFC 1123 (63 small letters, digits and -); otherwise as much of it as is, and a hash of the key."""
    kept = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
    if kept == key and len(_PREFIX + key) <= _LONGEST:
        return _PREFIX + key
    told = hashlib.sha256(key.encode()).hexdigest()[:_HASH]
    short = kept[: _LONGEST - len(_PREFIX) - _HASH - 1].strip("-")
    return f"{_PREFIX}{short}-{told}" if short else f"{_PREFIX}{told}"


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _text(source: str, path: Path) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise Misconfigured(source, f"needs a service account, and cannot read {path}: {reason}") from error
    if not found:
        raise Misconfigured(source, f"needs a service account, and {path} is empty")
    return found
