"""Tenants."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.drafts import Sent
from tenancy.guard import principal_of
from tenancy.models import Tenant
from tenancy.permissions import Resource
from tenancy.representation import TENANT
from tenancy.revocations import one_at_a_time
from tenancy.views import answers
from tenancy.views.collection import Collection


class Tenants(Collection):
    """Tenants."""

    resource = Resource.TENANT
    noun = TENANT

    def create(self, request: Request) -> HttpResponse:
        """A new tenant."""
        with one_at_a_time():
            draft = drafts.new_tenant(request.data)
            tenant = Administration(principal_of(request)).create_tenant(draft)
            answers.tell(request, tenant, 201, after=TENANT.wire(tenant))
        return answers.created(request, TENANT, TENANT.wire(tenant))

    def rows(self, request: Request) -> QuerySet[Tenant]:
        """The caller's tenants."""
        return self.directory(request).tenants().prefetch_related("quotas")

    def change(self, row: Tenant, sent: Sent, administration: Administration) -> None:
        """Another name, state, ..."""
        administration.change_tenant(row, drafts.changed_tenant(sent))
