"""What tests stand on: the fixed cast, and sources recorded as a collector records them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.utils import timezone

from adapters.base import Options
from adapters.configuration import Backend
from adapters.ims.memory import Adapter
from adapters.types import InventoryObject, Resource, ResourcePool, ResourceType
from o2ims.lease import Lease
from o2ims.mirror import mirror
from o2ims.models import Change, Source
from o2ims.record import Cause, Record
from o2ims.sighting import Origin, sight
from tenancy.models import Binding, Role, Tenant, Token, User

CAUSE = Cause("a-request", "00-" + "1" * 32 + "-" + "2" * 16 + "-00")


@dataclass
class Cast:
    """`users` and `tokens` by first name."""

    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Token] = field(default_factory=dict)

    def join(self, name: str, tenant: str | None, *roles: str | Role) -> User:
        """One more person, with a token and these roles (built-in ones by name)."""
        user = User(username=f"{name}@{tenant}" if tenant else name, tenant_id=tenant)
        user.set_unusable_password()
        user.save()
        for role in roles:
            Binding(user=user, role=Role.built_in(role) if isinstance(role, str) else role).save()
        self.users[name] = user
        self.rows[name], self.tokens[name] = Token.issue(user)
        return user


def people() -> Cast:
    """The fixed cast, in the database."""
    cast = Cast()
    for tenant in ("acme", "globex"):
        Tenant.objects.create(id=tenant, name=tenant.title())
    cast.join("alice", "acme", "Owner")
    cast.join("bob", "acme", "Viewer")
    cast.join("charlie", "globex", "Owner")
    cast.join("root", None, "PlatformAdmin")
    cast.join("iris", None, "Auditor")
    return cast


def custom(tenant: str, name: str, *permissions: str) -> Role:
    """A tenant's own role."""
    role = Role(tenant_id=tenant, name=name, permissions=list(permissions))
    role.save()
    return role


@dataclass
class Recorded:
    """One source in the database, and the hand that writes it."""

    source: Source
    record: Record
    origin: Origin

    def see(self, *things: InventoryObject, since: int | None = None) -> list[Change]:
        """Records objects as they are now."""
        return self.record.sightings([sight(self.origin, thing) for thing in things], CAUSE, since=since)

    def lose(self, *things: InventoryObject) -> list[Change]:
        """Records that objects are gone."""
        return self.record.gone([(sight(self.origin, thing).key, thing.version) for thing in things], CAUSE)

    def id_of(self, thing: InventoryObject) -> str:
        """The public id of an object."""
        return str(sight(self.origin, thing).object_id)

    def is_now(self, state: Source.State, *, error_class: str = "", silent: float | None = 0.0) -> None:
        """Sets what is known about the source itself; `silent` seconds ago it last proved to be there."""
        contact = None if silent is None else timezone.now() - timedelta(seconds=silent)
        Source.objects.filter(pk=self.source.pk).update(
            state=state, error_class=error_class, contact_at=contact
        )


class World:
    """Sources in the database; `follow` brings this process's mirror up to them."""

    def __init__(self) -> None:
        self.sources: dict[str, Recorded] = {}

    def add(
        self,
        name: str,
        *,
        objects: int = 120,
        things: Iterable[InventoryObject] | None = None,
        ordered: bool = True,
        mapping_version: int = Adapter.mapping_version,
        **facts: Any,
    ) -> Recorded:
        """A source of this name with the sample (or with `things`), recorded and followed."""
        recorded = self.source(name, ordered=ordered, mapping_version=mapping_version, **facts)
        if things is None:
            things = Adapter(Options(name=name, key=name, config={"objects": objects})).everything()
        recorded.see(*things)
        recorded.is_now(Source.State.UP)
        mirror.follow()
        return recorded

    def source(
        self, name: str, *, ordered: bool = True, mapping_version: int = Adapter.mapping_version, **facts: Any
    ) -> Recorded:
        """A source of this name without objects."""
        Source.take(backend(name, **facts), order=len(self.sources))
        source = Source.objects.get(key=name)
        lease = Lease.acquire(source.pk, "test") or Lease(source.pk, "test", source.epoch)
        origin = Origin(name, str(facts.get("tenant") or ""), "mock", ordered, mapping_version)
        self.sources[name] = Recorded(source, Record(source.pk, lease.epoch, origin), origin)
        return self.sources[name]

    @staticmethod
    def follow() -> None:
        """What the follower does once a second."""
        mirror.follow()


def backend(name: str, **facts: Any) -> Backend:
    """A configured memory backend."""
    made = Backend(
        name=name,
        kind="mock",
        key=name,
        enabled=True,
        default=False,
        tenant=None,
        shared=False,
        o_cloud="ocloud-test",
        poll=timedelta(seconds=1),
        config={"live": 0},
    )
    return replace(made, **facts)


def pool(native_id: str = "pool-1", **facts: Any) -> ResourcePool:
    """A pool of acme."""
    return replace(ResourcePool(native_id=native_id, name=native_id, tenant="acme", version="1"), **facts)


def resource(native_id: str = "node-1", **facts: Any) -> Resource:
    """A resource of acme in pool-1."""
    made = Resource(
        native_id=native_id,
        name=native_id,
        tenant="acme",
        version="1",
        type_native_id="type-1",
        pool_native_id="pool-1",
    )
    return replace(made, **facts)


def small(count: int = 3) -> Sequence[InventoryObject]:
    """A type, a pool and `count` resources of acme."""
    nodes = [resource(f"node-{number}") for number in range(1, count + 1)]
    return [ResourceType(native_id="type-1", name="type-1", version="1"), pool(), *nodes]
