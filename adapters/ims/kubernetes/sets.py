"""Pools, written: a pool that we make is a MachineSet (OpenShift) or a MachineDeployment (Cluster API),
made from a machine template and called as was asked, or nearly so where another owner's object has that name.

A new set has no replicas until its labels name its own uid: one that a crash left halfway makes nothing.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from adapters.errors import Conflict, Invalid, NotFound, Unsupported
from adapters.ims.kubernetes import names, templates
from adapters.ims.kubernetes.discovery import MACHINES, NODES, SETS, VOLUMES
from adapters.ims.kubernetes.facts import CLUSTER_API, MACHINE_SET, OPENSHIFT, POOL_ID
from adapters.ims.kubernetes.flavor import Flavor
from adapters.ims.kubernetes.machine_api import WRITABLE, Changed, MachineApi
from adapters.ims.kubernetes.meta import NAME, TEMPLATE, TENANT
from adapters.ims.kubernetes.names import pointer
from adapters.ims.kubernetes.pools import flavor_in
from adapters.ims.kubernetes.scene import Scene
from adapters.ims.kubernetes.store import Ref
from adapters.ims.kubernetes.templates import MachineTemplate
from adapters.types import Ability, Batch, Footprint, Gone, Kind, Resource, ResourcePool

REPLICAS = "k8s.machineset.replicas"
#: What a pool of a template of each API is.
MADE = {OPENSHIFT: ("machinesets", "MachineSet"), CLUSTER_API: ("machinedeployments", "MachineDeployment")}

#: More machines than this in one request is a slip of the finger, and an expensive one.
_REPLICAS_LIMIT = 1000
_TRIES = 3
_LEFT_TRIES = 12


def create(api: MachineApi, native_name: str, pool: ResourcePool, type_native_id: str) -> Batch:
    """Makes the set, empty, then gives it its labels and its size."""
    template = templates.choose(
        api.source,
        api.config,
        api.found.machine_apis,
        named=pool.extensions.get(templates.KEY),
        type_native_id=type_native_id,
    )
    for key in pool.extensions:
        if key not in {templates.KEY, REPLICAS}:
            raise Invalid(api.source, f"{key} cannot be set", pointer=pointer("extensions", key))
    replicas = _replicas(api.source, pool.extensions.get(REPLICAS, 1))
    if pool.location not in {"", template.location}:
        raise Invalid(api.source, "the location is the machine template's", pointer="/location")
    names.check(api.source, native_name)
    scene, owner = api.read(*SETS), api.owner(pool.tenant)
    if any(found.name == native_name and api.owner(found.tenant) == owner for found in scene.pools()):
        raise Conflict(api.source, f"has a pool {native_name} already")
    ref, raw = _make(api, template, native_name, pool)
    labels = {"metadata": {"labels": {POOL_ID: raw["metadata"]["uid"]}}}
    raw = api.change(ref, raw, lambda _: {**labels, "spec": {"replicas": replicas, "template": labels}})
    return _answer(api, scene, ref, raw)


def wanted(api: MachineApi, pool: ResourcePool, type_native_id: str) -> Footprint:
    """What a new pool would take."""
    named = pool.extensions.get(templates.KEY)
    template = templates.choose(
        api.source, api.config, api.found.machine_apis, named=named, type_native_id=type_native_id
    )
    replicas = _replicas(api.source, pool.extensions.get(REPLICAS, 1))
    return _times(template.flavor, replicas, pools=1)


def grown(api: MachineApi, pool: ResourcePool, there: Mapping[str, Any]) -> Footprint:
    """What more a pool that has the extensions `there` would take, made what `pool` says."""
    was = there.get(REPLICAS, 0)
    more = max(0, _replicas(api.source, pool.extensions.get(REPLICAS, was)) - was)
    return _times(flavor_in(there), more)


def _times(flavor: Flavor | None, replicas: int, *, pools: int = 0) -> Footprint:
    if flavor is not None or not replicas:
        return (flavor or Flavor(0, 0)).times(replicas, pools=pools)
    return Footprint(pools=pools, resources=replicas, cpu_cores=None, memory_gb=None)


def update(api: MachineApi, native_id: str, pool: ResourcePool) -> Batch:
    """Changes the size and the description of a set, where they are others."""
    scene = api.read(*SETS)
    ref = find(api, scene, native_id, pool.tenant, Ability.RESOURCE_POOL_UPDATE)

    def patch(raw: Any) -> Mapping[str, Any]:
        scene.put(ref[0], raw)
        find(api, scene, native_id, pool.tenant, Ability.RESOURCE_POOL_UPDATE)
        old = _whole(api, scene, ref)
        if pool.location not in {"", old.location}:
            raise Invalid(api.source, "the location cannot be changed", pointer="/location")
        wanted: dict[str, Any] = {}
        for key, value in pool.extensions.items():
            if key == REPLICAS and _replicas(api.source, value) != old.extensions[REPLICAS]:
                wanted["spec"] = {"replicas": value}
            elif key != REPLICAS and value != old.extensions.get(key):
                raise Invalid(api.source, f"{key} cannot be changed", pointer=pointer("extensions", key))
        if pool.description != old.description:
            wanted["metadata"] = {"annotations": {"description": pool.description or None}}
        return wanted

    return _answer(api, scene, ref, api.change(ref, scene.raw(ref), patch))


def delete(api: MachineApi, native_id: str, tenant: str | None, *, cascade: bool) -> Batch:
    """Deletes the machines that only their label puts into the pool, then the set, then the machines it
    leaves. It begins anew where something has changed meanwhile."""
    for number in range(1, _TRIES + 1):
        scene = api.read(*SETS, *MACHINES, NODES)
        ref = find(api, scene, native_id, tenant, Ability.RESOURCE_POOL_DELETE)
        members = [machine for machine in scene.machines() if scene.pool_of(machine) == native_id]
        if members and not cascade:
            raise Conflict(api.source, "the pool still has resources")
        if any(owner_of(api, scene, machine) != tenant for machine in members):
            raise Conflict(api.source, "the pool has resources of another owner")
        told = [
            uid for machine in members if scene.resource(uid := scene.machine(machine).meta.uid) is not None
        ]
        try:
            _delete(api, scene, ref, members)
        except Changed:
            if number == _TRIES:
                raise
            continue
        return _left(api, native_id, told)
    raise AssertionError("not reached")


def find(api: MachineApi, scene: Scene, native_id: str, tenant: str | None, ability: Ability) -> Ref:
    """The owner's set that is the pool `native_id` and can be changed; `NotFound`, or `Unsupported` where no
    set is that pool, or a MachinePool."""
    ref, pool = scene.ref(native_id), scene.pool(native_id)
    if ref is None and not _is_uuid(native_id):
        pool = api.read(*SETS, *MACHINES, NODES, VOLUMES).pool(native_id)
    if pool is None or api.owner(pool.tenant) != tenant:
        raise NotFound(api.source, f"has no pool {native_id}")
    if ref is None or ref[0] not in WRITABLE:
        raise Unsupported(api.source, ability)
    return ref


def owner_of(api: MachineApi, scene: Scene, machine: Ref) -> str | None:
    """Whose a Machine is: also one that another Machine stands for."""
    facts, pool = scene.machine(machine), scene.pool(scene.pool_of(machine) or "")
    resource = scene.resource(facts.meta.uid)
    return api.owner(resource.tenant if resource else facts.meta.tenant or (pool.tenant if pool else None))


def by_name(api: MachineApi, native_name: str, tenant: str | None) -> Batch:
    """The owner's pool of that name, or `NotFound`."""
    scene = api.read(*SETS)
    for pool in sorted(scene.pools(), key=lambda found: found.native_id):
        if pool.name == native_name and api.owner(pool.tenant) == tenant:
            ref = scene.ref(pool.native_id)
            assert ref
            return Batch(objects=(_whole(api, scene, ref),))
    raise NotFound(api.source, f"has no pool {native_name}")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _replicas(source: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _REPLICAS_LIMIT:
        raise Invalid(
            source,
            f"{REPLICAS} is a number from 0 to {_REPLICAS_LIMIT}",
            pointer=pointer("extensions", REPLICAS),
        )
    return value


def _make(
    api: MachineApi, template: MachineTemplate, native_name: str, pool: ResourcePool
) -> tuple[Ref, Any]:
    """A new, empty set under the first name that no other owner has."""
    owner = api.owner(pool.tenant)
    for name in names.candidates(native_name, owner):
        ref = (f"{MADE[template.group][0]}.{template.group}", f"{template.namespace}/{name}")
        try:
            return ref, api.create(ref, _manifest(template, name, native_name, pool))
        except Changed:
            scene = Scene(api.source, api.found.machine_apis, api.pool_labels)
            taken = api.get(ref)
            scene.put(ref[0], taken)
            there = scene.set(ref).meta
            if there.called == native_name and api.owner(there.tenant) == owner:
                break
    raise Conflict(api.source, f"has a pool {native_name} already")


def _manifest(
    template: MachineTemplate, name: str, native_name: str, pool: ResourcePool
) -> Mapping[str, Any]:
    tenant = {TENANT: pool.tenant} if pool.tenant else {}
    chosen = {MACHINE_SET: name}
    cluster = {"clusterName": template.spec["clusterName"]} if template.group == CLUSTER_API else {}
    annotations = {
        TEMPLATE: template.name,
        **(template.flavor.annotations() if template.flavor else {}),
        **({NAME: native_name} if native_name != name else {}),
        **({"description": pool.description} if pool.description else {}),
    }
    return {
        "apiVersion": template.api,
        "kind": MADE[template.group][1],
        "metadata": {
            "name": name,
            "namespace": template.namespace,
            "labels": {**template.machine_labels, **tenant},
            "annotations": annotations,
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": chosen},
            **cluster,
            "template": {
                "metadata": {
                    "labels": {**template.machine_labels, **tenant, **chosen},
                    "annotations": dict(template.annotations),
                },
                "spec": template.spec,
            },
        },
    }


def _delete(api: MachineApi, scene: Scene, ref: Ref, members: list[Ref]) -> None:
    made = [machine for machine in members if scene.set_above(machine) == ref]
    # What was found to be the owner's is deleted as it was then, or all begins anew. What a deleted set
    # leaves goes whatever happens to it meanwhile: nobody keeps it any more.
    for found in (*(machine for machine in members if machine not in made), ref):
        api.delete(found, scene.raw(found), _anything, tries=1)
    for found in (*scene.sets_below(ref), *made):
        api.delete(found, scene.raw(found), _anything, tries=_LEFT_TRIES)


def _anything(raw: Any) -> None:
    """Looks at nothing."""


def _left(api: MachineApi, native_id: str, members: list[str]) -> Batch:
    """What is gone, children first, and what is still there, parents first."""
    scene = api.read(*SETS, *MACHINES, NODES)
    pools: dict[str, ResourcePool] = {}
    resources: list[Resource] = []
    gone: list[Gone] = []
    for uid in members:
        resource = scene.resource(uid)
        if resource is None:
            gone.append(Gone(Kind.RESOURCE, uid, scene.version))
            continue
        resources.append(resource)
        if in_ := scene.pool(resource.pool_native_id):
            pools[in_.native_id] = in_
    if pool := scene.pool(native_id):
        pools[native_id] = pool
    else:
        gone.append(Gone(Kind.RESOURCE_POOL, native_id, scene.version))
    return Batch(objects=(*pools.values(), *resources), gone=tuple(gone))


def _whole(api: MachineApi, scene: Scene, ref: Ref) -> ResourcePool:
    """The pool of a set; where it does not say its zone, the nodes must."""
    if not scene.set(ref).zones and not scene.machines():
        for table in (*MACHINES, NODES):
            api.add(scene, table)
    found = scene.pool(scene.set(ref).meta.uid)
    assert found
    return found


def _answer(api: MachineApi, scene: Scene, ref: Ref, raw: Any) -> Batch:
    scene.put(ref[0], raw)
    return Batch(objects=(_whole(api, scene, ref),))
