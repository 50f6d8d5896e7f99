"""Resources, written: Machines. One that we make belongs to no set and is in its pool by label only; one
that a set has made goes together with its place in the set.

    annotate the Machine (should we die now: only a hint)  ─► lower the set and note the Machine there, in one
    change (should we die now: the set's controller takes the Machine that has the hint)  ─► delete the
    Machine
"""

from collections.abc import Mapping
from typing import Any

from adapters.errors import Conflict, Invalid, NotFound, Unsupported
from adapters.ims.kubernetes import names, sets
from adapters.ims.kubernetes.discovery import CLASSES, MACHINES, NAMESPACES, NODES, SETS, VOLUMES
from adapters.ims.kubernetes.facts import CLUSTER_API, OPENSHIFT, POOL_ID, Machine
from adapters.ims.kubernetes.machine_api import WRITABLE, Changed, MachineApi
from adapters.ims.kubernetes.mapping import machine_type
from adapters.ims.kubernetes.meta import NAME, TENANT
from adapters.ims.kubernetes.names import pointer
from adapters.ims.kubernetes.scene import Scene
from adapters.ims.kubernetes.store import Ref
from adapters.types import Ability, Batch, Gone, Kind, Resource

#: On a set: the uids of Machines whose places it has lost already, as long as they are there.
LOWERED = "o2ims.oran.org/lowered-for"

_HINTS = {
    OPENSHIFT: "machine.openshift.io/delete-machine",
    CLUSTER_API: "cluster.x-k8s.io/delete-machine",
}
#: Many may take machines from one set at the same time.
_TRIES = 12


def create(api: MachineApi, native_name: str, resource: Resource) -> Batch:
    """Makes a Machine like those of its pool's set, outside of it."""
    for key in resource.extensions:
        raise Invalid(api.source, f"{key} cannot be set", pointer=pointer("extensions", key))
    scene, owner = api.read(*SETS), api.owner(resource.tenant)
    pool = _pool(api, scene, resource.pool_native_id, owner)
    names.check(api.source, native_name)
    for table in (*MACHINES, NODES):
        api.add(scene, table)
    if _called(api, scene, native_name, owner):
        raise Conflict(api.source, f"has a resource {native_name} already")
    table = MACHINES[0]
    for name in names.candidates(native_name, owner):
        manifest = _manifest(scene.raw(pool), name, native_name, resource)
        ref = (table, f"{manifest['metadata']['namespace']}/{name}")
        _check_type(api, manifest, resource.type_native_id)
        try:
            raw = api.create(ref, manifest)
        except Changed:
            scene.put(table, api.get(ref))
            if _called(api, scene, native_name, owner):
                break
            continue
        scene.put(table, raw)
        made = scene.resource(raw["metadata"]["uid"])
        assert made
        return Batch(objects=(made,))
    raise Conflict(api.source, f"has a resource {native_name} already")


def delete(api: MachineApi, native_id: str, tenant: str | None) -> Batch:
    """Deletes the Machine that is the owner's resource, and lowers its set by one, once."""
    scene = api.read(*SETS, *MACHINES, NODES)
    if scene.resource(native_id) is None:
        for table in (NAMESPACES, CLASSES, VOLUMES):
            api.add(scene, table)
    resource, ref = scene.resource(native_id), scene.ref(native_id)
    if resource is None or api.owner(resource.tenant) != tenant:
        raise NotFound(api.source, f"has no resource {native_id}")
    if ref is None:  # a volume, or a Node that no Machine API has made
        raise Unsupported(api.source, Ability.RESOURCE_DELETE)
    set_ = scene.set_above(ref)

    def check(raw: Any) -> None:
        scene.put(ref[0], raw)
        if sets.owner_of(api, scene, ref) != tenant:
            raise NotFound(api.source, f"has no resource {native_id}")

    def hint(raw: Any) -> Mapping[str, Any]:
        check(raw)
        hint = _HINTS[scene.machine(ref).api]
        there = (raw["metadata"].get("annotations") or {}).get(hint)
        return {} if there else {"metadata": {"annotations": {hint: "true"}}}

    raw = scene.raw(ref)
    if set_ is None:
        _check_alone(api, raw)
    else:
        if set_[0] not in WRITABLE:
            raise Unsupported(api.source, Ability.RESOURCE_DELETE)
        raw = api.change(ref, raw, hint)
        _lower(api, scene, set_, native_id)
    try:
        left = api.delete(ref, raw, check, tries=_TRIES)
    except NotFound:
        if set_ is None or api.has(ref, raw):
            raise
        left = None  # its set's controller, which has a place less, was faster
    return _ended(api, scene, ref, set_, left)


def by_name(api: MachineApi, native_name: str, tenant: str | None) -> Batch:
    """The owner's Machine of that name (as which resource ever it is known), or `NotFound`."""
    found = _called(api, api.read(*SETS, *MACHINES, NODES), native_name, tenant)
    if not found:
        raise NotFound(api.source, f"has no resource {native_name}")
    return Batch(objects=(min(found, key=lambda resource: resource.native_id),))


def _called(api: MachineApi, scene: Scene, native_name: str, owner: str | None) -> list[Resource]:
    """The owner's Machines that were made under this name."""
    machines = [machine for machine in scene.machines() if scene.machine(machine).meta.called == native_name]
    found = [scene.resource(scene.machine(machine).meta.uid) for machine in machines]
    return [resource for resource in found if resource and api.owner(resource.tenant) == owner]


def _pool(api: MachineApi, scene: Scene, native_id: str, owner: str | None) -> Ref:
    """The owner's set, with which a Machine can be made."""
    try:
        ref = sets.find(api, scene, native_id, owner, Ability.RESOURCE_CREATE)
    except (NotFound, Unsupported) as error:
        raise Invalid(api.source, "has no such pool of machines", pointer="/resourcePoolId") from error
    if not ref[0].endswith(OPENSHIFT):
        raise Unsupported(api.source, Ability.RESOURCE_CREATE)
    return ref


def _manifest(set_: Any, name: str, native_name: str, resource: Resource) -> dict[str, Any]:
    """A Machine from the set's own template, without the labels by which the set would take it."""
    template, selector = set_["spec"]["template"], set_["spec"].get("selector") or {}
    meta = template.get("metadata") or {}
    selected = {
        *(selector.get("matchLabels") or {}),
        *(expression["key"] for expression in selector.get("matchExpressions") or ()),
    }
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in selected}
    annotations = {
        **(meta.get("annotations") or {}),
        **({NAME: native_name} if native_name != name else {}),
        **({"description": resource.description} if resource.description else {}),
    }
    return {
        "apiVersion": set_["apiVersion"],
        "kind": "Machine",
        "metadata": {
            "name": name,
            "namespace": set_["metadata"]["namespace"],
            "labels": {
                **labels,
                **({TENANT: resource.tenant} if resource.tenant else {}),
                POOL_ID: set_["metadata"]["uid"],
            },
            "annotations": annotations,
        },
        "spec": template.get("spec") or {},
    }


def _check_type(api: MachineApi, manifest: Mapping[str, Any], type_native_id: str) -> None:
    raw = {**manifest, "metadata": {**manifest["metadata"], "uid": "new"}}
    if type_native_id not in {"", machine_type(Machine.of_openshift(raw))}:
        raise Invalid(api.source, "the pool's machines are of another type", pointer="/resourceTypeId")


def _check_alone(api: MachineApi, raw: Any) -> None:
    """A Machine that something else than a set makes would only be made again. One that is about to go has
    nobody left."""
    owners = raw["metadata"].get("ownerReferences") or ()
    made = any(owner.get("controller") is True and owner.get("kind") != "MachineSet" for owner in owners)
    if made and not raw["metadata"].get("deletionTimestamp"):
        raise Unsupported(api.source, Ability.RESOURCE_DELETE)


def _lower(api: MachineApi, scene: Scene, set_: Ref, uid: str) -> None:
    """One place less, if it has not been taken already for this very Machine."""

    def patch(raw: Any) -> Mapping[str, Any]:
        noted = (raw["metadata"].get("annotations") or {}).get(LOWERED, "").split()
        if uid in noted:
            return {}
        kept = [*(other for other in noted if scene.ref(other)), uid]
        replicas = raw["spec"].get("replicas", 1)
        return {
            "metadata": {"annotations": {LOWERED: " ".join(kept)}},
            "spec": {"replicas": max(0, replicas - 1)},
        }

    scene.put(set_[0], api.change(set_, scene.raw(set_), patch, tries=_TRIES))


def _ended(api: MachineApi, scene: Scene, ref: Ref, set_: Ref | None, left: Any | None) -> Batch:
    """The pool, where its size is another now, and the resource, as they are."""
    uid, gone = scene.machine(ref).meta.uid, []
    if left is None:
        version = api.version(ref[0])
        scene.drop(ref, version)
        gone = [Gone(Kind.RESOURCE, uid, version)]
    else:
        scene.put(ref[0], left)
    pool = scene.pool(scene.set(set_).meta.uid) if set_ else None
    return Batch(objects=tuple(filter(None, (pool, scene.resource(uid)))), gone=tuple(gone))
