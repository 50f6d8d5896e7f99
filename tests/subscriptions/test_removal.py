"""A tenant that is removed, and what it has subscribed."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone
from django_redis import get_redis_connection

from subscriptions import journal, store
from subscriptions.models import Endpoint, Journal, Lane
from tenancy import quotas
from tenancy.models import Tenant
from tenancy.quotas import Quota
from tenancy.trail import AuditEntry
from tests.subscriptions.world import subscribed
from tests.world import Cast

Call = Callable[..., Any]
WHERE = "/admin/v1/tenants/globex"
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def delete(call: Call, path: str) -> Any:
    return call("root", path, method="DELETE", headers={"If-Match": call("root", WHERE)["ETag"]})


def test_a_tenant_that_has_subscriptions_goes_with_cascade_only(cast: Cast, stored: None, call: Call) -> None:
    theirs = [subscribed("globex"), subscribed("globex", filter={"eventTypes": ["CREATE"]})]
    others = subscribed("acme")
    store.catch_up()
    assert Quota.objects.get(tenant="globex", name=quotas.SUBSCRIPTIONS).used == 2
    refused = delete(call, WHERE)
    assert refused.status_code == 409
    assert "0 roles and 2 subscriptions" in refused.json()["detail"]
    assert set(store.ids("globex")) == {one.id for one in theirs}
    assert delete(call, f"{WHERE}?cascade=true").status_code == 204
    assert not Tenant.objects.filter(pk="globex").exists()
    assert [str(pk) for pk in Endpoint.objects.values_list("pk", flat=True)] == [others.id]
    assert not Lane.objects.exclude(endpoint__pk=others.id).exists()
    assert not Quota.objects.filter(tenant="globex").exists()
    assert store.ids(None, everybody=True) == [others.id]
    assert not get_redis_connection("default").exists("subscriptions:tenant:globex")
    ended = Journal.objects.filter(data__isnull=True).values_list("subscription", flat=True)
    assert {str(id_) for id_ in ended} == {one.id for one in theirs}
    told = AuditEntry.objects.filter(kind="Subscription", action="delete", tenant="globex")
    assert {entry.object_id for entry in told} == {one.id for one in theirs}
    assert all(entry.actor == "root" and "callback" in (entry.before or "") for entry in told)


def test_while_redis_is_away_a_tenant_with_subscriptions_stays(cast: Cast, call: Call) -> None:
    subscribed("globex")
    assert delete(call, f"{WHERE}?cascade=true").status_code == 503
    assert Tenant.objects.get(pk="globex").status == "active"
    assert Endpoint.objects.count() == 1


def test_a_subscription_ends_while_what_was_sent_is_completed(stored: None, cast: Cast) -> None:
    """Both lock its lanes, and in the same order, wherever their rows lie."""
    one = subscribed("globex")
    first, *others = Lane.objects.filter(endpoint__pk=one.id).order_by("pk").values_list("pk", flat=True)
    Lane.objects.filter(pk=first).update(due_at=timezone.now())  # behind the others

    def end() -> None:
        try:
            journal.end(one, lambda: None)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            list(Lane.objects.select_for_update().filter(pk=first))
            ending = thread.submit(end)
            time.sleep(0.5)  # it waits for the first
            list(Lane.objects.select_for_update().filter(pk__in=others).order_by("pk"))
        ending.result(10)
    assert not Lane.objects.exists()
