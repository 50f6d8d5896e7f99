"""A source has one owner at a time, and the epoch tells owners apart."""

from datetime import timedelta

import pytest
from django.utils import timezone

from o2ims.lease import Lease, Lost
from o2ims.models import Source
from tests.world import backend

pytestmark = pytest.mark.django_db


@pytest.fixture
def source_id() -> int:
    Source.take(backend("one"), 0)
    return Source.objects.get().pk


def test_the_second_asks_in_vain_until_the_first_lets_go(source_id: int) -> None:
    first = Lease.acquire(source_id, "first")
    assert first is not None
    assert not Lease.is_free(source_id)
    assert Lease.acquire(source_id, "second") is None
    first.release()
    assert Lease.is_free(source_id)
    second = Lease.acquire(source_id, "second")
    assert second is not None
    assert second.epoch == first.epoch + 1


def test_a_lease_that_ran_out_is_free_and_its_old_owner_learns_of_it(source_id: int) -> None:
    first = Lease.acquire(source_id, "first")
    assert first is not None
    Source.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert Lease.acquire(source_id, "second") is not None
    with pytest.raises(Lost):
        first.renew()
    first.release()  # of a lease it has no more: nothing
    assert Source.objects.get().owner == "second"


def test_renewing_keeps_it(source_id: int) -> None:
    first = Lease.acquire(source_id, "first")
    assert first is not None
    Source.objects.update(lease_expires_at=timezone.now() + timedelta(seconds=1))
    first.renew()
    remaining = Source.objects.get().lease_expires_at - timezone.now()  # type: ignore[operator]
    assert timedelta(seconds=5) < remaining


def test_a_retired_source_is_nobodys(source_id: int) -> None:
    first = Lease.acquire(source_id, "first")
    assert first is not None
    Source.objects.update(retired_at=timezone.now())
    with pytest.raises(Lost):
        first.renew()
    assert Lease.acquire(source_id, "second") is None
