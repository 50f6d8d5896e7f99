"""Resource pools: groups of resources at one place."""

from django.http import HttpResponse
from rest_framework.request import Request

from adapters.types import Kind
from o2ims import drafts
from o2ims.views import written
from o2ims.views.collection import Collection
from tenancy.permissions import Resource


class ResourcePools(Collection):
    """Resource pools: groups of resources at one place."""

    kind = Kind.RESOURCE_POOL
    resource = Resource.RESOURCE_POOL
    noun = "resourcePools"

    def create(self, request: Request) -> HttpResponse:
        """A new pool."""
        draft = drafts.new_pool(request.data)
        outcome = written.writes(request, self).create_pool(draft)
        return written.created(request, self.flavour, self.kind, outcome)

    def update(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """The pool as the body says; what the body does not say stays."""
        current = written.precondition(request, self, self.flavour, self.kind, id)
        draft = drafts.changed_pool(request.data, current)
        return written.changed(
            request, self.flavour, self.kind, written.writes(request, self).update_pool(id, draft)
        )

    def destroy(self, request: Request, id: str) -> HttpResponse:  # noqa: A002
        """The pool goes; with `cascade=true` what is in it too."""
        written.precondition(request, self, self.flavour, self.kind, id)
        outcome = written.writes(request, self).delete_pool(id, cascade=written.cascade(request))
        return written.deleted(request, self.flavour, self.kind, outcome)
