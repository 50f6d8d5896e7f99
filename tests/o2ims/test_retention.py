"""What is old enough is forgotten, and nothing else."""

from datetime import timedelta

from django.utils import timezone

from o2ims.models import Change, Item
from o2ims.retention import tidy
from tests.world import World, resource, small


def test_old_changes_and_tombstones_go_and_the_living_stay(world: World) -> None:
    one = world.add("one", things=small())
    one.lose(resource("node-1", version="2"), resource("node-2", version="2"))
    now = timezone.now()
    Item.objects.filter(native_id="node-1").update(deleted_at=now - timedelta(minutes=61))
    Item.objects.filter(native_id="node-2").update(deleted_at=now - timedelta(minutes=59))
    Change.objects.filter(sequence__lte=4).update(at=now - timedelta(days=8))
    Change.objects.filter(sequence=5).update(at=now - timedelta(days=6))
    assert tidy() == 5
    assert set(Item.objects.values_list("native_id", flat=True)) == {"type-1", "pool-1", "node-2", "node-3"}
    assert sorted(Change.objects.values_list("sequence", flat=True)) == [5, 6, 7]
    assert tidy() == 0
