"""What all contract tests share."""

import pytest

from tests.adapters.kubernetes_objects import naming
from tests.peers.kubernetes import ControlPlane

pytest.register_assert_rewrite(
    "tests.contract.ims", "tests.contract.writing", "tests.contract.kubernetes_troubles"
)


@pytest.fixture
def cluster(cluster: ControlPlane) -> ControlPlane:
    """With both Machine APIs installed; and without a name, which clean() leaves alone in kube-system."""
    cluster.only_crds("openshift", "cluster-api")
    cluster.delete(naming(""))
    return cluster
