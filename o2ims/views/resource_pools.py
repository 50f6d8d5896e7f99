"""Resource pools: groups of resources at one place."""

from adapters.types import Kind
from o2ims.views.collection import Collection


class ResourcePools(Collection):
    """Resource pools: groups of resources at one place."""

    kind = Kind.RESOURCE_POOL
    noun = "resourcePools"
