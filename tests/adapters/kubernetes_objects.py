"""Kubernetes objects for tests, as manifests: to apply to an API server, or (`stored`) as one would give them
back."""

import uuid
from typing import Any

Manifest = dict[str, Any]

TENANT = "o2ims.oran.org/tenant"
MACHINES = "openshift-machine-api"
OPENSHIFT = "machine.openshift.io/v1beta1"
CLUSTER_API = "cluster.x-k8s.io/v1beta2"


def node(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Manifest:
    """A ready Node of 64 cores in zone z1, of no pool."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": "z1",
                "topology.kubernetes.io/region": "r1",
                **(labels or {}),
            },
        },
        "spec": {"providerID": f"lab://{name}", **spec},
        "status": {
            "capacity": {"cpu": "64", "memory": "263829484Ki", "pods": "250", "ephemeral-storage": "1Ti"},
            "allocatable": {"cpu": "62", "memory": "260000000Ki", "pods": "250", "ephemeral-storage": "1Ti"},
            "conditions": [ready("True", "2026-01-01T00:00:00Z")],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "b",
                "containerRuntimeVersion": "containerd://2",
                "kernelVersion": "6.12",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.37.2",
                "machineID": "m",
                "operatingSystem": "linux",
                "osImage": "Lab Linux 1",
                "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)).upper(),
            },
        },
    }


def ready(status: str, beat: str) -> Manifest:
    return {
        "type": "Ready",
        "status": status,
        "reason": "Lab",
        "message": "",
        "lastHeartbeatTime": beat,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def volume(name: str, *, storage_class: str = "", claim: str = "") -> Manifest:
    """A PersistentVolume of 10 GiB; `claim` is namespace/name."""
    namespace, _, claimed = claim.partition("/")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
            "hostPath": {"path": "/nonexistent"},
            **({"claimRef": {"namespace": namespace, "name": claimed}} if claim else {}),
        },
    }


def storage_class(name: str) -> Manifest:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "lab.test/csi",
        "parameters": {"csi.storage.k8s.io/provisioner-secret-name": "SECRET"},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def namespace(name: str, tenant: str = "") -> Manifest:
    labels = {TENANT: tenant} if tenant else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def machine_set(
    name: str, *, replicas: int = 3, tenant: str = "", instance_type: str = "m5.large"
) -> Manifest:
    """A MachineSet of OpenShift, in zone z7."""
    return {
        "apiVersion": OPENSHIFT,
        "kind": "MachineSet",
        "metadata": {"name": name, "namespace": MACHINES, "labels": {TENANT: tenant} if tenant else {}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"set": name}},
            "template": {"metadata": {"labels": {"set": name}}, "spec": provider_spec(instance_type)},
        },
    }


def machine(name: str, *, owner: Manifest | None = None, instance_type: str = "m5.large") -> Manifest:
    """A Machine of OpenShift that is no node yet; `owner` is a set as the API server (or `stored`) gives
    it."""
    return {
        "apiVersion": OPENSHIFT,
        "kind": "Machine",
        "metadata": {"name": name, "namespace": MACHINES, **owned(owner)},
        "spec": provider_spec(instance_type),
    }


def provider_spec(instance_type: str) -> Manifest:
    placement = {"availabilityZone": "z7", "region": "r7"}
    return {
        "providerSpec": {"value": {"kind": "LabSpec", "instanceType": instance_type, "placement": placement}}
    }


def deployment(name: str, *, tenant: str = "") -> Manifest:
    """A MachineDeployment of Cluster API."""
    return {
        "apiVersion": CLUSTER_API,
        "kind": "MachineDeployment",
        "metadata": {"name": name, "namespace": "capi", "labels": {TENANT: tenant} if tenant else {}},
        "spec": {
            "clusterName": "lab",
            "replicas": 2,
            "selector": {"matchLabels": {"d": name}},
            **template(name),
        },
    }


def capi_set(name: str, *, owner: Manifest | None = None) -> Manifest:
    """A MachineSet of Cluster API."""
    return {
        "apiVersion": CLUSTER_API,
        "kind": "MachineSet",
        "metadata": {"name": name, "namespace": "capi", **owned(owner)},
        "spec": {
            "clusterName": "lab",
            "replicas": 2,
            "selector": {"matchLabels": {"d": name}},
            **template(name),
        },
    }


def capi_machine(name: str, *, owner: Manifest | None = None) -> Manifest:
    """A Machine of Cluster API that is no node yet."""
    return {
        "apiVersion": CLUSTER_API,
        "kind": "Machine",
        "metadata": {"name": name, "namespace": "capi", **owned(owner)},
        "spec": machine_spec(),
    }


def machine_pool(name: str, nodes: tuple[str, ...] = ()) -> Manifest:
    """A MachinePool of Cluster API, with the nodes it has."""
    return {
        "apiVersion": CLUSTER_API,
        "kind": "MachinePool",
        "metadata": {"name": name, "namespace": "capi"},
        "spec": {"clusterName": "lab", "replicas": len(nodes), **template(name)},
        "status": {"nodeRefs": [{"name": found} for found in nodes]},
    }


def template(name: str) -> Manifest:
    return {"template": {"metadata": {"labels": {"d": name}}, "spec": machine_spec()}}


def machine_spec() -> Manifest:
    infrastructure = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "LabMachine", "name": "lab"}
    return {
        "clusterName": "lab",
        "failureDomain": "z9",
        "bootstrap": {"dataSecretName": "SECRET"},
        "infrastructureRef": infrastructure,
    }


def owned(owner: Manifest | None) -> Manifest:
    """The `ownerReferences` part of metadata."""
    if owner is None:
        return {}
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {"ownerReferences": [reference]}


def naming(name: str, description: str = "", location: str = "") -> Manifest:
    """The ConfigMap that names the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "o2ims-deployment-manager", "namespace": "kube-system"},
        "data": {"name": name, "description": description, "location": location},
    }


def becomes(machine: Manifest, node_name: str) -> Manifest:
    """The Machine once its controller has found its Node."""
    return {**machine, "status": {"phase": "Running", "nodeRef": {"name": node_name}}}


def stored(manifest: Manifest, version: int = 1, **meta: Any) -> Manifest:
    """A manifest as an API server gives it back: with uid, version and time of creation."""
    uid = str(
        uuid.uuid5(
            uuid.NAMESPACE_URL, f"{manifest['apiVersion']}/{manifest['kind']}/{manifest['metadata']['name']}"
        )
    )
    given = {"uid": uid, "resourceVersion": str(version), "creationTimestamp": "2026-01-01T00:00:00Z", **meta}
    return {**manifest, "metadata": {**manifest["metadata"], **given}}
