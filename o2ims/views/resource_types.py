"""Resource types: models of resource."""

from adapters.types import Kind
from o2ims.views.collection import Collection


class ResourceTypes(Collection):
    """Resource types: models of resource."""

    kind = Kind.RESOURCE_TYPE
    noun = "resourceTypes"
