"""Roles: the built-in ones to read, and tenants' own."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.drafts import Sent
from tenancy.guard import principal_of
from tenancy.models import Role
from tenancy.permissions import Resource
from tenancy.representation import ROLE
from tenancy.revocations import one_at_a_time
from tenancy.views import answers
from tenancy.views.collection import Collection


class Roles(Collection):
    """Roles."""

    resource = Resource.ROLE
    noun = ROLE

    def create(self, request: Request) -> HttpResponse:
        """A new role of a tenant."""
        with one_at_a_time():
            role = Administration(principal_of(request)).create_role(drafts.new_role(request.data))
            answers.tell(request, role, 201, after=ROLE.wire(role))
        return answers.created(request, ROLE, ROLE.wire(role))

    def rows(self, request: Request) -> QuerySet[Role]:
        """The roles that concern the caller."""
        return self.directory(request).roles()

    def change(self, row: Role, sent: Sent, administration: Administration) -> None:
        """Another name, or other permissions."""
        administration.change_role(row, drafts.changed_role(sent))
