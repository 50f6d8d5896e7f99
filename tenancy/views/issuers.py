"""Issuers: the CAs whose client certificates are believed. One is added or taken away, and never changed."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from tenancy import drafts
from tenancy.administration import Administration
from tenancy.guard import principal_of
from tenancy.permissions import Resource
from tenancy.representation import ISSUER
from tenancy.revocations import one_at_a_time
from tenancy.trust import Issuer
from tenancy.views import answers
from tenancy.views.collection import Collection


class Issuers(Collection):
    """Issuers."""

    resource = Resource.CERTIFICATE
    noun = ISSUER

    def create(self, request: Request) -> HttpResponse:
        """A CA that is believed from now on."""
        with one_at_a_time():
            issuer = Administration(principal_of(request)).trust(drafts.new_issuer(request.data))
            answers.tell(request, issuer, 201, after=ISSUER.wire(issuer))
        return answers.created(request, ISSUER, ISSUER.wire(issuer))

    def rows(self, request: Request) -> QuerySet[Issuer]:
        """The issuers of the caller's tenants."""
        return self.directory(request).issuers()

    def remove(self, row: Issuer, administration: Administration) -> None:
        """It is believed no longer."""
        administration.distrust(row)
