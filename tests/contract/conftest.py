"""What all contract tests share."""

import pytest

from tests.adapters.kubernetes_objects import naming
from tests.peers.kubernetes import ControlPlane

pytest.register_assert_rewrite(
    "tests.contract.ims", "tests.contract.writing", "tests.contract.kubernetes_troubles"
)


@pytest.fixture
def plane(cluster: ControlPlane) -> ControlPlane:
    """The control plane with nothing in it: also without a name, which clean() leaves alone in
    kube-system."""
    cluster.delete(naming(""))
    return cluster


@pytest.fixture(name="cluster")
def with_both_machine_apis(plane: ControlPlane) -> ControlPlane:
    """Both Machine APIs are installed."""
    plane.only_crds("openshift", "cluster-api")
    return plane
