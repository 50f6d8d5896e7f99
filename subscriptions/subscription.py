"""One subscription: who is told of what, where, and since when. The document that the journal and Redis
hold."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson

from subscriptions import keyring, signing

OVERLAP = timedelta(hours=24)
_NAME_MOST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`tenant` is None for the platform's. `flavour` names the representation (and so the root) it was made
    on, `root` is the {apiRoot} of its `objectRef`s. `filter` is as it was sent: what the gateway's API
    selects (a mapping), or what the O-RAN root excludes (a text). `sees` maps a kind to whose objects:
    `all`, `own`, `shared` or `own+shared`. `born` are the positions of the sources' logs when it was made
    (as text, by the sources' ids): it hears of what is later. `secrets` are sealed, the newest first; all
    but the first end at `overlap_ends`."""

    id: str
    tenant: str | None
    flavour: str
    root: str
    callback: str
    filter: Mapping[str, Any] | str | None
    consumer_id: str | None
    sees: Mapping[str, str]
    born: Mapping[str, int]
    secrets: tuple[str, ...] = field(repr=False)
    overlap_ends: str = ""
    created_at: str
    updated_at: str
    created_by: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Subscription":
        """The one that `data` holds."""
        return cls(**{**data, "secrets": tuple(data["secrets"])})

    def data(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return asdict(self)

    @property
    def key(self) -> str:
        """The same for all that are the same to a subscriber: two such would only tell everything twice."""
        what = [self.tenant, self.flavour.partition(" ")[0], self.callback, self.filter or None]
        return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def host(self) -> str:
        """The callback's, for people."""
        return urlsplit(self.callback).hostname or ""

    @property
    def place(self) -> str:
        """Where the callback is, for people: host and path, and nothing that may be a secret."""
        parts = urlsplit(self.callback)
        return parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")

    @property
    def name(self) -> str:
        """What people tell it from others by: the subscriber's own name, if there is one, and its place."""
        name = f"{self.consumer_id} at {self.place}" if self.consumer_id else self.place
        return name if len(name) <= _NAME_MOST else f"{name[: _NAME_MOST - 1]}…"

    def two_until(self, now: datetime) -> datetime | None:
        """Until when two secrets sign; None: one does."""
        ends = datetime.fromisoformat(self.overlap_ends) if self.overlap_ends else None
        return ends if ends and ends > now else None

    def signing_secrets(self, now: datetime) -> list[str]:
        """Those to sign with at `now`, the newest first. Raises `keyring.Unreadable`."""
        current = self.secrets if self.two_until(now) else self.secrets[:1]
        return [keyring.open_(secret) for secret in current]

    def rotated(self, now: datetime) -> "tuple[Subscription, str]":
        """With a new secret, beside which the old one signs for a day more; and that secret."""
        secret = signing.new_secret()
        secrets = (keyring.seal(secret), self.secrets[0])
        ends = (now + OVERLAP).astimezone(UTC).isoformat()
        return replace(self, secrets=secrets, overlap_ends=ends, updated_at=stamp(now)), secret


def stamp(at: datetime) -> str:
    """A time as it stands on the wire."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
