"""What a process finds in a pod: a service account's folder, and where the API server is."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.contract.kubernetes_backend import LEASE_RULES, deployment_manifests, token_of
from tests.peers.kubernetes import ControlPlane

WORKER = "system:serviceaccount:netweave:netweave-worker"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/netweave/leases"


def service_account(cluster: ControlPlane, folder: Path, token: str, *, namespace: str = "netweave") -> Path:
    """The folder, filled as Kubernetes does."""
    folder.mkdir()
    (folder / "token").write_text(token)
    (folder / "ca.crt").write_text(cluster.ca_file.read_text())
    (folder / "namespace").write_text(namespace)
    return folder


def of_worker(cluster: ControlPlane, folder: Path) -> Path:
    """The folder of netweave-worker, who has the rights that deploy/kubernetes gives it."""
    for manifest in deployment_manifests():
        cluster.apply(manifest)
    for rule in LEASE_RULES:
        cluster.until_allowed(WORKER, rule, namespace="netweave")
    return service_account(cluster, folder, token_of(cluster, "netweave-worker"))


def environment(cluster: ControlPlane) -> dict[str, str]:
    """What Kubernetes sets in every container."""
    where = urlsplit(cluster.url)
    return {
        "KUBERNETES_SERVICE_HOST": where.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(where.port),
    }
