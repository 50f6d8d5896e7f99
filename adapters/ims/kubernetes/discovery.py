"""What an API server has of what we read: the built-in collections, and those of a Machine API where one is
installed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.ims.kubernetes.facts import CLUSTER_API, OPENSHIFT

NODES = "nodes"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses"
NAMESPACES = "namespaces"
NAMING = "configmaps"
CLUSTER_VERSIONS = "clusterversions.config.openshift.io"
INFRASTRUCTURES = "infrastructures.config.openshift.io"
CONFIG_POOLS = "machineconfigpools.machineconfiguration.openshift.io"
MACHINES = (f"machines.{OPENSHIFT}", f"machines.{CLUSTER_API}")
#: Tables of sets, and what one of their objects is called.
SETS = {
    f"machinesets.{OPENSHIFT}": "MachineSet",
    f"machinesets.{CLUSTER_API}": "MachineSet",
    f"machinedeployments.{CLUSTER_API}": "MachineDeployment",
    f"machinepools.{CLUSTER_API}": "MachinePool",
}
SYSTEM = "kube-system"
NAMING_NAME = "o2ims-deployment-manager"

_SERVED = {OPENSHIFT: ("v1beta1",), CLUSTER_API: ("v1beta2", "v1beta1")}


@dataclass(frozen=True, slots=True)
class Collection:
    """One list of the API server: its table in the store, its path, the query it always takes. One that is
    not `required` may be forbidden to us, or not be served."""

    table: str
    path: str
    group: str = ""
    query: tuple[tuple[str, str], ...] = ()
    required: bool = True

    @property
    def plural(self) -> str:
        """The resource as RBAC names it."""
        return self.table.partition(".")[0]

    @property
    def api(self) -> str:
        """group/version of a custom resource's API."""
        return self.path.removeprefix("/apis/").rpartition("/")[0]


BUILT_IN = (
    Collection(NODES, "/api/v1/nodes"),
    Collection(VOLUMES, "/api/v1/persistentvolumes"),
    Collection(CLASSES, "/apis/storage.k8s.io/v1/storageclasses", "storage.k8s.io"),
    Collection(NAMESPACES, "/api/v1/namespaces"),
    Collection(
        NAMING,
        f"/api/v1/namespaces/{SYSTEM}/configmaps",
        query=(("fieldSelector", f"metadata.name={NAMING_NAME}"),),
        required=False,
    ),
)

_CONFIG, _MACHINE_CONFIG = "config.openshift.io", "machineconfiguration.openshift.io"
#: What makes a cluster an OpenShift.
PLATFORM = (
    Collection(CLUSTER_VERSIONS, f"/apis/{_CONFIG}/v1/clusterversions", _CONFIG),
    Collection(INFRASTRUCTURES, f"/apis/{_CONFIG}/v1/infrastructures", _CONFIG),
    Collection(
        CONFIG_POOLS, f"/apis/{_MACHINE_CONFIG}/v1/machineconfigpools", _MACHINE_CONFIG, required=False
    ),
)


def serves(groups: Any, api: str) -> bool:
    """From the answer of `/apis`: whether it serves that group/version."""
    group, _, version = api.partition("/")
    return any(
        found["name"] == group and version in {one["version"] for one in found["versions"]}
        for found in groups.get("groups") or ()
    )


def machine_apis(groups: Any) -> list[str]:
    """From the answer of `/apis`: group/version of each Machine API it serves, the newest version that we
    read."""
    served = {
        group["name"]: {version["version"] for version in group["versions"]}
        for group in groups.get("groups") or ()
    }
    found = []
    for group, versions in _SERVED.items():
        version = next((version for version in versions if version in served.get(group, ())), None)
        if version:
            found.append(f"{group}/{version}")
    return found


def machine_collections(api: str, resources: Mapping[str, Any]) -> Iterable[Collection]:
    """From the answer of `/apis/<group>/<version>`: the collections of it that we read."""
    group = api.partition("/")[0]
    served = {resource["name"] for resource in resources.get("resources") or ()}
    for table in (*MACHINES, *SETS):
        plural, _, of = table.partition(".")
        if of == group and plural in served:
            yield Collection(table, f"/apis/{api}/{plural}", group)
