"""Deployment managers: places that take deployments."""

from adapters.types import Kind
from o2ims.views.collection import Collection
from tenancy.permissions import Resource


class DeploymentManagers(Collection):
    """Deployment managers: places that take deployments."""

    kind = Kind.DEPLOYMENT_MANAGER
    resource = Resource.DEPLOYMENT_MANAGER
    noun = "deploymentManagers"
