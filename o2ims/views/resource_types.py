"""Resource types: models of resource."""

from adapters.types import Kind
from o2ims.views.collection import Collection
from tenancy.permissions import Resource


class ResourceTypes(Collection):
    """Resource types: models of resource."""

    kind = Kind.RESOURCE_TYPE
    resource = Resource.RESOURCE_TYPE
    noun = "resourceTypes"
