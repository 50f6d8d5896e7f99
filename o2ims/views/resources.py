"""Resources, of every pool or of one."""

from adapters.types import Kind
from o2ims.views.collection import Collection


class Resources(Collection):
    """Resources, of every pool or of one."""

    kind = Kind.RESOURCE
    noun = "resources"
