"""A tenant's users. The platform's own people are added by a command and in the admin site."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.directory import one_of
from tenancy.drafts import Sent
from tenancy.guard import principal_of
from tenancy.models import User
from tenancy.permissions import Resource
from tenancy.representation import USER
from tenancy.revocations import one_at_a_time
from tenancy.views import answers
from tenancy.views.collection import Collection


class Users(Collection):
    """A tenant's users."""

    resource = Resource.USER
    noun = USER

    def create(self, request: Request, tenant: str) -> HttpResponse:
        """A new user of the tenant, without a role."""
        with one_at_a_time():
            found = one_of(self.directory(request).tenants(), tenant)
            draft = drafts.new_user(request.data, found.pk)
            user = Administration(principal_of(request)).create_user(found, draft)
            answers.tell(request, user, 201, after=USER.wire(user))
        return answers.created(request, USER, USER.wire(user))

    def rows(self, request: Request) -> QuerySet[User]:
        """The users of a tenant in whom the caller has any business."""
        directory = self.directory(request)
        tenant = one_of(directory.tenants(own_too=True), self.kwargs["tenant"])
        return directory.users().filter(tenant=tenant)

    def change(self, row: User, sent: Sent, administration: Administration) -> None:
        """Another address or state."""
        administration.change_user(row, drafts.changed_user(sent))
