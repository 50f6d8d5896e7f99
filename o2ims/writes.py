"""A caller's changes to the inventory: which object, whose, on which backend; then an order, carried out.

What the caller's scope does not show is not there; what it shows and is not theirs is forbidden.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError

from adapters.base import ImsAdapter
from adapters.configuration import Backend
from adapters.router import Wanted, route
from adapters.types import Batch, Footprint, Kind, Resource, ResourcePool
from api.bodies import Absent, Fault, Malformed
from o2ims.drafts import PoolDraft, ResourceDraft
from o2ims.entry import Entry
from o2ims.gateway import gateway
from o2ims.inventory import Inventory, NotThere
from o2ims.mirror import mirror
from o2ims.models import Item, Operation
from o2ims.operations import Caller, Order, Outcome, carry_out, repeated
from tenancy.scope import TenantScope

_NO_NAME = re.compile(r"[^a-z0-9]+")


class Occupied(Exception):
    """The pool still has resources; `count` of them are in the caller's scope."""

    def __init__(self, count: int) -> None:
        super().__init__(f"the pool still has {count} resources")
        self.count = count


class Writes:
    """What `caller` does within `scope`. Each method returns the outcome, or raises a backend's error or what
    is wrong with the request."""

    def __init__(self, caller: Caller, scope: TenantScope) -> None:
        self._caller = caller
        self._scope = scope
        self._inventory = Inventory(scope)

    def create_pool(self, draft: PoolDraft) -> Outcome:
        """A new pool of the caller's tenant, on the backend that the rules choose (of the type's, where one
        is asked for)."""
        tenant, name = self._scope.tenant, draft.name or ""
        kind_of = self._type(draft.resource_type)
        if kind_of is None:
            backend = route(gateway.current(), Wanted(Kind.RESOURCE_POOL, draft.given, tenant))
        else:
            backend = self._backend(kind_of)
        pool = ResourcePool(
            native_id="",
            name=name,
            description=draft.description or "",
            tenant=tenant,
            location=draft.location or "",
            extensions=draft.extensions,
        )
        type_id = self._item(kind_of).native_id if kind_of is not None else ""
        order = self._order(
            backend,
            Operation.Action.CREATE,
            Kind.RESOURCE_POOL,
            tenant,
            draft.given,
            native_name=name,
            takes=lambda of: of.footprint(pool, type_native_id=type_id),
        )
        return self._done(order, lambda to: to.create_pool(name, pool, type_native_id=type_id))

    def update_pool(self, id_: str, draft: PoolDraft) -> Outcome:
        """What the draft says of the pool becomes so; the rest stays."""
        if outcome := self._again(Operation.Action.UPDATE, Kind.RESOURCE_POOL, id_, draft.given):
            return outcome
        entry = self._own(Kind.RESOURCE_POOL, id_)
        item = self._item(entry)
        if draft.resource_type is not None:
            raise Malformed(Fault("/resourceTypeId", "cannot be changed"))
        pool = ResourcePool(
            native_id=item.native_id,
            name=item.body["name"],
            description=_or(draft.description, item.body["description"]),
            tenant=entry.tenant or None,
            location=_or(draft.location, item.body["location"]),
            global_location_id=item.body["global_location_id"],
            extensions=draft.extensions,
        )
        order = replace(
            self._about(entry, item, Operation.Action.UPDATE, draft.given),
            takes=lambda of: of.footprint(pool, there=item.body["extensions"]),
        )
        return self._done(order, lambda to: to.update_pool(item.native_id, pool))

    def delete_pool(self, id_: str, *, cascade: bool) -> Outcome:
        """The pool goes, with `cascade` what is in it too. Raises `Occupied`."""
        asked = {"cascade": cascade}
        if outcome := self._again(Operation.Action.DELETE, Kind.RESOURCE_POOL, id_, asked):
            return outcome
        entry = self._own(Kind.RESOURCE_POOL, id_)
        item = self._item(entry)
        count = self._inventory.count(entry)
        if count and not cascade:
            raise Occupied(count)
        order = self._about(entry, item, Operation.Action.DELETE, asked)
        owner = entry.tenant or None
        return self._done(order, lambda to: to.delete_pool(item.native_id, tenant=owner, cascade=cascade))

    def create_resource(self, draft: ResourceDraft) -> Outcome:
        """A new resource in one of the caller's pools, on that pool's backend."""
        pool = self._in_body("/resourcePoolId", Kind.RESOURCE_POOL, draft.pool)
        kind_of = self._type(draft.resource_type)
        if kind_of is not None and kind_of.source is not pool.source:
            raise Malformed(Fault("/resourceTypeId", "is a type of another backend than the pool"))
        self._must_own(pool)
        owner = pool.tenant or None
        name = draft.name or _name_in(pool)
        resource = Resource(
            native_id="",
            name=name,
            description=draft.description or "",
            tenant=owner,
            type_native_id=self._item(kind_of).native_id if kind_of is not None else "",
            pool_native_id=self._item(pool).native_id,
            extensions=draft.extensions,
        )
        order = self._order(
            self._backend(pool),
            Operation.Action.CREATE,
            Kind.RESOURCE,
            owner,
            draft.given,
            native_name=name,
            takes=lambda of: of.footprint(resource, there=pool.body["extensions"]),
        )
        return self._done(order, lambda to: to.create_resource(name, resource))

    def delete_resource(self, id_: str) -> Outcome:
        """The resource goes."""
        if outcome := self._again(Operation.Action.DELETE, Kind.RESOURCE, id_, {}):
            return outcome
        entry = self._own(Kind.RESOURCE, id_)
        item = self._item(entry)
        order = self._about(entry, item, Operation.Action.DELETE, {})
        owner = entry.tenant or None
        return self._done(order, lambda to: to.delete_resource(item.native_id, tenant=owner))

    @staticmethod
    def _done(order: Order, call: Callable[[ImsAdapter], Batch]) -> Outcome:
        outcome = carry_out(order, call)
        with suppress(DatabaseError):  # it is recorded: the follower will find it
            mirror.follow()  # so that the caller's next question is answered with what it did
        return outcome

    def _again(
        self, action: Operation.Action, kind: Kind, id_: str, asked: Mapping[str, Any]
    ) -> Outcome | None:
        """What an earlier request with the caller's key did, which may be that the object is gone."""
        return repeated(self._caller, _fingerprint(action, kind, id_.lower(), asked))

    def _own(self, kind: Kind, id_: str) -> Entry:
        entry = self._inventory.get(kind, id_)
        self._must_own(entry)
        return entry

    def _must_own(self, entry: Entry) -> None:
        if not self._scope.all and entry.tenant != self._scope.tenant:
            raise PermissionDenied

    def _in_body(self, pointer: str, kind: Kind, id_: str) -> Entry:
        try:
            return self._inventory.get(kind, id_)
        except NotThere as error:
            raise Absent(Fault(pointer, f"there is no such {kind}")) from error

    def _type(self, id_: str | None) -> Entry | None:
        return None if id_ is None else self._in_body("/resourceTypeId", Kind.RESOURCE_TYPE, id_)

    def _item(self, entry: Entry) -> Item:
        """The row of an object that is shown; it may just have gone."""
        rows = Item.objects.filter(source_id=entry.source.source_id, kind=entry.kind, object_id=entry.id)
        item = rows.filter(deleted_at__isnull=True).select_related("source").first()
        if item is None:
            raise NotThere
        return item

    def _backend(self, entry: Entry) -> Backend:
        backend = gateway.backend(entry.source.facts.key)
        if backend is None:  # taken out of the file a moment ago
            raise NotThere
        return backend

    def _about(self, entry: Entry, item: Item, action: Operation.Action, asked: Mapping[str, Any]) -> Order:
        owner, target = entry.tenant or None, (item.native_id, UUID(entry.id))
        return self._order(
            self._backend(entry), action, entry.kind, owner, asked, target=target, before=item.body
        )

    def _order(
        self,
        backend: Backend,
        action: Operation.Action,
        kind: Kind,
        owner: str | None,
        asked: Mapping[str, Any],
        *,
        native_name: str = "",
        target: tuple[str, UUID] | None = None,
        before: Mapping[str, Any] | None = None,
        takes: Callable[[ImsAdapter], Footprint] | None = None,
    ) -> Order:
        return Order(
            caller=self._caller,
            backend=backend,
            action=action,
            kind=kind,
            owner=owner or backend.tenant,
            fingerprint=_fingerprint(action, kind, str(target[1]) if target else "", asked),
            native_name=native_name,
            target=target,
            asked=asked,
            before=before,
            takes=takes,
        )


def _fingerprint(action: Operation.Action, kind: Kind, id_: str, asked: Mapping[str, Any]) -> str:
    """Of what is asked for, to know a repeat by."""
    what = orjson.dumps([action, kind, id_, asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(what, digest_size=16).hexdigest()


def _or(said: str | None, current: str) -> str:
    return current if said is None else said


def _name_in(pool: Entry) -> str:
    """A name for a resource that nobody named."""
    stem = _NO_NAME.sub("-", str(pool.body["name"]).lower()).strip("-")[:40] or "resource"
    return f"{stem}-{secrets.token_hex(4)}"
