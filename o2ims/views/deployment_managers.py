"""Deployment managers: places that take deployments."""

from adapters.types import Kind
from o2ims.views.collection import Collection


class DeploymentManagers(Collection):
    """Deployment managers: places that take deployments."""

    kind = Kind.DEPLOYMENT_MANAGER
    noun = "deploymentManagers"
