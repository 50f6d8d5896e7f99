"""A caller's subscriptions: those of its tenant (or, with the scope `all`, everybody's) on one root, and
what it may do with them.

A foreign subscription is an unknown one.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import structlog
from asgiref.sync import async_to_sync
from cryptography import x509
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from adapters.types import Kind
from api.bodies import Absent, Fault, Malformed
from api.pages import PageRequest
from o2ims.inventory import Inventory, NotThere
from o2ims.query import Filter
from o2ims.representations.representation import Representation
from subscriptions import delivery, endpoint, journal, keyring, signing, store
from subscriptions.callback import Forbidden, check_resolved
from subscriptions.drafts import Draft
from subscriptions.models import Endpoint
from subscriptions.policies import Terms
from subscriptions.representation import WELL, Standing, body
from subscriptions.schedule import Outcome
from subscriptions.subscription import Subscription, stamp
from tenancy.credentials import Credentials
from tenancy.permissions import Action, Resource
from tenancy.principals import Principal
from tenancy.scope import TenantScope

log = structlog.get_logger()

LOOK_UP_SECONDS = 3.0
_PART = 500
_KIND_OF = {
    "resourcePoolId": Kind.RESOURCE_POOL,
    "resourceTypeId": Kind.RESOURCE_TYPE,
    "resourceId": Kind.RESOURCE,
}
_lookups = ThreadPoolExecutor(4, thread_name_prefix="callback")


@dataclass(frozen=True, slots=True)
class Made:
    """A subscription with its secret, shown this once; `checked` is how the callback answered ('' where it
    was not asked)."""

    subscription: Subscription
    secret: str
    checked: str


class Book:
    """What `caller` has within `scope`, of the root of `flavour`. Made per request."""

    def __init__(self, caller: Principal, scope: TenantScope, flavour: Representation) -> None:
        self._caller, self._scope, self._flavour = caller, scope, flavour
        self._whole: bool | None = None

    def page(self, wanted: PageRequest, where: Filter | None) -> tuple[Sequence[Subscription], bool]:
        """The wanted page of them, in the order of ids, and whether anything follows it."""
        skip = (wanted.number - 1) * wanted.limit
        most = skip + wanted.limit + 1
        found: list[Subscription] = []
        ids = [id_ for id_ in self._ids() if id_ > wanted.after]
        for start in range(0, len(ids), _PART):
            mine = [one for one in self._read(ids[start : start + _PART]) if self._is_mine(one)]
            known = {} if where is None else standings(one.id for one in mine)
            found += [one for one in mine if where is None or where.matches(body(one, known[one.id]))]
            if len(found) >= most:
                break
        return found[skip : skip + wanted.limit], len(found) >= most

    def get(self, id_: str, *, either: bool = False) -> Subscription:
        """One of them; with `either` of any root. Raises `NotThere`."""
        try:
            wanted = str(uuid.UUID(id_)) if len(id_) == 36 else ""
        except ValueError:
            wanted = ""
        found = self._read([wanted]) if wanted else []
        if not found or not self._is_mine(found[0], either=either):
            raise NotThere
        return found[0]

    def add(self, draft: Draft, terms: Terms, root: str, told: Callable[[Subscription], None]) -> Made:
        """A new one of the caller's tenant, whose are the terms. Raises what is wrong with the draft,
        `journal.Duplicate`, `quotas.Exceeded`, `store.Away`."""
        store.version()  # before anybody is asked: away is away
        self._must_be_there(draft)
        checked = self._checked(draft.callback, terms)
        now, secret = stamp(timezone.now()), signing.new_secret()
        subscription = Subscription(
            id=str(uuid.uuid4()),
            tenant=self._caller.tenant,
            flavour=self._flavour.name,
            root=root,
            callback=draft.callback,
            filter=draft.filter,
            consumer_id=draft.consumer_id,
            sees=sees(self._caller),
            born={},
            secrets=(keyring.seal(secret),),
            created_at=now,
            updated_at=now,
            created_by=self._caller.name,
        )
        return Made(journal.add(subscription, lambda: told(subscription)), secret, checked)

    def change(
        self, was: Subscription, draft: Draft, terms: Terms, told: Callable[[Subscription], None]
    ) -> Subscription:
        """It becomes what the draft says; with another callback it is tried at once. Raises as `add` does."""
        store.version()
        if draft.filter != was.filter:
            self._must_be_there(draft)
        if draft.callback != was.callback:
            self._checked(draft.callback, terms)
        new = replace(
            was,
            callback=draft.callback,
            filter=draft.filter,
            consumer_id=draft.consumer_id,
            updated_at=stamp(timezone.now()),
        )

        def also() -> None:
            told(new)
            if new.callback != was.callback:  # how the other one did says nothing
                endpoint.resume(new.id)

        journal.change(new, was, also)
        return new

    def end(self, subscription: Subscription, told: Callable[[], None]) -> None:
        """It ends. Raises `NotThere` where it has just ended, and `store.Away`."""
        try:
            journal.end(subscription, told)
        except journal.Ended as error:
            raise NotThere from error

    def rotate(self, was: Subscription, told: Callable[[], None]) -> tuple[Subscription, str]:
        """A new secret; for a day the old one signs too."""
        new, secret = was.rotated(timezone.now())
        journal.change(new, was, told)
        return new, secret

    def _ids(self) -> Sequence[str]:
        try:
            self._must_be_whole()
            return store.ids(self._scope.tenant, everybody=self._scope.all)
        except store.Away:
            rows = store.latest(store.newest())
            tenant = self._scope.tenant or ""
            return sorted(str(row.subscription) for row in rows if self._scope.all or row.tenant == tenant)

    def _read(self, ids: Iterable[str]) -> Sequence[Subscription]:
        wanted = list(ids)
        try:
            self._must_be_whole()
            return store.read(wanted)
        except store.Away:
            return journal.kept(wanted)

    def _must_be_whole(self) -> None:
        """A Redis that has forgotten, or missed, something is brought up before it is believed. Raises
        `store.Away`."""
        if self._whole is None:
            self._whole = False
            store.catch_up()
            self._whole = True
        if not self._whole:
            raise store.Away("it could not be brought up")

    def _is_mine(self, subscription: Subscription, *, either: bool = False) -> bool:
        """The second wall, and the root's own."""
        mine = self._scope.all or (self._scope.own and subscription.tenant == self._scope.tenant)
        here = subscription.flavour.partition(" ")[0] == self._flavour.name.partition(" ")[0]
        return mine and (here or either)

    def _must_be_there(self, draft: Draft) -> None:
        """What a filter names is there for the caller: a slip of the pen would never be told anything."""
        for pointer, key, id_ in draft.ids:
            kind = _KIND_OF[key]
            scope = self._caller.scope(Resource(kind), Action.READ)
            if scope is None or not _is_there(Inventory(scope), kind, id_):
                raise Absent(Fault(pointer, f"there is no such {kind}"))

    def _checked(self, callback: str, terms: Terms) -> str:
        """Where it leads may be gone to, and somebody is there: `strict` refuses where nobody is, `warn` only
        says so. Raises `Malformed`."""
        connection.close()  # nobody holds one while waiting for the network
        try:
            _lookups.submit(check_resolved, callback, terms.policy).result(LOOK_UP_SECONDS)
        except Forbidden as error:
            raise Malformed(Fault("/callback", error.reason)) from error
        except (OSError, TooLong):
            return self._unanswered(Outcome.DNS, terms.check)
        if terms.check == "off":
            return ""
        answer = async_to_sync(delivery.validate)(callback, terms.policy)
        if answer.outcome is Outcome.FORBIDDEN:
            raise Malformed(Fault("/callback", "leads where callbacks may not go"))
        if answer.outcome is Outcome.DELIVERED:
            return answer.outcome
        return self._unanswered(answer.outcome, terms.check)

    @staticmethod
    def _unanswered(outcome: Outcome, check: str) -> str:
        if check == "strict":
            text = f"did not answer a GET with 2xx within 5 s: {outcome}"
            raise Malformed(Fault("/callback", text))
        return outcome if check == "warn" else ""


def _is_there(inventory: Inventory, kind: Kind, id_: str) -> bool:
    try:
        inventory.get(kind, id_)
    except NotThere:
        return False
    return True


def standings(ids: Iterable[str]) -> dict[str, Standing]:
    """How the other ends of these subscriptions do; of one that has just ended, as if nothing were wrong."""
    wanted = list(ids)
    rows = Endpoint.objects.filter(pk__in=wanted).values_list("pk", "state", "reason")
    return dict.fromkeys(wanted, WELL) | {str(pk): Standing(state, reason) for pk, state, reason in rows}


def sees(caller: Principal) -> dict[str, str]:
    """Whose objects of which kinds the caller may read: what its subscriptions tell of."""
    found = {}
    for kind in Kind:
        scope = caller.scope(Resource(kind), Action.READ)
        if scope is not None:
            parts = [name for name, there in (("own", scope.own), ("shared", scope.shared)) if there]
            found[str(kind)] = "all" if scope.all else "+".join(parts)
    return found


def must_be_the_callers(request: HttpRequest, callback: str) -> None:
    """With `CALLBACK_MUST_MATCH_SAN`: the callback's host is a DNS name in the caller's certificate. Raises
    `Malformed`."""
    if not settings.CALLBACK_MUST_MATCH_SAN:
        return
    name = (urlsplit(callback).hostname or "").rstrip(".").lower()
    if name not in _names(Credentials.of(request).certificate):
        raise Malformed(Fault("/callback", "is no host that the caller's certificate names"))


def _names(certificate: bytes | None) -> set[str]:
    if certificate is None:
        return set()
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in certificate else x509.load_der_x509_certificate
    try:
        found = load(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return set()
    return {name.lower() for name in found.value.get_values_for_type(x509.DNSName)}
