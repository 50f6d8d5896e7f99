"""Bindings: who has which role, until when."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.drafts import Sent
from tenancy.guard import principal_of
from tenancy.models import Binding
from tenancy.permissions import Resource
from tenancy.representation import BINDING
from tenancy.revocations import one_at_a_time
from tenancy.views import answers
from tenancy.views.collection import Collection


class Bindings(Collection):
    """Bindings."""

    resource = Resource.BINDING
    noun = BINDING

    def create(self, request: Request) -> HttpResponse:
        """Somebody gets a role."""
        with one_at_a_time():
            binding = Administration(principal_of(request)).bind(drafts.new_binding(request.data))
            answers.tell(request, binding, 201, after=BINDING.wire(binding))
        return answers.created(request, BINDING, BINDING.wire(binding))

    def rows(self, request: Request) -> QuerySet[Binding]:
        """The bindings of those who concern the caller."""
        return self.directory(request).bindings()

    def change(self, row: Binding, sent: Sent, administration: Administration) -> None:
        """Another role, or another end."""
        administration.rebind(row, drafts.changed_binding(sent))

    def remove(self, row: Binding, administration: Administration) -> None:
        """Somebody has a role no longer."""
        administration.unbind(row)
