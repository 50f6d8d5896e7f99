"""Removing a tenant, which needs several layers: of its people and roles, its subscriptions, and what it
has on backends.

A tenant that still has objects stays: they would be nobody's.
"""

from collections.abc import Callable
from contextlib import suppress

from django.http import HttpResponse
from rest_framework.request import Request

from api import conditional
from o2ims.models import Item, Operation
from o2ims.views.asked import flag
from subscriptions import journal, store
from subscriptions import told as events
from subscriptions.models import Endpoint
from subscriptions.subscription import Subscription
from tenancy.audit import Deed, Entry, append
from tenancy.directory import one_of
from tenancy.models import Binding, Role, Tenant, Token, User
from tenancy.permissions import Action
from tenancy.quotas import Quota
from tenancy.refusals import InUse
from tenancy.representation import TENANT, Wire
from tenancy.revocations import one_at_a_time
from tenancy.told import told
from tenancy.views import answers
from tenancy.views.tenants import Tenants


class RemovableTenants(Tenants):
    """Tenants, which can be removed here."""

    def destroy(self, request: Request, id: str, **_path: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """It is suspended, and then gone; with `cascade=true` its people, roles and subscriptions are too."""
        if _subscriptions(id):
            store.catch_up()  # where Redis is away, none ends
        with one_at_a_time():
            tenant = one_of(self.rows(request), id)
            before = self.noun.wire(tenant)
            answers.must_match(request, self.noun, before)
            begin(tenant, cascade=flag(request._request, "cascade"))
            append([_suspending(request, tenant, before)])
        with one_at_a_time():
            finish(tenant, lambda one: append([_ending(request, one)]))
            answers.tell(request, tenant, 204, before=before)
        with suppress(store.Away):  # whoever reads it next brings it up
            store.catch_up()
        return conditional.without_content(204)


def _suspending(request: Request, tenant: Tenant, before: Wire) -> Entry:
    """The entry of what stays so if the rest fails: nobody of the tenant is let in any more."""
    return told(Deed.of(request._request), Action.UPDATE, tenant, before=before, after=TENANT.wire(tenant))


def _ending(request: Request, one: Subscription) -> Entry:
    return events.told(Deed.of(request._request), Action.DELETE, one, status=204, before=events.wire(one))


def begin(tenant: Tenant, *, cascade: bool) -> None:
    """Lets nobody of `tenant` in any more. Raises `InUse`, and changes nothing, where it still has objects,
    or people, roles or subscriptions and no `cascade`."""
    _must_have_nothing(tenant)
    users, roles = tenant.users.count(), tenant.roles.count()
    subscriptions = _subscriptions(tenant.pk)
    if (users or roles or subscriptions) and not cascade:
        has = f"{users} users, {roles} roles and {subscriptions} subscriptions"
        raise InUse(f"The tenant still has {has}: with ?cascade=true they go with it.")
    tenant.status = Tenant.Status.PENDING_DELETION
    tenant.save()


def finish(tenant: Tenant, told: Callable[[Subscription], None]) -> None:
    """Removes a tenant that is being removed, and has each of its subscriptions told. Raises `InUse` where
    somebody made something meanwhile: then it stays as it is, and can be removed later."""
    with one_at_a_time():
        _must_have_nothing(tenant)
        journal.end_all(tenant.pk, told)
        Binding.objects.filter(user__tenant=tenant).delete()
        Token.objects.filter(user__tenant=tenant).delete()
        User.objects.filter(tenant=tenant).delete()
        Role.objects.filter(tenant=tenant).delete()
        Quota.objects.filter(tenant=tenant).delete()
        tenant.delete()


def _subscriptions(tenant: str) -> int:
    return Endpoint.objects.filter(tenant=tenant).count()


def _must_have_nothing(tenant: Tenant) -> None:
    count = Item.objects.filter(tenant=tenant.pk, deleted_at__isnull=True).count()
    if count:
        raise InUse(f"The tenant still has {count} objects in the inventory: remove them first.")
    if Operation.objects.filter(tenant=tenant.pk, state=Operation.State.STARTED).exists():
        raise InUse("A write of the tenant is still under way: try again in a minute.")
