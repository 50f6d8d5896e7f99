"""What an IMS adapter that can be written must do: classes of tests to inherit beside `ImsContract`'s, one
for pools, one for resources. They stand on the same fixtures (`adapter`, `backend`), and on what `Backend`
says a draft needs.

Acme and globex are owners; None is nobody.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import ImsAdapter
from adapters.errors import Conflict, Invalid, NotFound
from adapters.types import Ability, Batch, Footprint, Gone, InventoryObject, Kind, Resource, ResourcePool
from tests.contract.ims import Backend, away, keyed, watching

OWNERS = ("acme", "globex", None)


def draft(backend: Backend, name: str, tenant: str | None = "acme", **extensions: Any) -> ResourcePool:
    """A pool as a caller describes it."""
    return ResourcePool(
        native_id="", name=name, tenant=tenant, extensions={**backend.needed, **extensions}, description="new"
    )


def pool_of(batch: Batch) -> ResourcePool:
    (found,) = (thing for thing in batch.objects if isinstance(thing, ResourcePool))
    return found


def resource_of(batch: Batch) -> Resource:
    (found,) = (thing for thing in batch.objects if isinstance(thing, Resource))
    return found


def listed(adapter: ImsAdapter, native_id: str) -> InventoryObject | None:
    """What the lists say of an object now, without its version."""
    things = keyed((*adapter.pools(), *adapter.resources()))
    return next((thing for (_, id_), thing in things.items() if id_ == native_id), None)


class WritesPools:
    """For an adapter that makes, changes and deletes pools."""

    def test_it_claims_to_write_pools(self, adapter: ImsAdapter) -> None:
        adapter.check()
        wanted = {Ability.RESOURCE_POOL_CREATE, Ability.RESOURCE_POOL_UPDATE, Ability.RESOURCE_POOL_DELETE}
        assert wanted <= adapter.metadata().can

    @pytest.mark.parametrize("owner", OWNERS)
    def test_a_new_pool_is_its_owners_and_what_is_answered_is_what_is_listed(
        self, adapter: ImsAdapter, backend: Backend, owner: str | None
    ) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n", owner)))
        assert (made.name, made.tenant, made.description) == ("pool-n", owner, "new")
        assert listed(adapter, made.native_id) == replace(made, version="")
        if adapter.ordered:
            assert int(made.version) > 0

    def test_a_new_pool_takes_of_quotas_what_was_said_before(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        wanted = draft(backend, "pool-n")
        said = adapter.footprint(wanted)
        made = pool_of(adapter.create_pool("pool-n", wanted))
        assert said.pools == made.footprint.pools == 1
        assert said.resources == made.footprint.resources
        assert said.cpu_cores in {None, made.footprint.cpu_cores}
        same = replace(made, extensions={})
        assert adapter.footprint(same, there=made.extensions) == Footprint()

    def test_what_carries_no_tenant_is_the_sources(self, adapter: ImsAdapter, backend: Backend) -> None:
        adapter.options = replace(adapter.options, tenant="acme")
        unmarked = backend.add_pool("pool-u")
        found = pool_of(adapter.find(Kind.RESOURCE_POOL, tenant="acme", native_id=unmarked))
        pool_of(adapter.update_pool(unmarked, replace(found, tenant="acme", description="mine")))
        with pytest.raises(NotFound):
            adapter.delete_pool(unmarked, tenant=None)
        adapter.delete_pool(unmarked, tenant="acme", cascade=True)
        assert listed(adapter, unmarked) is None

    def test_a_name_that_the_owner_has_is_a_conflict(self, adapter: ImsAdapter, backend: Backend) -> None:
        first = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        with pytest.raises(Conflict):
            adapter.create_pool("pool-n", replace(draft(backend, "pool-n"), description="another"))
        assert listed(adapter, first.native_id) == replace(first, version="")

    def test_a_name_that_somebody_else_has_is_free_and_nothing_tells_of_them(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        made = {
            owner: pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n", owner))) for owner in OWNERS
        }
        assert len({pool.native_id for pool in made.values()}) == 3
        assert {pool.name for pool in made.values()} == {"pool-n"}
        for owner, pool in made.items():
            assert listed(adapter, pool.native_id) == replace(pool, version="")
            found = pool_of(adapter.find(Kind.RESOURCE_POOL, tenant=owner, native_name="pool-n"))
            assert replace(found, version="") == replace(pool, version="")
            with pytest.raises(Conflict):
                adapter.create_pool("pool-n", draft(backend, "pool-n", owner))

    def test_of_several_at_once_one_is_made(self, adapter: ImsAdapter, backend: Backend) -> None:
        def attempt(_: int) -> bool:
            try:
                adapter.create_pool("pool-n", draft(backend, "pool-n"))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(attempt, range(8))) == 1
        assert [pool.name for pool in adapter.pools()].count("pool-n") == 1

    def test_what_was_made_is_found_by_its_name_and_by_its_id(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        for by in ({"native_name": "pool-n"}, {"native_id": made.native_id}):
            found = pool_of(adapter.find(Kind.RESOURCE_POOL, tenant="acme", **by))
            assert replace(found, version="") == replace(made, version="")
            for stranger in ("globex", None):
                with pytest.raises(NotFound):
                    adapter.find(Kind.RESOURCE_POOL, tenant=stranger, **by)
        with pytest.raises(NotFound):
            adapter.find(Kind.RESOURCE_POOL, tenant="acme", native_name="no-such")

    def test_a_pool_changes_and_what_is_not_said_stays(self, adapter: ImsAdapter, backend: Backend) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        key, value = backend.changeable
        changed = pool_of(adapter.update_pool(made.native_id, replace(made, extensions={key: value})))
        assert changed.extensions == {**made.extensions, key: value}
        assert listed(adapter, made.native_id) == replace(changed, version="")
        again = pool_of(adapter.update_pool(made.native_id, replace(changed, description="other")))
        assert (again.description, again.extensions[key]) == ("other", value)
        assert listed(adapter, made.native_id) == replace(again, version="")

    def test_the_same_again_is_no_change(self, adapter: ImsAdapter, backend: Backend) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        again = pool_of(adapter.update_pool(made.native_id, made))
        assert replace(again, version="") == replace(made, version="")

    def test_what_cannot_be_changed_is_refused_where_it_is(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        with pytest.raises(Invalid) as raised:
            adapter.update_pool(
                made.native_id, replace(made, description="x", extensions={backend.fixed: "else"})
            )
        assert raised.value.pointer == f"/extensions/{backend.fixed}"
        assert listed(adapter, made.native_id) == replace(made, version="")

    @pytest.mark.parametrize("stranger", ["globex", None])
    def test_another_owners_pool_is_not_there(
        self, adapter: ImsAdapter, backend: Backend, stranger: str | None
    ) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        with pytest.raises(NotFound):
            adapter.update_pool(made.native_id, replace(made, tenant=stranger, description="mine now"))
        with pytest.raises(NotFound):
            adapter.delete_pool(made.native_id, tenant=stranger, cascade=True)
        assert listed(adapter, made.native_id) == replace(made, version="")

    def test_a_pool_that_is_gone_cannot_be_changed_or_deleted(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        batch = adapter.delete_pool(made.native_id, tenant="acme")
        assert (batch.objects, [(gone.kind, gone.native_id) for gone in batch.gone]) == (
            (),
            [(Kind.RESOURCE_POOL, made.native_id)],
        )
        if adapter.ordered:
            assert int(batch.gone[0].version) >= int(made.version)
        assert listed(adapter, made.native_id) is None
        with pytest.raises(NotFound):
            adapter.delete_pool(made.native_id, tenant="acme")
        with pytest.raises(NotFound):
            adapter.update_pool(made.native_id, made)

    def test_a_pool_with_resources_goes_only_with_them(self, adapter: ImsAdapter, backend: Backend) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        member = backend.add_member(made.native_id, "member-1")
        with pytest.raises(Conflict):
            adapter.delete_pool(made.native_id, tenant="acme")
        assert listed(adapter, made.native_id) is not None
        adapter.delete_pool(made.native_id, tenant="acme", cascade=True)
        assert listed(adapter, made.native_id) is None
        assert listed(adapter, member) is None

    def test_a_pool_with_somebody_elses_resource_stays(self, adapter: ImsAdapter, backend: Backend) -> None:
        made = pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))
        member = backend.add_member(made.native_id, "member-1", tenant="globex")
        with pytest.raises(Conflict):
            adapter.delete_pool(made.native_id, tenant="acme", cascade=True)
        assert listed(adapter, made.native_id) is not None
        assert listed(adapter, member) is not None

    async def test_a_watch_says_of_our_writes_what_they_answered(
        self, adapter: ImsAdapter, backend: Backend
    ) -> None:
        async with watching(adapter) as watch:
            made = pool_of(await away(adapter.create_pool, "pool-n", draft(backend, "pool-n")))
            key = (Kind.RESOURCE_POOL, made.native_id)
            await watch.until(lambda: watch.state.get(key) == replace(made, version=""))
            changed = pool_of(await away(adapter.update_pool, made.native_id, replace(made, description="x")))
            await watch.until(lambda: watch.state.get(key) == replace(changed, version=""))
            await watch.quiet(0.5)
            if adapter.ordered:
                assert int(made.version) < int(changed.version) <= int(watch.versions[key])
            await away(lambda: adapter.delete_pool(made.native_id, tenant="acme"))
            await watch.until(lambda: key not in watch.state)


class WritesResources:
    """For an adapter that makes and deletes resources."""

    @pytest.fixture
    def pool(self, adapter: ImsAdapter, backend: Backend) -> ResourcePool:
        return pool_of(adapter.create_pool("pool-n", draft(backend, "pool-n")))

    @staticmethod
    def draft(pool: ResourcePool, name: str = "resource-n", tenant: str | None = "acme") -> Resource:
        return Resource(
            native_id="",
            name=name,
            tenant=tenant,
            type_native_id="",
            pool_native_id=pool.native_id,
            description="new",
        )

    def test_it_claims_to_write_resources(self, adapter: ImsAdapter) -> None:
        adapter.check()
        assert {Ability.RESOURCE_CREATE, Ability.RESOURCE_DELETE} <= adapter.metadata().can

    def test_a_new_resource_is_in_its_pool_and_what_is_answered_is_what_is_listed(
        self, adapter: ImsAdapter, pool: ResourcePool
    ) -> None:
        made = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        assert (made.name, made.tenant, made.pool_native_id) == ("resource-n", "acme", pool.native_id)
        assert made.type_native_id
        assert made.description == "new"
        assert listed(adapter, made.native_id) == replace(made, version="")
        assert listed(adapter, pool.native_id) == replace(pool, version=""), "it is outside the pool's size"

    def test_a_new_resource_takes_of_quotas_what_was_said_before(
        self, adapter: ImsAdapter, pool: ResourcePool
    ) -> None:
        wanted = self.draft(pool)
        said = adapter.footprint(wanted, there=pool.extensions)
        made = resource_of(adapter.create_resource("resource-n", wanted))
        assert said.resources == made.footprint.resources == 1
        assert (said.cpu_cores, said.memory_gb) == (made.footprint.cpu_cores, made.footprint.memory_gb)

    def test_a_resource_of_a_name_that_the_owner_has_is_a_conflict(
        self, adapter: ImsAdapter, pool: ResourcePool
    ) -> None:
        adapter.create_resource("resource-n", self.draft(pool))
        with pytest.raises(Conflict):
            adapter.create_resource("resource-n", self.draft(pool))

    def test_a_resource_may_have_a_name_that_somebody_else_has(
        self, adapter: ImsAdapter, backend: Backend, pool: ResourcePool
    ) -> None:
        other = pool_of(adapter.create_pool("pool-g", draft(backend, "pool-g", "globex")))
        theirs = resource_of(adapter.create_resource("resource-n", self.draft(other, tenant="globex")))
        ours = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        assert ours.native_id != theirs.native_id
        assert ours.name == theirs.name == "resource-n"
        for made, owner in ((ours, "acme"), (theirs, "globex")):
            found = resource_of(adapter.find(Kind.RESOURCE, tenant=owner, native_name="resource-n"))
            assert replace(found, version="") == replace(made, version="")

    def test_a_resource_is_found_by_its_name_and_by_its_id(
        self, adapter: ImsAdapter, pool: ResourcePool
    ) -> None:
        made = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        for by in ({"native_name": "resource-n"}, {"native_id": made.native_id}):
            found = resource_of(adapter.find(Kind.RESOURCE, tenant="acme", **by))
            assert replace(found, version="") == replace(made, version="")
            with pytest.raises(NotFound):
                adapter.find(Kind.RESOURCE, tenant="globex", **by)
        with pytest.raises(NotFound):
            adapter.find(Kind.RESOURCE, tenant="acme", native_name="no-such")

    @pytest.mark.parametrize("stranger", ["globex", None])
    def test_nobody_makes_a_resource_in_another_owners_pool(
        self, adapter: ImsAdapter, pool: ResourcePool, stranger: str | None
    ) -> None:
        with pytest.raises(Invalid) as raised:
            adapter.create_resource("resource-n", self.draft(pool, tenant=stranger))
        assert raised.value.pointer == "/resourcePoolId"
        assert not [thing for thing in adapter.resources() if thing.name == "resource-n"]

    def test_a_pool_that_is_not_there_is_refused(self, adapter: ImsAdapter, pool: ResourcePool) -> None:
        with pytest.raises(Invalid) as raised:
            adapter.create_resource("resource-n", self.draft(replace(pool, native_id="no-such")))
        assert raised.value.pointer == "/resourcePoolId"

    def test_a_resource_goes_once(self, adapter: ImsAdapter, pool: ResourcePool) -> None:
        made = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        batch = adapter.delete_resource(made.native_id, tenant="acme")
        (gone,) = batch.gone
        assert (gone.kind, gone.native_id) == (Kind.RESOURCE, made.native_id)
        if adapter.ordered:
            assert int(gone.version) >= int(made.version)
        assert listed(adapter, made.native_id) is None
        with pytest.raises(NotFound):
            adapter.delete_resource(made.native_id, tenant="acme")

    @pytest.mark.parametrize("stranger", ["globex", None])
    def test_another_owners_resource_is_not_there(
        self, adapter: ImsAdapter, pool: ResourcePool, stranger: str | None
    ) -> None:
        made = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        with pytest.raises(NotFound):
            adapter.delete_resource(made.native_id, tenant=stranger)
        assert listed(adapter, made.native_id) == replace(made, version="")

    def test_with_its_pool_goes_what_was_made_in_it(self, adapter: ImsAdapter, pool: ResourcePool) -> None:
        made = resource_of(adapter.create_resource("resource-n", self.draft(pool)))
        with pytest.raises(Conflict):
            adapter.delete_pool(pool.native_id, tenant="acme")
        batch = adapter.delete_pool(pool.native_id, tenant="acme", cascade=True)
        assert {gone.native_id for gone in batch.gone} == {made.native_id, pool.native_id}
        assert isinstance(batch.gone[-1], Gone)
        assert batch.gone[-1].native_id == pool.native_id, "children first"
        assert listed(adapter, made.native_id) is None

    async def test_a_watch_says_of_our_resources_what_was_answered(
        self, adapter: ImsAdapter, pool: ResourcePool
    ) -> None:
        async with watching(adapter) as watch:
            made = resource_of(await away(adapter.create_resource, "resource-n", self.draft(pool)))
            key = (Kind.RESOURCE, made.native_id)
            await watch.until(lambda: watch.state.get(key) == replace(made, version=""))
            await watch.quiet(0.5)
            if adapter.ordered:
                assert int(made.version) <= int(watch.versions[key])
            await away(lambda: adapter.delete_resource(made.native_id, tenant="acme"))
            await watch.until(lambda: key not in watch.state)
