"""deploy/kubernetes grants what the adapters use, and nothing else: with one verb less, something fails.
(That it is enough is shown by the contract, which runs with these very rights.)"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Forbidden
from adapters.ims.openshift import Adapter
from adapters.types import Resource, ResourcePool
from tests.adapters.kubernetes_objects import (
    Manifest,
    capi_machine,
    capi_set,
    deployment,
    machine,
    machine_set,
    namespace,
    naming,
)
from tests.contract.ims import away, watching
from tests.contract.kubernetes_backend import (
    NAMING_RULES,
    RULES,
    TEMPLATES,
    WRITING_RULES,
    SomebodyOfClusterApi,
    deployed,
    deployment_manifests,
)
from tests.contract.test_openshift import adapter_of, config_pool, installed, manager_of
from tests.contract.writing import draft, pool_of
from tests.peers.kubernetes import ControlPlane

pytestmark = pytest.mark.xdist_group("every-api")

WEB = "system:serviceaccount:netweave:netweave-web"
WORKER = "system:serviceaccount:netweave:netweave-worker"
NEEDED = [rule for rule in RULES if rule["resources"] != ["machineconfigpools"]]
TEMPLATES_OF_BOTH = {"worker": TEMPLATES["worker"], "capi": SomebodyOfClusterApi.templates["worker"]}


def each(rules: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Every verb on every resource: (group, resource, verb)."""
    for rule in rules:
        for resource, verb in itertools.product(rule["resources"], rule["verbs"]):
            yield rule["apiGroups"][0], resource, verb


@pytest.fixture
def cluster(plane: ControlPlane) -> ControlPlane:
    """Everything that anybody may have installed."""
    installed(plane, "cluster-api", "machine-config")
    plane.apply(namespace("capi"))
    plane.apply(config_pool("worker", 3))
    plane.apply(naming("Edge 7"))
    return plane


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Adapter]]:
    """Makes adapters, and closes them."""
    made: list[Adapter] = []

    def open_(kubeconfig: Path) -> Adapter:
        made.append(adapter_of(kubeconfig, machineTemplates=TEMPLATES_OF_BOTH, timeout="5s"))
        return made[-1]

    yield open_
    for adapter in made:
        adapter.close()


@contextmanager
def without(cluster: ControlPlane, user: str, group: str, resource: str, verb: str) -> Iterator[None]:
    """One verb on one resource is not in the roles, until the end of the block."""
    less = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    space = "kube-system" if resource == "configmaps" else ""
    if space:
        less["resourceNames"] = NAMING_RULES[0]["resourceNames"]
    changed = []
    for manifest in deployment_manifests():
        rules = [part for rule in manifest.get("rules", ()) for part in _less(rule, group, resource, verb)]
        if rules != manifest.get("rules", []):
            inside = manifest["metadata"].get("namespace")
            kind = f"namespaces/{inside}/roles" if inside else "clusterroles"
            path = f"/apis/{manifest['apiVersion']}/{kind}/{manifest['metadata']['name']}"
            changed.append((path, manifest["rules"]))
            cluster.request("PUT", path, {**cluster.request("GET", path), "rules": rules})
    cluster.until_refused(user, less, namespace=space)
    yield
    for path, rules in changed:
        cluster.request("PUT", path, {**cluster.request("GET", path), "rules": rules})
    cluster.until_allowed(user, less, namespace=space)


def _less(rule: Manifest, group: str, resource: str, verb: str) -> list[Manifest]:
    if rule["apiGroups"] != [group] or resource not in rule["resources"] or verb not in rule["verbs"]:
        return [rule]
    others = [other for other in rule["resources"] if other != resource]
    verbs = [other for other in rule["verbs"] if other != verb]
    kept = [{**rule, "resources": others}] if others else []
    return [*kept, *([{**rule, "resources": [resource], "verbs": verbs}] if verbs else [])]


@pytest.mark.parametrize("rule", NEEDED, ids=lambda rule: rule["apiGroups"][0] or "core")
def test_a_right_to_read_less_fails_the_check_and_is_named(
    cluster: ControlPlane, opened: Callable[[Path], Adapter], rule: Any
) -> None:
    adapter = opened(deployed(cluster, "netweave-worker"))
    adapter.check()
    for group, resource, verb in each([rule]):
        refused = pytest.raises(Forbidden, match=rf"^lab: .* {verb} {resource}\b")
        with without(cluster, WORKER, group, resource, verb), refused:
            adapter.check()


@pytest.mark.parametrize(
    ("group", "resource"), [("machineconfiguration.openshift.io", "machineconfigpools"), ("", "configmaps")]
)
async def test_an_optional_right_less_takes_away_what_it_shows(
    cluster: ControlPlane, opened: Callable[[Path], Adapter], group: str, resource: str
) -> None:
    adapter = opened(await away(deployed, cluster, "netweave-worker"))

    def shown() -> bool:
        manager = manager_of(adapter)
        return "machineConfigPools" in manager.capabilities if group else manager.name == "Edge 7"

    def hidden() -> bool:
        with without(cluster, WORKER, group, resource, "list"):
            return not shown()

    assert await away(shown)
    assert await away(hidden)
    with without(cluster, WORKER, group, resource, "watch"), pytest.raises(Forbidden):
        async with watching(adapter) as watch:
            raise await watch.ended()


def test_a_worker_may_change_nothing(cluster: ControlPlane) -> None:
    deployed(cluster, "netweave-worker")
    for group, resource, verb in each(WRITING_RULES):
        cluster.until_refused(WORKER, {"apiGroups": [group], "resources": [resource], "verbs": [verb]})


def test_nobody_may_read_what_is_no_infrastructure(cluster: ControlPlane) -> None:
    deployed(cluster)
    for resource in ("secrets", "pods", "configmaps", "serviceaccounts"):
        cluster.until_refused(WEB, {"apiGroups": [""], "resources": [resource], "verbs": ["list"]})
    assert [rule["resourceNames"] for rule in NAMING_RULES] == [["o2ims-deployment-manager"]]


@pytest.mark.parametrize("api", ["openshift", "capi"])
def test_a_right_to_write_less_fails_a_write(
    cluster: ControlPlane, opened: Callable[[Path], Adapter], api: str
) -> None:
    adapter = opened(deployed(cluster))
    steps = Steps(cluster, adapter, api)
    steps.take()
    for group, resource, verb in each(WRITING_RULES):
        if group.startswith("machine.openshift.io") == (api == "openshift"):
            refused = pytest.raises(Forbidden, match=resource.removesuffix("s"))
            with without(cluster, WEB, group, resource, verb), refused:
                steps.take()


class Steps:
    """Every kind of write on the sets and machines of one Machine API, each time with new names."""

    _numbers = itertools.count(1)

    def __init__(self, cluster: ControlPlane, adapter: Adapter, api: str) -> None:
        self._cluster, self._adapter, self._api = cluster, adapter, api
        self._backend = SomebodyOfClusterApi(cluster)

    def take(self) -> None:
        """Raises the first error."""
        name = f"pool-{next(self._numbers)}"
        wanted = replace(draft(self._backend, name), extensions={"k8s.machineTemplate": self._template})
        made = pool_of(self._adapter.create_pool(name, wanted))
        self._adapter.update_pool(made.native_id, replace(made, description="other"))
        if self._api == "openshift":
            self._openshift(made)
        else:
            self._cluster_api(made)

    @property
    def _template(self) -> str:
        return "worker" if self._api == "openshift" else "capi"

    def _openshift(self, made: ResourcePool) -> None:
        member = self._cluster.apply(machine(f"{made.name}-1", owner=self._raw(machine_set(made.name))))
        self._again(member, machine_set(made.name))
        self._adapter.delete_resource(member["metadata"]["uid"], tenant="acme")
        alone = Resource(
            native_id="",
            name=f"{made.name}-2",
            tenant="acme",
            type_native_id="",
            pool_native_id=made.native_id,
        )
        self._adapter.create_resource(alone.name, alone)
        self._adapter.delete_pool(made.native_id, tenant="acme", cascade=True)

    def _cluster_api(self, made: ResourcePool) -> None:
        between = self._cluster.apply(capi_set(f"{made.name}-x", owner=self._raw(deployment(made.name))))
        member = self._cluster.apply(capi_machine(f"{made.name}-1", owner=between))
        self._again(member, deployment(made.name), between)
        self._adapter.delete_resource(member["metadata"]["uid"], tenant="acme")
        self._adapter.delete_pool(made.native_id, tenant="acme", cascade=True)
        alone = self._cluster.apply(capi_set(f"{made.name}-alone"))
        pool = next(pool for pool in self._adapter.pools() if pool.native_id == alone["metadata"]["uid"])
        self._adapter.update_pool(pool.native_id, replace(pool, description="other"))

    def _again(self, *manifests: Manifest) -> None:
        """A change of something that somebody else changes at the same time."""
        api = self._adapter._machine_api()
        for manifest in manifests:
            raw = self._raw(manifest)
            stale = {**raw, "metadata": {**raw["metadata"], "resourceVersion": "1"}}
            plural = f"{manifest['kind'].lower()}s.{manifest['apiVersion'].partition('/')[0]}"
            key = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
            api.change((plural, key), stale, lambda _: {"metadata": {"annotations": {"looked": "again"}}})

    def _raw(self, manifest: Manifest) -> Manifest:
        """The object as it is now, with its kind."""
        plural, space = f"{manifest['kind'].lower()}s", manifest["metadata"]["namespace"]
        path = f"/apis/{manifest['apiVersion']}/namespaces/{space}/{plural}/{manifest['metadata']['name']}"
        return self._cluster.request("GET", path)
