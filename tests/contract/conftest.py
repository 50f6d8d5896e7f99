"""What all contract tests share."""

import pytest

from tests.adapters.kubernetes_objects import naming
from tests.peers.kubernetes import ControlPlane


@pytest.fixture
def plane(kube: ControlPlane) -> ControlPlane:
    """The control plane with nothing in it: also without a name, which clean() leaves alone in
    kube-system."""
    kube.clean()
    kube.delete(naming(""))
    return kube


@pytest.fixture
def cluster(plane: ControlPlane) -> ControlPlane:
    """The same with both Machine APIs installed."""
    plane.only_crds("openshift", "cluster-api")
    return plane
