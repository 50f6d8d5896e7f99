"""Resources, of every pool or of one."""

from django.http import HttpResponse
from rest_framework.request import Request

from adapters.types import Kind
from o2ims import drafts
from o2ims.views import written
from o2ims.views.collection import Collection
from tenancy.permissions import Resource


class Resources(Collection):
    """Resources, of every pool or of one."""

    kind = Kind.RESOURCE
    resource = Resource.RESOURCE
    noun = "resources"

    def create(self, request: Request) -> HttpResponse:
        """A new resource, in the pool that the body names."""
        draft = drafts.new_resource(request.data)
        outcome = written.writes(request, self).create_resource(draft)
        return written.created(request, self.flavour, self.kind, outcome)

    def destroy(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 - the path's name for it
        """The resource goes."""
        written.precondition(request, self, self.flavour, self.kind, id)
        return written.deleted(
            request, self.flavour, self.kind, written.writes(request, self).delete_resource(id)
        )
