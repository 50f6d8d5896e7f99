"""What all contract tests share."""

import pytest

from tests.adapters.kubernetes_objects import naming
from tests.peers.kubernetes import ControlPlane

pytest.register_assert_rewrite("tests.contract.ims", "tests.contract.writing")


@pytest.fixture
def cluster(cluster: ControlPlane) -> ControlPlane:
    """With both Machine APIs installed; and without a name, which clean() leaves alone in kube-system."""
    cluster.install_crds("openshift")
    cluster.install_crds("cluster-api")
    cluster.delete(naming(""))
    return cluster
