"""A write on its way to a backend, and what becomes of it.

    carry_out   row ─► no database connection held ─► the backend ─┬► answered: recorded, done   (one
    transaction)
                                                                   ├► refused: failed
                                                                   └► who knows: due at once ─┐
    (a process that dies leaves its row as it is: due after its deadline) ────────────────────┴► settle_due

A worker settles: it looks in the backend for what was to be made, changed or deleted, and records what is
there. So a write ends with one object or none, whoever dies when; and none is sent twice. Whoever heard the
backend's answer knows better than who looked, and what is there but was somebody else's is no outcome.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least, Now

from adapters.base import ImsAdapter
from adapters.configuration import Backend
from adapters.errors import BackendError, Broken, Conflict, NotFound, Unreachable, named
from adapters.types import Batch, Footprint, Kind
from o2ims import held
from o2ims.announcement import announce_now
from o2ims.connections import connections
from o2ims.gateway import gateway
from o2ims.models import Change, Item, Operation, Source
from o2ims.record import Cause, Record
from o2ims.sighting import Origin, Sighting, sight
from tenancy import quotas
from tenancy.audit import Deed, Entry, append
from tenancy.permissions import Resource
from tenancy.trail import Result

log = structlog.get_logger()

#: A backend that did not answer may still be at it: so long it is left alone before somebody looks.
GRACE = timedelta(seconds=2)
CLAIM = timedelta(seconds=60)
AGAIN = timedelta(seconds=10)
AT_ONCE = 100
#: After these nobody knows what the backend did. Any other error is its answer: it did nothing.
UNHEARD = (Unreachable, Broken)

Action, State = Operation.Action, Operation.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who wants something, and the request they want it by; `idempotency_key` is '' where they gave none."""

    name: str
    tenant: str | None
    request_id: str
    traceparent: str
    idempotency_key: str = ""
    deed: Deed = field(default_factory=Deed, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of which backend, for which owner. `native_name` is what a new object will be called,
    `target` (native id, id) the object that is meant otherwise, `before` its body; `asked` is what the caller
    sent, `takes` tells what it would take of the owner's quotas."""

    caller: Caller
    backend: Backend
    action: Operation.Action
    kind: Kind
    owner: str | None
    fingerprint: str
    native_name: str = ""
    target: tuple[str, UUID] | None = None
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    takes: Callable[[ImsAdapter], Footprint] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: the object's body (its `o_cloud_id` included) as it is now, or None if it is
    gone."""

    body: Mapping[str, Any] | None = field(repr=False)


class KeyReused(Exception):
    """The caller's idempotency key was used for another request."""


class UnderWay(Exception):
    """A request with this idempotency key is still under way."""


class NotFollowed(Exception):
    """The backend is configured, and no worker has taken it up yet."""


def carry_out(order: Order, call: Callable[[ImsAdapter], Batch]) -> Outcome:
    """Has the backend do it, and records what it answers. Raises the backend's error, or what is wrong with
    the order: `KeyReused`, `UnderWay`, `NotFollowed`."""
    outcome = repeated(order.caller, order.fingerprint)
    if outcome is not None:
        return outcome
    adapter = connections.to(order.backend)
    operation = _begin(order, _amounts(order, adapter))
    try:
        connection.close()  # nobody holds one while waiting for a backend
        batch = call(adapter)
        outcome = _finish(operation, order.backend, adapter, batch, State.DONE)
    except UNHEARD as error:
        _leave(operation, error)
        order.caller.deed.told = True  # whoever settles it will tell
        raise
    except BackendError as error:
        _fail(_any(operation), error)
        raise
    order.caller.deed.told = True
    return outcome


def _amounts(order: Order, adapter: ImsAdapter) -> quotas.Amounts:
    """What the order would take of its owner's quotas, where there is a limit to any."""
    if order.owner is None or order.takes is None or not quotas.limits(order.owner):
        return ()
    connection.close()
    takes = order.takes(adapter)
    return (takes.pools, takes.resources, takes.cpu_cores, takes.memory_gb)


def known(caller: Caller) -> Operation | None:
    """The operation that an earlier request of the caller's with the same idempotency key began."""
    key = caller.idempotency_key
    return Operation.objects.filter(actor=caller.name, idempotency_key=key).first() if key else None


def repeated(caller: Caller, fingerprint: str) -> Outcome | None:
    """What became of the caller's earlier request with the same key, None if there was none. Raises
    `KeyReused` where that was another one, `UnderWay` where nobody knows yet."""
    earlier = known(caller)
    if earlier is None:
        return None
    if earlier.fingerprint != fingerprint:
        raise KeyReused
    if earlier.state == State.STARTED:
        raise UnderWay
    return Outcome(earlier.answer)


def due() -> list[Operation]:
    """The operations whose outcome nobody has told in time."""
    late = Operation.objects.filter(state=State.STARTED, deadline__lt=Now())
    return list(late.select_related("source").order_by("deadline")[:AT_ONCE])


def settle(operation: Operation) -> None:
    """Finds out what became of an operation and records it, unless somebody else is at it; where the backend
    cannot tell, it is looked at again later."""
    mine = Operation.objects.filter(pk=operation.pk, state=State.STARTED, deadline=operation.deadline)
    if not mine.update(deadline=Now() + CLAIM):
        return
    backend = gateway.backend(operation.source.key)
    if backend is None or operation.source.retired_at is not None:
        gone = NotFound(operation.source.name, "was taken out before this could be settled")
        _fail_unheard(operation, gone)
        return
    try:
        adapter = connections.to(backend)
        record = Record(operation.source_id, None, Origin.of(backend, adapter))
        known = record.version(operation.kind, operation.object_id), record.sequence()
        connection.close()
        try:
            batch = _look(operation, adapter)
        except NotFound as error:
            _absent(operation, backend, record, known, error)
            return
        if _is_anothers(operation, batch, record.origin):
            _fail_unheard(operation, Conflict(backend.name, f"has a {operation.kind} of that name already"))
        elif operation.action == Action.CREATE or not _look_again(operation):
            _finish(operation, backend, adapter, batch, State.SETTLED)
    except BackendError as error:
        log.warning("operation_unsettled", operation=str(operation.pk), error=str(error))
        _open(operation).update(deadline=Now() + AGAIN, error=str(error), error_class=named(error))


def _begin(order: Order, amounts: quotas.Amounts) -> Operation:
    source = Source.objects.present().filter(key=order.backend.key).first()
    if source is None:
        raise NotFollowed(order.backend.name)
    native_id, object_id = order.target or ("", None)
    caller = order.caller
    operation = Operation(
        source=source,
        action=order.action,
        kind=order.kind,
        native_name=order.native_name,
        native_id=native_id,
        object_id=object_id,
        tenant=order.owner or "",
        actor=caller.name,
        request_id=caller.request_id,
        traceparent=caller.traceparent,
        idempotency_key=caller.idempotency_key,
        fingerprint=order.fingerprint,
        asked=order.asked,
        before=order.before,
        deed=caller.deed.keep(),
        since=source.last_sequence,
        held=[amount or 0 for amount in amounts],
        started_at=Now(),
        deadline=Now() + settings.OPERATION_LIMIT,
    )
    try:
        with transaction.atomic():
            if amounts:
                quotas.take(order.owner or "", amounts)
            operation.save(force_insert=True)
    except IntegrityError as error:
        raise UnderWay from error  # the same key, at the same moment
    log.info("operation_started", operation=str(operation.pk), what=str(operation), source=source.name)
    return operation


def _finish(
    operation: Operation, backend: Backend, adapter: ImsAdapter, batch: Batch, state: Operation.State
) -> Outcome:
    """Records what the backend says is so now, and that this is the operation's outcome."""
    origin = Origin.of(backend, adapter)
    seen = _seen(backend.name, batch, origin)
    record = Record(operation.source_id, None, origin)
    gone = [(record.key_of(end), end.version) for end in batch.gone]
    about = _about(operation, seen)
    body = {**about.body, "o_cloud_id": backend.o_cloud} if about else None
    # Nobody knows whether what was only looked at is changed as it was to be, or will go: ask it once more.
    free = {"idempotency_key": ""} if state is State.SETTLED and operation.action != Action.CREATE else {}
    cause = Cause(operation.request_id, operation.traceparent)
    object_id = about.object_id if about else operation.object_id
    with transaction.atomic():
        # What is only changed, or on its way out, may be gone by the time that is told, and nobody who found
        # it gone knows as of which version: if it is there again, who made it or the watch tells that.
        changes = record.sightings(seen, cause, begins=operation.action == Action.CREATE)
        changes += record.gone(gone, cause)
        # A worker that looked before the backend answered may have told the same already.
        untold = _any(operation).filter(state__in=(State.STARTED, State.FAILED)).exists()
        ended = _end(
            _open(operation) if state is State.SETTLED else _any(operation),
            state=state,
            answer=body,
            object_id=object_id,
            error="",
            error_class="",
            **free,
        )
        if ended and untold:
            append([_told(operation, object_id, body, state)])
    announce_now(backend.name, changes, operation.request_id)
    return Outcome(body)


def _about(operation: Operation, seen: list[Sighting]) -> Sighting | None:
    """What of the answer is the very object the operation is about."""
    ours = [sighting for sighting in seen if sighting.kind == operation.kind]
    if operation.object_id is not None:
        ours = [sighting for sighting in ours if sighting.object_id == operation.object_id]
    return ours[0] if ours else None


def _seen(name: str, batch: Batch, origin: Origin) -> list[Sighting]:
    try:
        return [sight(origin, thing) for thing in batch.objects]
    except (ValueError, TypeError) as error:
        raise Broken(name, f"answered what cannot be stored: {error}") from error


def _look(operation: Operation, adapter: ImsAdapter) -> Batch:
    return adapter.find(
        Kind(operation.kind),
        tenant=operation.tenant or None,
        native_id=operation.native_id,
        native_name=operation.native_name,
    )


def _is_anothers(operation: Operation, batch: Batch, origin: Origin) -> bool:
    """Whether what a creation's name leads to was there before it, or is what another one has made since."""
    found = _about(operation, _seen(operation.source.name, batch, origin))
    if operation.action != Action.CREATE or found is None:
        return False
    of_it = {"source": operation.source_id, "kind": found.kind, "object_id": found.object_id}
    others = Operation.objects.filter(**of_it, action=Action.CREATE, ended_at__gte=operation.started_at)
    if others.filter(state__in=(State.DONE, State.SETTLED)).exclude(pk=operation.pk).exists():
        return True
    begun = Change.objects.filter(**of_it, type=Change.Type.CREATE, sequence__gt=operation.since)
    return Item.objects.filter(**of_it, deleted_at__isnull=True).exists() and not begun.exists()


def _absent(
    operation: Operation, backend: Backend, record: Record, known: tuple[str, int], error: NotFound
) -> None:
    """The backend has no such object: a deletion was done; anything else was not, once a write has had its
    time. It is gone as of what was `known` before somebody looked (its version, the log's end): what is made
    again, or told, while they look is newer."""
    if operation.action != Action.DELETE or operation.object_id is None:
        if not _look_again(operation):
            _fail_unheard(operation, error)
        return
    version, since = known
    cause = Cause(operation.request_id, operation.traceparent)
    with transaction.atomic():
        changes = record.gone([((operation.kind, operation.object_id), version)], cause, since=since)
        if _end(_open(operation), state=State.SETTLED, error="", error_class=""):
            append([_told(operation, operation.object_id, None, State.SETTLED)])
    announce_now(backend.name, changes, operation.request_id)


def _look_again(operation: Operation) -> bool:
    """Whether the backend may still be at it: then it is looked at again, at the latest when its time is
    over."""
    limit = settings.OPERATION_LIMIT
    early = _open(operation).filter(started_at__gt=Now() - limit)
    return bool(early.update(deadline=Least(Now() + AGAIN, F("started_at") + limit)))


def _any(operation: Operation) -> QuerySet[Operation]:
    """The row, whatever a worker has made of it: for who has heard the backend's answer."""
    return Operation.objects.filter(pk=operation.pk)


def _open(operation: Operation) -> QuerySet[Operation]:
    """The row, unless its outcome has been told meanwhile: for who has only looked."""
    return Operation.objects.filter(pk=operation.pk, state=State.STARTED)


def _fail(rows: QuerySet[Operation], error: BackendError) -> int:
    """The backend did not do it. The key is free again: the caller may try once more."""
    return _end(rows, state=State.FAILED, error=str(error), error_class=named(error), idempotency_key="")


def _fail_unheard(operation: Operation, error: BackendError) -> None:
    """The same, found out by a worker: nobody else tells of it any more."""
    entry = _told(operation, operation.object_id, None, State.FAILED, reason=str(error))
    with transaction.atomic():
        if _fail(_open(operation), error):
            append([entry])


def _end(rows: QuerySet[Operation], **facts: Any) -> int:
    ids = [str(id_) for id_ in rows.values_list("pk", flat=True)]
    with transaction.atomic():
        held.let_go(rows)
        ended = rows.update(**facts, ended_at=Now())
    if ended:
        log.info("operation_ended", operation=", ".join(ids), state=str(facts["state"]))
    return ended


def _told(
    operation: Operation, object_id: UUID | None, body: Any, state: Operation.State, *, reason: str = ""
) -> Entry:
    """The outcome as the audit trail tells it. What a worker found out was answered before anybody knew it:
    it has no status."""
    if state is State.SETTLED:
        reason = "found out after nobody had heard the backend's answer"
    going = operation.action == Action.DELETE and body is not None
    return Deed.kept(operation.deed).entry(
        operation.action,
        _RESOURCES[Kind(operation.kind)],
        object_id or "",
        result=Result.ERROR if state is State.FAILED else Result.SUCCESS,
        status=(202 if going else _STATUS[Action(operation.action)]) if state is State.DONE else None,
        label=(body or operation.before or {}).get("name") or operation.native_name,
        tenant=operation.tenant,
        before=operation.before,
        after=body,
        reason=reason,
    )


_STATUS = {Action.CREATE: 201, Action.UPDATE: 200, Action.DELETE: 204}
_RESOURCES = {Kind.RESOURCE_POOL: Resource.RESOURCE_POOL, Kind.RESOURCE: Resource.RESOURCE}


def _leave(operation: Operation, error: BackendError) -> None:
    """Nobody knows what the backend did: a worker will look."""
    try:
        _open(operation).update(deadline=Now() + GRACE, error=str(error), error_class=named(error))
    except DatabaseError:
        log.warning("operation_left", operation=str(operation.pk))  # due after its deadline
