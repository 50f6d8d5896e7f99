"""One object in memory, and what a reader needs to know of its source."""

from collections.abc import Mapping
from typing import Any, Protocol

from adapters.types import Kind


class Owner(Protocol):
    """What an entry knows of the shelf it is on."""

    source_id: int
    facts: "Facts"

    def tenants(self, kind: Kind) -> list[str]:
        """Whose objects of a kind it has."""

    def holds(self, tenant: str) -> bool:
        """Whether any pool or resource on it is the tenant's."""


class Facts:
    """What a reader needs to know of a source. Replaced as a whole when the source's row changes."""

    __slots__ = (
        "active",
        "error_class",
        "fresh_seconds",
        "generation",
        "group",
        "key",
        "name",
        "o_cloud",
        "order",
        "shared",
        "silent",
        "state",
        "tenant",
    )

    def __init__(self, **facts: Any) -> None:
        self.name: str = facts["name"]
        self.key: str = facts["key"]
        self.group: str = facts["group"]
        #: Whether it is the one of its group that is read.
        self.active: bool = facts["active"]
        self.o_cloud: str = facts["o_cloud"]
        self.order: int = facts["order"]
        self.shared: bool = facts["shared"]
        self.tenant: str = facts["tenant"]
        self.state: str = facts["state"]
        self.error_class: str = facts["error_class"]
        self.generation: int = facts["generation"]
        self.fresh_seconds: float = facts["fresh_seconds"]
        #: Seconds since the backend last proved to be there, as of the last look; None if it never did.
        self.silent: float | None = facts["silent"]


class Entry:
    """One object. `body` is the stored body with `o_cloud_id` added; `encoded` holds its bytes per
    representation, made on first use."""

    __slots__ = ("body", "encoded", "id", "kind", "pool", "source", "tenant")

    def __init__(self, kind: Kind, tenant: str, body: Mapping[str, Any], source: Owner) -> None:
        self.kind = kind
        self.id: str = body["id"]
        self.tenant = tenant
        self.body = body
        self.pool: str | None = body["pool_id"] if kind is Kind.RESOURCE else None
        self.source = source
        self.encoded: dict[str, bytes] = {}
